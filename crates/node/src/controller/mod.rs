//! The controller: one task that owns the running apps.
//!
//! It takes commands one at a time (`Command`), makes the running apps match the desired state
//! through its [`Runtime`], and publishes a [`Snapshot`] for all readers. A failed change leaves
//! the running apps unchanged.
//!
//! Compiling, providers and the requests of removed apps take time, so the task leaves them to
//! others (`binding`) and only replaces what serves: an app waits for no other app. What is
//! prepared for an app is dropped if something else is desired meanwhile.

mod actor;
mod binding;
mod error;
mod providers;
mod rejection;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::Instant;
use weft_ingress::{Handler, RouteTable};
use weft_lattice_config::route_owners::RouteOwners;
use weft_lattice_config::{App, AppName};
use weft_link::{CallServer, Hosts, LocalComponents};
use weft_provider::Registry;
use weft_provider::stores::ProcessMemory;
use weft_state::store::{Deployed, Record};
use weft_telemetry::events::Events;

pub use self::error::DeployError;
pub(crate) use self::rejection::Reason;
pub use self::rejection::Rejection;

use self::binding::{Binder, Binding};
use self::providers::{CheckDepth, ProviderStarter};

use crate::host_tasks::HostTasks;
use crate::route_publisher::RoutePublisher;
use crate::runtime::{RunningApp, Runtime};
use crate::store_marks::StoreMarks;

/// The most commands in the queue. None takes long.
const COMMANDS_QUEUED_MAX: usize = 16;

/// The time between two looks for idle instances.
const EXPIRY_PERIOD: Duration = Duration::from_secs(1);

/// The apps of this host. Replaced at each change.
#[derive(Default)]
pub struct Snapshot {
    /// By name.
    pub apps: BTreeMap<String, Arc<HostedApp>>,
    /// The desired revisions that do not start, by app. The revisions before them still serve.
    pub(crate) failed: BTreeMap<String, Arc<FailedRevision>>,
    /// The owner of each route of the lattice.
    pub(crate) route_owners: Arc<RouteOwners>,
}

/// A desired revision that does not start on this host.
pub(crate) struct FailedRevision {
    pub(crate) deployed: Deployed,
    /// The share that should run here.
    pub(crate) share: LocalComponents,
    /// The reason for the failure.
    pub(crate) reason: String,
    /// Number of failures in a row.
    attempts: u32,
    /// The time of the next attempt: the cause may have ended by then.
    retry_at: Instant,
}

/// An app of the desired state on this host.
pub struct HostedApp {
    /// The record of the revision.
    pub deployed: Deployed,
    /// The share that runs here.
    pub share: LocalComponents,
    pub(crate) state: AppState,
}

pub(crate) enum AppState {
    /// The app serves.
    Ready(Arc<dyn RunningApp>),
    /// The first revision does not start, for the given reason.
    Failed(String),
}

/// The result of a change.
#[derive(Debug)]
pub struct Deployment {
    /// The record of the desired state.
    pub deployed: Deployed,
    /// The differences to the revision before; empty if nothing changed.
    pub changes: Vec<String>,
}

/// The parts of a controller.
pub struct Parts {
    /// Runs components.
    pub runtime: Arc<dyn Runtime>,
    /// Serves calls of other hosts.
    pub server: Arc<dyn CallServer>,
    /// Carries requests to other hosts; `None` for a host alone.
    pub hosts: Option<Arc<dyn Hosts>>,
    /// The types of providers.
    pub registry: Registry,
    /// The parent directory of the providers' data.
    pub providers_directory: PathBuf,
    /// Receives the events of apps.
    pub events: Events,
}

/// A handle to the controller. Cheap to clone.
#[derive(Clone)]
pub struct Controller {
    commands: mpsc::Sender<Command>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    routes: RoutePublisher,
    store_marks: StoreMarks,
}

enum Command {
    Check {
        app: Box<App>,
        reply: oneshot::Sender<Result<Vec<String>, DeployError>>,
    },
    Plan {
        app: Box<App>,
        reply: oneshot::Sender<Result<Vec<String>, DeployError>>,
    },
    Discard {
        app: AppName,
        reply: oneshot::Sender<()>,
    },
    /// Replaces the owners of routes.
    SetRouteOwners {
        owners: Arc<RouteOwners>,
        reply: oneshot::Sender<()>,
    },
    /// Reconciles apps of the desired state.
    Reconcile {
        desired: Vec<DesiredApp>,
        reply: oneshot::Sender<()>,
    },
    KeepComponents {
        reply: oneshot::Sender<()>,
    },
    WaitForStarts {
        reply: oneshot::Sender<()>,
    },
    WaitForRemoval {
        app: AppName,
        revision: u64,
        reply: oneshot::Sender<()>,
    },
    Stop {
        reply: oneshot::Sender<()>,
    },
}

/// A desired app, and this host's share of it.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredApp {
    /// The app's name.
    pub app: AppName,
    /// Its deployment or removal.
    pub record: Arc<Record>,
    /// The share to run here.
    pub share: LocalComponents,
}

impl Controller {
    /// Starts the task, without apps.
    pub fn start(parts: Parts, tasks: &HostTasks) -> Self {
        let (commands, received) = mpsc::channel(COMMANDS_QUEUED_MAX);
        let (publish, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let routes = RoutePublisher::new(parts.server.clone(), parts.hosts.clone());
        let store_marks = StoreMarks::new(parts.events.clone());
        let stores = Arc::new(store_marks.clone());
        let actor = actor::Actor::new(parts, tasks.clone(), publish, routes.clone(), stores);
        tasks.spawn(actor.run(received));
        Self {
            commands,
            snapshot,
            routes,
            store_marks,
        }
    }

    /// The memory of the stores of providers.
    pub(crate) fn store_marks(&self) -> &StoreMarks {
        &self.store_marks
    }

    /// The current apps.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// The apps, now and later.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// The routes, now and later.
    pub fn routes(&self) -> watch::Receiver<Arc<RouteTable>> {
        self.routes.watch()
    }

    /// The publisher of the routes, for the desired apps that do not run here.
    pub(crate) fn route_publisher(&self) -> &RoutePublisher {
        &self.routes
    }

    /// Begins to reconcile the given apps, all at once. Apps that are not given stay as they are.
    /// What serves goes on until its successor is ready. A revision that does not start takes
    /// nothing from the one that serves, and is tried again by the first call after a pause.
    ///
    /// # Errors
    /// If the host is stopping. The snapshot has the apps that do not start.
    pub(crate) async fn reconcile(&self, desired: Vec<DesiredApp>) -> Result<(), DeployError> {
        self.send(|reply| Command::Reconcile { desired, reply })
            .await
    }

    /// Replaces the owners of the lattice's routes. An app serves the routes that it owns, and
    /// those that no desired app has.
    ///
    /// # Errors
    /// If the host is stopping.
    pub(crate) async fn set_route_owners(
        &self,
        owners: Arc<RouteOwners>,
    ) -> Result<(), DeployError> {
        self.send(|reply| Command::SetRouteOwners { owners, reply })
            .await
    }

    /// Drops each start that would stop a component: it was decided with a view that is not
    /// reliable any more. The next round begins it again, if it is still desired.
    ///
    /// # Errors
    /// If the host is stopping.
    pub(crate) async fn keep_components(&self) -> Result<(), DeployError> {
        self.send(|reply| Command::KeepComponents { reply }).await
    }

    /// Waits until no app is being started: each of the apps that were to be reconciled serves, or
    /// has failed.
    ///
    /// # Errors
    /// If the host is stopping.
    pub(crate) async fn wait_for_starts(&self) -> Result<(), DeployError> {
        self.send(|reply| Command::WaitForStarts { reply }).await
    }

    /// Waits until an app is removed at a revision, with its requests done and its providers
    /// closed; or is deployed again.
    ///
    /// # Errors
    /// If the host is stopping.
    pub(crate) async fn wait_for_removal(
        &self,
        app: AppName,
        revision: u64,
    ) -> Result<(), DeployError> {
        self.send(|reply| Command::WaitForRemoval {
            app,
            revision,
            reply,
        })
        .await
    }

    /// Checks that an app can run: types, links, routes, and the settings of providers. Returns the
    /// changes that a deploy would make. Then either [`reconcile`](Self::reconcile) has to follow
    /// with the same app, or [`discard`](Self::discard).
    ///
    /// A host alone goes further, because no other host would run the app: it compiles the
    /// components, starts the providers and binds the links.
    ///
    /// # Errors
    /// Any [`DeployError`]: all mistakes of the app.
    pub(crate) async fn check(&self, app: App) -> Result<Vec<String>, DeployError> {
        self.send(|reply| Command::Check {
            app: Box::new(app),
            reply,
        })
        .await?
    }

    /// Checks an app as a deploy in a lattice does, and returns the changes that a deploy would
    /// make. Reserves and starts nothing.
    ///
    /// # Errors
    /// Any [`DeployError`].
    pub(crate) async fn plan(&self, app: App) -> Result<Vec<String>, DeployError> {
        self.send(|reply| Command::Plan {
            app: Box::new(app),
            reply,
        })
        .await?
    }

    /// Undoes the effects of a check of an app that is not deployed after it.
    ///
    /// # Errors
    /// If the host is stopping.
    pub(crate) async fn discard(&self, app: AppName) -> Result<(), DeployError> {
        self.send(|reply| Command::Discard { app, reply }).await
    }

    /// Drops what is being prepared, closes the providers and ends the task.
    pub async fn stop(&self) {
        // The task may have ended already.
        let _ = self.send(|reply| Command::Stop { reply }).await;
    }

    async fn send<R>(
        &self,
        command: impl FnOnce(oneshot::Sender<R>) -> Command,
    ) -> Result<R, DeployError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| DeployError::Stopping)?;
        answer.await.map_err(|_| DeployError::Stopping)
    }
}

/// Checks an app as a host in a lattice checks the plan of a deploy, without a host. `directory` is
/// that of the providers; nothing is created in it.
///
/// # Errors
/// All mistakes of the app, or that the runtime failed.
pub async fn check_without_host(
    app: &App,
    runtime: Arc<dyn Runtime>,
    registry: Registry,
    directory: PathBuf,
) -> Result<(), DeployError> {
    let binder = Binder {
        runtime,
        provider_starter: Arc::new(ProviderStarter {
            registry,
            directory,
            // A check of the configuration alone makes no store.
            stores: Arc::<ProcessMemory>::default(),
        }),
    };
    let binding = Mutex::new(Binding::default());
    let checked = binder.check(app, &binding, Vec::new(), CheckDepth::Config);
    checked.await.map_err(|failed| failed.error)
}

impl Snapshot {
    /// The running app; `None` if this host does not serve it.
    #[must_use]
    pub fn running(&self, app: &str) -> Option<&Arc<dyn RunningApp>> {
        self.apps.get(app)?.running()
    }

    /// The handler of a component's requests; `None` if this host does not run the component.
    #[must_use]
    pub fn handler(&self, app: &str, component: &str) -> Option<Arc<dyn Handler>> {
        self.running(app)?.handler(component)
    }

    /// Number of requests and calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let running = self.apps.values().filter_map(|app| app.running());
        running.map(|running| running.in_flight()).sum()
    }
}

/// The reason why an app does not serve some of its routes; `None` if it serves all of them.
pub(crate) fn lost_routes(owners: &RouteOwners, app: &App) -> Option<String> {
    let lost = owners.lost(&app.metadata.name, &app.spec.routes);
    let lost = lost.map(|(route, owner)| {
        let (route, owner) = (route.pattern(), &owner.app);
        format!("route `{route}` belongs to app `{owner}`, which claimed it first")
    });
    let lost: Vec<_> = lost.collect();
    (!lost.is_empty()).then(|| {
        let lost = lost.join("; ");
        format!("{lost}; change the route, or undeploy the other app")
    })
}

impl HostedApp {
    /// The running app; `None` if it failed.
    pub fn running(&self) -> Option<&Arc<dyn RunningApp>> {
        match &self.state {
            AppState::Ready(running) => Some(running),
            AppState::Failed(_) => None,
        }
    }
}
