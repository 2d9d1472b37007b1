//! The controller: one task that owns what runs.
//!
//! It takes commands one at a time ([`Command`]), makes what runs agree with the desired state
//! ([`build`]), and publishes a [`Snapshot`] that everyone else reads. A failed change leaves what
//! runs, and what is stored, as it was.

mod actor;
mod build;
mod error;
mod providers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_lattice_config::{App, AppName};
use weft_provider::Registry;
use weft_state::store::{Deployed, Record, Store};

pub(crate) use self::error::DeployError;
use crate::entry::Entry;
use crate::events::Events;
use crate::ingress::RouteTable;
use crate::linking::{LinkReport, Preparer, Share};

/// Commands that wait; deploys are rare, and each waits for the one before.
const COMMANDS_WAITING_MAX: usize = 16;

/// How often idle instances are looked through.
const EXPIRY_PERIOD: Duration = Duration::from_secs(1);

/// What runs. Made anew at each change.
#[derive(Default)]
pub(crate) struct Snapshot {
    pub(crate) apps: BTreeMap<String, Arc<RunningApp>>,
    /// What is wanted and could not be started, by app. What served before still does.
    pub(crate) refused: BTreeMap<String, Arc<Refused>>,
    pub(crate) routes: RouteTable,
}

/// What is wanted of an app and does not start on this host.
pub(crate) struct Refused {
    pub(crate) deployed: Deployed,
    /// What of it was to run here.
    pub(crate) share: Share,
    /// Why it does not start.
    pub(crate) reason: String,
    /// How often in a row it was tried.
    attempts: u32,
    /// When it is tried again: what it lacks may be there then.
    again_at: Instant,
}

/// An app of the desired state, and what this host makes of it.
pub(crate) struct RunningApp {
    pub(crate) deployed: Deployed,
    /// What of it runs here.
    pub(crate) share: Share,
    pub(crate) state: AppState,
}

pub(crate) enum AppState {
    /// It serves.
    Ready(Running),
    /// It is wanted, and this host cannot run it, for the reason given. Nothing of it ran before.
    Failed(String),
}

/// What serves an app.
pub(crate) struct Running {
    /// One entry for each component.
    pub(crate) entries: BTreeMap<String, Entry>,
    /// How its links work.
    pub(crate) links: Vec<LinkReport>,
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) deployed: Deployed,
    /// Against what was there before; empty if nothing changed.
    pub(crate) changes: Vec<String>,
}

/// What a controller is given.
pub(crate) struct Parts {
    pub(crate) store: Arc<Store>,
    pub(crate) preparer: Preparer,
    pub(crate) registry: Registry,
    /// Providers keep their data below it.
    pub(crate) providers_directory: PathBuf,
    /// Whether there may be other hosts, which call what runs here.
    pub(crate) lattice: Lattice,
    pub(crate) events: Events,
}

/// How many hosts a lattice has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lattice {
    /// This one, whose store is the desired state.
    OfOne,
    /// Any number, so the store is a copy.
    OfMany,
}

/// Compiles what may be to run here later, so that it is in the compile cache then. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Builder {
    preparer: Preparer,
    registry: Registry,
}

/// The controller, as others see it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Controller {
    commands: mpsc::Sender<Command>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
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
    Follow {
        wanted: Vec<Wanted>,
        reply: oneshot::Sender<()>,
    },
    Stop {
        reply: oneshot::Sender<()>,
    },
}

/// What this host is to do about an app of the lattice's desired state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
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
    pub(crate) async fn start(parts: Parts, tasks: &TaskTracker) -> Result<Self, DeployError> {
        let (commands, received) = mpsc::channel(COMMANDS_WAITING_MAX);
        let (publish, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let actor = actor::Actor::restore(parts, publish).await?;
        tasks.spawn(actor.run(received));
        Ok(Self { commands, snapshot })
    }

    /// What runs now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// What runs, now and later.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// Makes `app` what is wanted, if it can run here. Dropping the future does not undo it.
    ///
    /// # Errors
    /// Any [`DeployError`]; what ran before still runs.
    pub(crate) async fn deploy(&self, app: App) -> Result<Deployment, DeployError> {
        self.ask(|reply| Command::Deploy {
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
    pub(crate) async fn follow(&self, wanted: Vec<Wanted>) -> Result<(), DeployError> {
        self.ask(|reply| Command::Follow { wanted, reply }).await
    }

    /// What deploying an app would change, if it could run here: its types, links, routes and code. Its
    /// providers are not started.
    ///
    /// # Errors
    /// Any [`DeployError`].
    pub(crate) async fn check(&self, app: App) -> Result<Vec<String>, DeployError> {
        self.ask(|reply| Command::Check {
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
        self.ask(|reply| Command::Plan {
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
        self.ask(|reply| Command::Undeploy { app, reply }).await?
    }

    /// Closes the providers and ends the task.
    pub(crate) async fn stop(&self) {
        // It may have ended already.
        let _ = self.ask(|reply| Command::Stop { reply }).await;
    }

    async fn ask<R>(
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

impl Builder {
    /// One that makes what a controller with these parts makes.
    pub(crate) fn of(parts: &Parts) -> Self {
        Self {
            preparer: parts.preparer.clone(),
            registry: parts.registry.clone(),
        }
    }

    /// Compiles an app as it is with this share of it here.
    ///
    /// # Errors
    /// As [`Controller::check`].
    pub(crate) async fn compile(&self, app: &App, share: &Share) -> Result<(), DeployError> {
        let built = build::build(app, share, &self.registry, &self.preparer).await;
        built.map(drop)
    }
}

impl Snapshot {
    /// The entry of an app's component, if it serves.
    pub(crate) fn entry(&self, app: &str, component: &str) -> Option<Entry> {
        match &self.apps.get(app)?.state {
            AppState::Ready(running) => running.entries.get(component).cloned(),
            AppState::Failed(_) => None,
        }
    }
}

impl Snapshot {
    /// How many requests and calls run.
    pub(crate) fn in_flight(&self) -> u64 {
        let entries = self.apps.values().flat_map(|app| app.entries());
        entries.map(|entry| entry.counts().in_flight).sum()
    }
}

impl RunningApp {
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        match &self.state {
            AppState::Ready(running) => Some(running.entries.values()),
            AppState::Failed(_) => None,
        }
        .into_iter()
        .flatten()
    }
}
