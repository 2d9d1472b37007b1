//! The controller: one task that owns what runs.
//!
//! It takes commands one at a time ([`Command`]), makes what runs agree with the desired state
//! by its [`Runtime`], and publishes a [`Snapshot`] that everyone else reads. A failed change leaves what
//! runs, and what is stored, as it was.

mod actor;
mod error;
mod providers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_ingress::{Handler, RouteTable};
use weft_lattice_config::{App, AppName};
use weft_link::{CallServer, Hosts, Share};
use weft_provider::Registry;
use weft_state::store::{Deployed, Record, Store};
use weft_telemetry::events::Events;

pub use self::error::DeployError;

use crate::runtime::{RunningApp, Runtime};

/// Commands that wait; deploys are rare, and each waits for the one before.
const COMMANDS_QUEUED_MAX: usize = 16;

/// How often idle instances are looked through.
const EXPIRY_PERIOD: Duration = Duration::from_secs(1);

/// What runs. Made anew at each change.
#[derive(Default)]
pub struct Snapshot {
    pub(crate) apps: BTreeMap<String, Arc<HostedApp>>,
    /// What is wanted and could not be started, by app. What served before still does.
    pub(crate) failed: BTreeMap<String, Arc<FailedRevision>>,
}

/// What is wanted of an app and does not start on this host.
pub(crate) struct FailedRevision {
    pub(crate) deployed: Deployed,
    /// What of it was to run here.
    pub(crate) share: Share,
    /// Why it does not start.
    pub(crate) reason: String,
    /// How often in a row it was tried.
    attempts: u32,
    /// When it is tried again: what it lacks may be there then.
    retry_at: Instant,
}

/// An app of the desired state, and what this host makes of it.
pub(crate) struct HostedApp {
    pub(crate) deployed: Deployed,
    /// What of it runs here.
    pub(crate) share: Share,
    pub(crate) state: AppState,
}

pub(crate) enum AppState {
    /// It serves.
    Ready(Arc<dyn RunningApp>),
    /// It is wanted, and this host cannot run it, for the reason given. Nothing of it ran before.
    Failed(String),
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) deployed: Deployed,
    /// Against what was there before; empty if nothing changed.
    pub(crate) changes: Vec<String>,
}

/// What a controller is given.
pub struct Parts {
    pub store: Arc<Store>,
    pub runtime: Arc<dyn Runtime>,
    /// Answers calls of other hosts.
    pub server: Arc<dyn CallServer>,
    /// Carries requests to other hosts; `None` without any.
    pub hosts: Option<Arc<dyn Hosts>>,
    pub registry: Registry,
    /// Providers keep their data below it.
    pub providers_directory: PathBuf,
    /// Whether there may be other hosts, which call what runs here.
    pub lattice: Lattice,
    pub events: Events,
}

/// How many hosts a lattice has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lattice {
    /// This one, whose store is the desired state.
    Standalone,
    /// Any number, so the store is a copy.
    Clustered,
}

/// The controller, as others see it. Cheap to clone.
#[derive(Clone)]
pub struct Controller {
    commands: mpsc::Sender<Command>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    routes: watch::Receiver<Arc<RouteTable>>,
}

enum Command {
    Deploy {
        app: Box<App>,
        reply: oneshot::Sender<Result<Deployment, DeployError>>,
    },
    Check {
        app: Box<App>,
        reply: oneshot::Sender<Result<Vec<String>, DeployError>>,
    },
    Plan {
        app: Box<App>,
        reply: oneshot::Sender<Result<Vec<String>, DeployError>>,
    },
    Undeploy {
        app: AppName,
        reply: oneshot::Sender<Result<u64, DeployError>>,
    },
    /// Follow the desired state of a lattice of many.
    Reconcile {
        desired: Vec<DesiredApp>,
        reply: oneshot::Sender<()>,
    },
    Stop {
        reply: oneshot::Sender<()>,
    },
}

/// What this host is to do about an app of the lattice's desired state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DesiredApp {
    pub(crate) app: AppName,
    pub(crate) record: Record,
    /// What of it is to run here.
    pub(crate) share: Share,
}

impl Controller {
    /// Starts what the store says is wanted, then takes commands. An app that does not start is
    /// reported and stays wanted.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn start(parts: Parts, tasks: &TaskTracker) -> Result<Self, DeployError> {
        let (commands, received) = mpsc::channel(COMMANDS_QUEUED_MAX);
        let (publish, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let (publish_routes, routes) = watch::channel(Arc::default());
        let actor = actor::Actor::restore(parts, publish, publish_routes).await?;
        tasks.spawn(actor.run(received));
        Ok(Self {
            commands,
            snapshot,
            routes,
        })
    }

    /// What runs now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// What runs, now and later.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// The routes, now and later.
    pub fn routes(&self) -> watch::Receiver<Arc<RouteTable>> {
        self.routes.clone()
    }

    /// Makes `app` what is wanted, if it can run here. Dropping the future does not undo it.
    ///
    /// # Errors
    /// Any [`DeployError`]; what ran before still runs.
    pub(crate) async fn deploy(&self, app: App) -> Result<Deployment, DeployError> {
        self.send(|reply| Command::Deploy {
            app: Box::new(app),
            reply,
        })
        .await?
    }

    /// Makes this host's part of a lattice's desired state what runs here, app by app. What it does not
    /// name stays as it is: nothing is removed because of silence. A revision that does not start takes
    /// nothing from the one that serves, and is tried again the next time, if that is not too soon.
    ///
    /// # Errors
    /// If the host is stopping. An app that does not start says so in the snapshot.
    pub(crate) async fn reconcile(&self, desired: Vec<DesiredApp>) -> Result<(), DeployError> {
        self.send(|reply| Command::Reconcile { desired, reply })
            .await
    }

    /// What deploying an app would change, if it could run here: its types, links, routes and code. Its
    /// providers are not started.
    ///
    /// # Errors
    /// Any [`DeployError`].
    pub(crate) async fn check(&self, app: App) -> Result<Vec<String>, DeployError> {
        self.send(|reply| Command::Check {
            app: Box::new(app),
            reply,
        })
        .await?
    }

    /// What deploying an app would change, as far as its manifest says it: its components need not be here.
    ///
    /// # Errors
    /// If another app has one of its routes, or the host is stopping.
    pub(crate) async fn plan(&self, app: App) -> Result<Vec<String>, DeployError> {
        self.send(|reply| Command::Plan {
            app: Box::new(app),
            reply,
        })
        .await?
    }

    /// Removes an app; requests that run are finished. Returns the revision of the removal.
    ///
    /// # Errors
    /// If it is not deployed, or the store cannot be written.
    pub(crate) async fn undeploy(&self, app: AppName) -> Result<u64, DeployError> {
        self.send(|reply| Command::Undeploy { app, reply }).await?
    }

    /// Closes the providers and ends the task.
    pub async fn stop(&self) {
        // It may have ended already.
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

impl Snapshot {
    /// What serves an app; `None` if this host does not serve it.
    #[must_use]
    pub fn running(&self, app: &str) -> Option<&Arc<dyn RunningApp>> {
        self.apps.get(app)?.running()
    }

    /// The handler of a component's requests; `None` if this host does not run the component.
    #[must_use]
    pub fn handler(&self, app: &str, component: &str) -> Option<Arc<dyn Handler>> {
        self.running(app)?.handler(component)
    }

    /// Number of requests and calls that run.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let running = self.apps.values().filter_map(|app| app.running());
        running.map(|running| running.in_flight()).sum()
    }
}

impl HostedApp {
    /// What serves the app; `None` if it failed.
    pub(crate) fn running(&self) -> Option<&Arc<dyn RunningApp>> {
        match &self.state {
            AppState::Ready(running) => Some(running),
            AppState::Failed(_) => None,
        }
    }
}
