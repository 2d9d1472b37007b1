//! The slow steps of one app's changes, each in a task beside the controller's: preparing, starting
//! and closing providers, and finishing requests.
//!
//! 1. Components are prepared without the lock of the app's [`Binding`]: a preparation that is
//!    superseded is dropped.
//! 2. Providers change under the lock, one change after another, and none is dropped halfway.
//!    Numbers of starts and removals, which only grow, show a task what came after it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use weft_lattice_config::App;
use weft_link::LocalComponents;
use weft_state::store::Deployed;
use weft_telemetry::chain;

use super::providers::{CheckDepth, ProviderStarter, Providers, bound};
use super::{DeployError, HostedApp, Reason, Rejection};
use crate::runtime::{PrepareErrorKind, PreparedApp, Purpose, RunningApp, Runtime};

/// The longest wait for the requests of a removed app: its providers are closed after it.
pub(super) const FINISH_DEADLINE: Duration = Duration::from_secs(5);

/// The pause between two looks at the requests in flight.
const FINISH_POLL: Duration = Duration::from_millis(10);

/// The providers of one app, and the components that are bound to them.
#[derive(Default)]
pub(super) struct Binding {
    providers: Providers,
    /// The last revision and share that were bound and are to serve.
    bound: Option<Bound>,
    /// The checked app that is deployed or discarded next; `providers` are its providers.
    staged: Option<(App, Arc<dyn RunningApp>)>,
}

struct Bound {
    /// The number of the start.
    number: u64,
    app: App,
    share: LocalComponents,
}

/// A revision and share to start.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) number: u64,
    pub(super) deployed: Deployed,
    pub(super) share: LocalComponents,
}

/// The end of a start.
pub(super) enum StartEnd {
    Started {
        running: Arc<dyn RunningApp>,
        /// True if a deploy has staged the app.
        was_staged: bool,
    },
    Failed(Failed),
    /// Another revision or share is desired; the providers are as before.
    Superseded,
}

/// A change that failed.
pub(super) struct Failed {
    pub(super) error: DeployError,
    /// The serving revision, if its providers had to be started again.
    pub(super) restored: Option<Box<Restored>>,
}

/// A revision that is bound again, to providers that were started again.
pub(super) struct Restored {
    pub(super) app: App,
    pub(super) share: LocalComponents,
    pub(super) running: Arc<dyn RunningApp>,
}

/// Carries out the slow steps. Cheap to clone.
#[derive(Clone)]
pub(super) struct Binder {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) provider_starter: Arc<ProviderStarter>,
}

impl From<DeployError> for Failed {
    fn from(error: DeployError) -> Self {
        Self {
            error,
            restored: None,
        }
    }
}

impl Binder {
    /// Starts a revision and share, unless `superseded` is cancelled before its providers start.
    pub(super) async fn start(
        &self,
        start: Start,
        binding: &Mutex<Binding>,
        superseded: &CancellationToken,
    ) -> StartEnd {
        let app = &start.deployed.app;
        if let Some(running) = binding.lock().await.unstage(&start) {
            return StartEnd::Started {
                running,
                was_staged: true,
            };
        }
        let preparing = self.prepare(app, &start.share, Purpose::Start);
        let Some(prepared) = superseded.run_until_cancelled(preparing).await else {
            return StartEnd::Superseded;
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return StartEnd::Failed(error.into()),
        };
        let mut binding = binding.lock().await;
        if superseded.is_cancelled() {
            return StartEnd::Superseded;
        }
        match self.bind(&mut binding, app, prepared).await {
            Ok(running) => {
                binding.bound = Some(Bound::of(&start));
                StartEnd::Started {
                    running,
                    was_staged: false,
                }
            }
            Err(failed) => StartEnd::Failed(failed),
        }
    }

    /// Checks that an app can run in the lattice. Compiles and starts nothing. `known` are mistakes
    /// that were found before; with any, the app is not deployed, and its providers create nothing.
    ///
    /// # Errors
    /// All mistakes of the app, or that the host failed.
    pub(super) async fn check(
        &self,
        app: &App,
        binding: &Mutex<Binding>,
        known: Vec<Reason>,
        depth: CheckDepth,
    ) -> Result<(), Failed> {
        let mut reasons = known;
        match self.runtime.check(app).await {
            Ok(()) => {}
            Err(error) if error.kind == PrepareErrorKind::Internal => {
                return Err(DeployError::Prepare(error).into());
            }
            Err(error) => reasons.push(Reason {
                path: String::new(),
                error: error.into(),
            }),
        }
        let depth = match reasons.is_empty() {
            true => depth,
            false => CheckDepth::Config,
        };
        reasons.append(&mut self.check_providers(app, binding, depth).await);
        Ok(Rejection::of(reasons).map_err(DeployError::from)?)
    }

    /// Checks that an app can run on a host alone: compiles it, starts its providers, and binds its
    /// links. The app serves once it is [started](Self::start).
    pub(super) async fn stage(&self, app: &App, binding: &Mutex<Binding>) -> Result<(), Failed> {
        let prepared = self.prepare(app, &LocalComponents::Whole, Purpose::Deploy);
        let prepared = match prepared.await {
            Ok(prepared) => prepared,
            // A preparation stops at its first mistake.
            Err(error) => {
                self.check(app, binding, Vec::new(), CheckDepth::Config)
                    .await?;
                return Err(error.into());
            }
        };
        let reasons = self.check_providers(app, binding, CheckDepth::Resources);
        let reasons = reasons.await;
        Rejection::of(reasons).map_err(DeployError::from)?;
        let mut binding = binding.lock().await;
        let running = self.bind(&mut binding, app, prepared).await?;
        binding.staged = Some((app.clone(), running));
        Ok(())
    }

    /// Closes the providers of the staged app, and restores those of the current revision.
    pub(super) async fn discard(&self, binding: &Mutex<Binding>) -> Option<Box<Restored>> {
        let mut binding = binding.lock().await;
        binding.staged.take()?;
        if binding.bound.is_some() {
            return self.restore(&mut binding).await;
        }
        binding.close().await;
        None
    }

    /// Closes the providers of a removed app once its requests are done, unless it is deployed
    /// again before: a start after the `removal` has taken the providers over.
    pub(super) async fn drain(
        removed: Option<&HostedApp>,
        removal: u64,
        binding: &Mutex<Binding>,
        stop: &CancellationToken,
    ) {
        if let Some(removed) = removed {
            let _ = stop.run_until_cancelled(finish_requests(removed)).await;
        }
        let mut binding = binding.lock().await;
        let before_removal = |bound: &mut Bound| bound.number < removal;
        binding.bound.take_if(before_removal);
        if binding.bound.is_none() && binding.staged.is_none() {
            binding.close().await;
        }
    }

    async fn prepare(
        &self,
        app: &App,
        share: &LocalComponents,
        purpose: Purpose,
    ) -> Result<Box<dyn PreparedApp>, DeployError> {
        self.provider_starter.check_types(app)?;
        Ok(self.runtime.prepare(app, share, purpose).await?)
    }

    async fn check_providers(
        &self,
        app: &App,
        binding: &Mutex<Binding>,
        depth: CheckDepth,
    ) -> Vec<Reason> {
        let old = binding.lock().await.providers.clone();
        self.provider_starter.check(app, &old, depth).await
    }

    async fn bind(
        &self,
        binding: &mut Binding,
        app: &App,
        prepared: Box<dyn PreparedApp>,
    ) -> Result<Arc<dyn RunningApp>, Failed> {
        let mut remaining = binding.providers.clone();
        let outcome = match self.provider_starter.start(app, &mut remaining).await {
            Ok(new) => match prepared.bind(&bound(&new)) {
                Ok(running) => Ok((new, running)),
                Err(error) => {
                    ProviderStarter::close_removed(&new, &remaining).await;
                    Err(error.into())
                }
            },
            Err(error) => Err(error),
        };
        match outcome {
            Ok((new, running)) => {
                ProviderStarter::close_removed(&remaining, &new).await;
                binding.providers = new;
                Ok(running)
            }
            Err(error) => {
                let is_unchanged = remaining.len() == binding.providers.len();
                binding.providers = remaining;
                let restored = match is_unchanged {
                    true => None,
                    false => self.restore(binding).await,
                };
                Err(Failed { error, restored })
            }
        }
    }

    /// Binds the current revision again: one of its providers was closed for one of a revision that
    /// does not start or is not stored. Closes the other providers of that revision.
    async fn restore(&self, binding: &mut Binding) -> Option<Box<Restored>> {
        let Bound { app, share, .. } = binding.bound.as_ref()?;
        let mut remaining = binding.providers.clone();
        let restored = async {
            let prepared = self.prepare(app, share, Purpose::Start).await?;
            let started = self.provider_starter.start(app, &mut remaining).await?;
            let running = prepared.bind(&bound(&started))?;
            Ok::<_, DeployError>((started, running))
        };
        match restored.await {
            Ok((started, running)) => {
                let (app, share) = (app.clone(), share.clone());
                ProviderStarter::close_removed(&remaining, &started).await;
                binding.providers = started;
                Some(Box::new(Restored {
                    app,
                    share,
                    running,
                }))
            }
            Err(error) => {
                tracing::error!(
                    app = %app.metadata.name,
                    error = chain(&error),
                    "a provider cannot be started again after a failed change"
                );
                // Those that were closed must not be reused.
                binding.providers = remaining;
                None
            }
        }
    }
}

impl Binding {
    /// Takes the staged app if it is the one to start. Any other is dropped: the start would close
    /// its providers.
    fn unstage(&mut self, start: &Start) -> Option<Arc<dyn RunningApp>> {
        let (app, running) = self.staged.take()?;
        if app != start.deployed.app {
            return None;
        }
        self.bound = Some(Bound::of(start));
        Some(running)
    }

    /// Closes all providers.
    pub(super) async fn close(&mut self) {
        self.bound = None;
        let providers = std::mem::take(&mut self.providers);
        ProviderStarter::close_removed(&providers, &Providers::new()).await;
    }
}

impl Bound {
    fn of(start: &Start) -> Self {
        Self {
            number: start.number,
            app: start.deployed.app.clone(),
            share: start.share.clone(),
        }
    }
}

/// Waits until the requests of a removed app are done, for [`FINISH_DEADLINE`] at most.
async fn finish_requests(app: &HostedApp) {
    let idle = async {
        while app.running().is_some_and(|running| running.in_flight() > 0) {
            tokio::time::sleep(FINISH_POLL).await;
        }
    };
    if tokio::time::timeout(FINISH_DEADLINE, idle).await.is_err() {
        let app = app.deployed.app.metadata.name.as_str();
        tracing::warn!(
            app,
            "requests were still running when the providers of a removed app were closed"
        );
    }
}
