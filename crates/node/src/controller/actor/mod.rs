//! The task behind a [`Controller`](super::Controller): its state, and the effect of each command.
//!
//! The task waits for nothing slow: work that takes time is done in tasks of its own, by a
//! [`Binder`], and the results are received as [`Done`].

pub(super) mod reconcile;
mod work;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, timeout_at};
use tokio_util::sync::CancellationToken;
use weft_lattice_config::mistake_paths::route_path;
use weft_lattice_config::route_owners::RouteOwners;
use weft_lattice_config::{App, AppName, RouteSpec, diff};
use weft_link::{CallServer, Hosts, LocalComponents};
use weft_provider::stores::StoreMemory;
use weft_state::store::Deployed;
use weft_telemetry::events::{Events, Kind};

use self::work::{AppWork, Done, Job, WaitCondition, Waiter};
use super::binding::{Binder, Failed, Restored};
use super::providers::{CheckDepth, ProviderStarter};
use super::{
    AppState, Command, DeployError, EXPIRY_PERIOD, FailedRevision, HostedApp, Parts, Reason,
    Snapshot, lost_routes,
};
use crate::host_tasks::HostTasks;
use crate::route_publisher::RoutePublisher;

/// The longest wait of a stopping host for changes of providers that have begun.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

pub(super) struct Actor {
    binder: Binder,
    server: Arc<dyn CallServer>,
    hosts: Option<Arc<dyn Hosts>>,
    tasks: HostTasks,
    apps: BTreeMap<String, Arc<HostedApp>>,
    failed: BTreeMap<String, Arc<FailedRevision>>,
    /// By app.
    work: BTreeMap<String, AppWork>,
    jobs: FuturesUnordered<Job>,
    /// The number of the last start or removal.
    last_number: u64,
    waiters: Vec<Waiter>,
    /// Ends the waits of tasks when the host stops.
    stop: CancellationToken,
    route_owners: Arc<RouteOwners>,
    publish: watch::Sender<Arc<Snapshot>>,
    routes: RoutePublisher,
    events: Events,
}

impl Actor {
    pub(super) fn new(
        parts: Parts,
        tasks: HostTasks,
        publish: watch::Sender<Arc<Snapshot>>,
        routes: RoutePublisher,
        stores: Arc<dyn StoreMemory>,
    ) -> Self {
        let provider_starter = ProviderStarter {
            registry: parts.registry,
            directory: parts.providers_directory,
            stores,
        };
        Self {
            binder: Binder {
                runtime: parts.runtime,
                provider_starter: Arc::new(provider_starter),
            },
            server: parts.server,
            hosts: parts.hosts,
            tasks,
            apps: BTreeMap::new(),
            failed: BTreeMap::new(),
            work: BTreeMap::new(),
            jobs: FuturesUnordered::new(),
            last_number: 0,
            waiters: Vec::new(),
            stop: CancellationToken::new(),
            route_owners: Arc::default(),
            publish,
            routes,
            events: parts.events,
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut expiry = tokio::time::interval(EXPIRY_PERIOD);
        expiry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = expiry.tick() => self.drop_expired(),
                // Before results: one that is not desired any more must not replace what serves.
                command = commands.recv() => match command {
                    Some(Command::Stop { reply }) => {
                        self.stop().await;
                        let _ = reply.send(());
                        return;
                    }
                    Some(command) => self.handle(command),
                    None => return self.stop().await,
                },
                Some(done) = self.jobs.next() => self.on_done(done),
            }
            self.reply_to_waiters();
        }
    }

    fn handle(&mut self, command: Command) {
        // A dropped reply receiver does not undo the change.
        match command {
            Command::Check { app, reply } => self.begin_check(app, reply),
            Command::Plan { app, reply } => self.begin_plan(app, reply),
            Command::SetRouteOwners { owners, reply } => {
                self.set_route_owners(owners);
                let _ = reply.send(());
            }
            Command::Reconcile { desired, reply } => {
                desired.iter().for_each(|desired| self.reconcile(desired));
                let _ = reply.send(());
            }
            Command::Discard { app, reply } => self.begin_discard(&app, reply),
            Command::KeepComponents { reply } => {
                self.keep_components();
                let _ = reply.send(());
            }
            Command::WaitForStarts { reply } => self.waiters.push(Waiter {
                condition: WaitCondition::NoStart,
                reply,
            }),
            Command::WaitForRemoval {
                app,
                revision,
                reply,
            } => self.waiters.push(Waiter {
                condition: WaitCondition::Removed {
                    app: app.to_string(),
                    revision,
                },
                reply,
            }),
            Command::Stop { reply } => drop(reply.send(())),
        }
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Started { start, end } => self.on_started(*start, end),
            Done::Checked {
                app,
                outcome,
                reply,
            } => {
                let outcome = self.on_checked(&app, outcome);
                let _ = reply.send(outcome);
            }
            Done::Planned {
                app,
                outcome,
                reply,
            } => {
                let changes = outcome.map(|()| self.changes(&app));
                let _ = reply.send(changes.map_err(|failed| failed.error));
            }
            Done::Discarded {
                app,
                restored,
                reply,
            } => {
                self.replace_restored(&app, restored);
                let _ = reply.send(());
            }
            Done::Drained { app } => {
                let work = self.work_of(&app);
                work.drains = work.drains.saturating_sub(1);
            }
        }
        let apps = &self.apps;
        self.work
            .retain(|app, work| apps.contains_key(app) || !work.is_idle());
    }

    /// Spawns a task, and receives what `done` makes of its result. A task that panicked has none.
    fn spawn<R: Send + 'static>(
        &self,
        task: impl Future<Output = R> + Send + 'static,
        done: impl FnOnce(Option<R>) -> Done + Send + 'static,
    ) {
        let task = self.tasks.spawn(task);
        let job = async move { done(task.await.ok()) };
        self.jobs.push(Box::pin(job));
    }

    fn work_of(&mut self, app: &str) -> &mut AppWork {
        self.work.entry(app.to_owned()).or_default()
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    // === checks ===

    /// Checks an app. Its routes are taken from now on: two checks at once must not both get them.
    fn begin_check(
        &mut self,
        app: Box<App>,
        reply: oneshot::Sender<Result<Vec<String>, DeployError>>,
    ) {
        let taken = self.taken_routes(&app);
        let work = self.work_of(app.metadata.name.as_str());
        work.checked = taken.is_empty().then(|| App::clone(&app));
        let binding = work.binding.clone();
        let (binder, is_alone) = (self.binder.clone(), self.hosts.is_none());
        let checking = {
            let app = app.clone();
            async move {
                match is_alone && taken.is_empty() {
                    true => binder.stage(&app, &binding).await,
                    false => {
                        let depth = CheckDepth::Resources;
                        binder.check(&app, &binding, taken, depth).await
                    }
                }
            }
        };
        self.spawn(checking, |outcome| Done::Checked {
            app,
            outcome: outcome.unwrap_or_else(|| Err(DeployError::Internal.into())),
            reply,
        });
    }

    /// The changes of a deploy, if the app can run.
    fn on_checked(
        &mut self,
        app: &App,
        outcome: Result<(), Failed>,
    ) -> Result<Vec<String>, DeployError> {
        let name = app.metadata.name.as_str();
        match outcome {
            Ok(()) => Ok(self.changes(app)),
            Err(Failed { error, restored }) => {
                self.work_of(name).checked = None;
                self.replace_restored(name, restored);
                Err(error)
            }
        }
    }

    fn begin_discard(&mut self, app: &AppName, reply: oneshot::Sender<()>) {
        let app = app.to_string();
        let work = self.work_of(&app);
        work.checked = None;
        let binding = work.binding.clone();
        let binder = self.binder.clone();
        let discarding = async move { binder.discard(&binding).await };
        self.spawn(discarding, |restored| Done::Discarded {
            app,
            restored: restored.flatten(),
            reply,
        });
    }

    /// Replaces a revision that is bound to closed providers by the same one, bound again.
    fn replace_restored(&mut self, name: &str, restored: Option<Box<Restored>>) {
        let Some(restored) = restored else { return };
        let Some(current) = self.apps.get(name) else {
            return;
        };
        if current.deployed.app != restored.app || current.share != restored.share {
            return;
        }
        let app = HostedApp {
            deployed: current.deployed.clone(),
            share: restored.share,
            state: AppState::Ready(restored.running),
        };
        self.apps.insert(name.to_owned(), Arc::new(app));
        self.publish();
    }

    /// Checks an app without taking its routes.
    fn begin_plan(
        &mut self,
        app: Box<App>,
        reply: oneshot::Sender<Result<Vec<String>, DeployError>>,
    ) {
        let taken = self.taken_routes(&app);
        let binding = self.work_of(app.metadata.name.as_str()).binding.clone();
        let binder = self.binder.clone();
        let checking = {
            let app = app.clone();
            let depth = CheckDepth::Config;
            async move { binder.check(&app, &binding, taken, depth).await }
        };
        self.spawn(checking, |outcome| Done::Planned {
            app,
            outcome: outcome.unwrap_or_else(|| Err(DeployError::Internal.into())),
            reply,
        });
    }

    fn changes(&self, app: &App) -> Vec<String> {
        let name = app.metadata.name.as_str();
        match self.apps.get(name) {
            Some(old) => {
                let changes = diff(&old.deployed.app, app);
                changes.iter().map(ToString::to_string).collect()
            }
            None => vec![format!("new app `{name}`")],
        }
    }

    /// The routes of an app that belong to another app, or to one that was checked and is about to
    /// be deployed. Conflicts between other apps are no matter of this one.
    fn taken_routes(&self, app: &App) -> Vec<Reason> {
        let name = &app.metadata.name;
        let routes = app.spec.routes.iter().enumerate();
        let taken = routes.filter_map(|(index, route)| {
            let owner = self.owner_of(name, route)?;
            let error = DeployError::RouteTaken {
                route: route.pattern(),
                owner,
                claimant: format!("{name}/{}", route.to),
            };
            let path = route_path(index);
            Some(Reason { path, error })
        });
        taken.collect()
    }

    /// The other app and its component that have the route of an app.
    fn owner_of(&self, name: &AppName, route: &RouteSpec) -> Option<String> {
        let routes = std::slice::from_ref(route);
        if let Some((_, owner)) = self.route_owners.lost(name, routes).next() {
            return Some(format!("{}/{}", owner.app, owner.component));
        }
        let checked = self.work.values().filter_map(|work| work.checked.as_ref());
        let others = checked.filter(|other| other.metadata.name != *name);
        let mut claims = others.flat_map(|other| {
            let routes = other.spec.routes.iter();
            routes.map(move |claim| (&other.metadata.name, claim))
        });
        let is_same = |claim: &RouteSpec| (&claim.host, &claim.path) == (&route.host, &route.path);
        let (app, claim) = claims.find(|(_, claim)| is_same(claim))?;
        Some(format!("{app}/{}", claim.to))
    }

    // === the running apps ===

    fn report_deployed(&self, app: &str, revision: u64) {
        let message = format!("`{app}` is deployed at revision {revision}");
        self.events.of_app(Kind::AppDeployed, app, message);
    }

    fn report_removed(&self, app: &str, revision: u64) {
        let message = format!("`{app}` was removed at revision {revision}");
        self.events.of_app(Kind::AppRemoved, app, message);
    }

    fn report_failed(&self, app: &str, reason: &str) {
        let message = format!("`{app}` does not start: {reason}");
        self.events.of_app(Kind::AppFailed, app, message);
    }

    fn insert_app(&mut self, deployed: Deployed, share: LocalComponents, state: AppState) {
        let name = deployed.app.metadata.name.to_string();
        self.failed.remove(&name);
        let app = HostedApp {
            deployed,
            share,
            state,
        };
        self.apps.insert(name, Arc::new(app));
    }

    /// Reports that an app lacks routes, which other apps own.
    fn report_lost_routes(&self, app: &str) {
        let hosted = self.apps.get(app);
        let lost = hosted.and_then(|app| lost_routes(&self.route_owners, &app.deployed.app));
        if let Some(reason) = lost {
            tracing::error!(app, reason, "an app lacks routes");
            let message = format!("`{app}` lacks routes: {reason}");
            self.events.of_app(Kind::AppFailed, app, message);
        }
    }

    fn set_route_owners(&mut self, owners: Arc<RouteOwners>) {
        let former = std::mem::replace(&mut self.route_owners, owners);
        for (name, hosted) in &self.apps {
            let app = &hosted.deployed.app;
            if lost_routes(&self.route_owners, app) != lost_routes(&former, app) {
                self.report_lost_routes(name);
            }
        }
        self.publish();
    }

    fn publish(&self) {
        let snapshot = Arc::new(Snapshot {
            apps: self.apps.clone(),
            failed: self.failed.clone(),
            route_owners: self.route_owners.clone(),
        });
        // First, so that a change that is seen in the snapshot has its routes.
        self.routes.set_running(snapshot.clone());
        self.publish.send_replace(snapshot);
    }

    fn drop_expired(&self) {
        let running = self.apps.values().filter_map(|app| app.running());
        running.for_each(|running| running.drop_expired());
        self.server.drop_expired();
    }

    fn reply_to_waiters(&mut self) {
        if self.waiters.is_empty() {
            return;
        }
        let is_starting = self.work.values().any(|work| work.start.is_some());
        let (apps, work) = (&self.apps, &self.work);
        let is_over = |waiter: &mut Waiter| match &waiter.condition {
            WaitCondition::NoStart => !is_starting,
            WaitCondition::Removed { app, revision } => match work.get(app) {
                Some(work) => work.has_removed(*revision),
                None => !apps.contains_key(app),
            },
        };
        for waiter in self.waiters.extract_if(.., is_over) {
            let _ = waiter.reply.send(());
        }
        self.waiters.retain(|waiter| !waiter.reply.is_closed());
    }

    /// Drops preparations, and closes the providers. Changes of providers that have begun end
    /// first, within a bound.
    async fn stop(&mut self) {
        self.stop.cancel();
        let work = std::mem::take(&mut self.work);
        let starts = work.values().filter_map(|work| work.start.as_ref());
        starts.for_each(|pending| pending.superseded.cancel());
        let deadline = Instant::now() + STOP_DEADLINE;
        for (app, work) in work {
            match timeout_at(deadline, work.binding.lock()).await {
                Ok(mut binding) => binding.close().await,
                Err(_) => tracing::warn!(app, "a provider did not start or close in time"),
            }
        }
    }
}
