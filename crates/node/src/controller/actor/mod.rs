//! The task behind a [`Controller`](super::Controller): its state, and the effect of each command.

pub(super) mod reconcile;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use weft_lattice_config::route_owners::RouteOwners;
use weft_lattice_config::{App, diff};
use weft_link::{CallServer, Hosts, LocalComponents};
use weft_state::store::Deployed;
use weft_telemetry::events::{Events, Kind};

use super::providers::{ProviderStarter, Providers, bound};
use super::{
    AppState, Command, DeployError, EXPIRY_PERIOD, FailedRevision, HostedApp, Parts, Snapshot,
    lost_routes,
};
use crate::route_publisher::RoutePublisher;
use crate::runtime::{PreparedApp, RunningApp, Runtime};

/// The longest wait for the requests of a removed app. Longer would hold up every other change.
pub(super) const FINISH_DEADLINE: Duration = Duration::from_secs(5);

/// The pause between two looks at the requests in flight.
const FINISH_POLL: Duration = Duration::from_millis(10);

pub(super) struct Actor {
    runtime: Arc<dyn Runtime>,
    server: Arc<dyn CallServer>,
    hosts: Option<Arc<dyn Hosts>>,
    provider_starter: ProviderStarter,
    apps: BTreeMap<String, Arc<HostedApp>>,
    failed: BTreeMap<String, Arc<FailedRevision>>,
    /// The checked app that is deployed or discarded next, with its providers in `providers`.
    staged: Option<(App, Arc<dyn RunningApp>)>,
    /// By app.
    providers: BTreeMap<String, Providers>,
    route_owners: Arc<RouteOwners>,
    publish: watch::Sender<Arc<Snapshot>>,
    routes: RoutePublisher,
    events: Events,
}

impl Actor {
    pub(super) fn new(
        parts: Parts,
        publish: watch::Sender<Arc<Snapshot>>,
        routes: RoutePublisher,
    ) -> Self {
        let provider_starter = ProviderStarter {
            registry: parts.registry,
            directory: parts.providers_directory,
        };
        Self {
            runtime: parts.runtime,
            server: parts.server,
            hosts: parts.hosts,
            provider_starter,
            apps: BTreeMap::new(),
            failed: BTreeMap::new(),
            staged: None,
            providers: BTreeMap::new(),
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
                command = commands.recv() => match command {
                    Some(Command::Stop { reply }) => {
                        self.stop().await;
                        let _ = reply.send(());
                        return;
                    }
                    Some(command) => self.handle(command).await,
                    None => return self.stop().await,
                },
            }
        }
    }

    async fn handle(&mut self, command: Command) {
        // A dropped reply receiver does not undo the change.
        match command {
            Command::Check { app, reply } => drop(reply.send(self.check(&app).await)),
            Command::Plan { app, reply } => drop(reply.send(self.plan(&app))),
            Command::SetRouteOwners { owners, reply } => {
                self.set_route_owners(owners);
                let _ = reply.send(());
            }
            Command::Reconcile { desired, reply } => {
                for desired in desired {
                    self.reconcile(desired).await;
                }
                let _ = reply.send(());
            }
            Command::Discard { app, reply } => {
                self.discard(app.as_str()).await;
                let _ = reply.send(());
            }
            Command::Stop { reply } => drop(reply.send(())),
        }
    }

    /// The changes of a deploy, if the app can run.
    async fn check(&mut self, app: &App) -> Result<Vec<String>, DeployError> {
        self.check_routes(app)?;
        let share = match self.hosts {
            None => LocalComponents::Whole,
            Some(_) => LocalComponents::Part((0..app.spec.components.len()).collect()),
        };
        // The compiled code stays in the cache for the deploy.
        let prepared = self.prepare(app, &share).await?;
        self.check_providers(app).await?;
        if share == LocalComponents::Whole {
            let running = self.bind(app, prepared).await?;
            self.staged = Some((app.clone(), running));
        }
        Ok(self.changes(app))
    }

    /// The changes of a deploy, if its routes are free.
    fn plan(&self, app: &App) -> Result<Vec<String>, DeployError> {
        self.check_routes(app)?;
        Ok(self.changes(app))
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

    /// Removes an app and closes its providers, once its requests are done.
    async fn remove_app(&mut self, app: &str) {
        let removed = self.apps.remove(app);
        self.failed.remove(app);
        self.publish();
        if let Some(removed) = removed {
            finish_requests(&removed).await;
        }
        if let Some(providers) = self.providers.remove(app) {
            ProviderStarter::close_removed(&providers, &Providers::new()).await;
        }
    }

    async fn prepare(
        &self,
        app: &App,
        share: &LocalComponents,
    ) -> Result<Box<dyn PreparedApp>, DeployError> {
        Ok(self.runtime.prepare(app, share).await?)
    }

    async fn bind(
        &mut self,
        app: &App,
        prepared: Box<dyn PreparedApp>,
    ) -> Result<Arc<dyn RunningApp>, DeployError> {
        let name = app.metadata.name.to_string();
        let old = self.providers.get(&name).cloned().unwrap_or_default();
        let mut remaining = old.clone();
        let bound = match self.provider_starter.start(app, &mut remaining).await {
            Ok(new) => match prepared.bind(&bound(&new)) {
                Ok(running) => Ok((new, running)),
                Err(error) => {
                    ProviderStarter::close_removed(&new, &remaining).await;
                    Err(error.into())
                }
            },
            Err(error) => Err(error),
        };
        match bound {
            Ok((new, running)) => {
                ProviderStarter::close_removed(&remaining, &new).await;
                self.providers.insert(name, new);
                Ok(running)
            }
            Err(error) => {
                let is_unchanged = remaining.len() == old.len();
                self.providers.insert(name.clone(), remaining);
                if !is_unchanged {
                    self.restore_providers(&name).await;
                }
                Err(error)
            }
        }
    }

    /// Closes the providers of the staged app, and restores those of the current revision.
    async fn discard(&mut self, name: &str) {
        if self.staged.take().is_none() {
            return;
        }
        if self.apps.contains_key(name) {
            self.restore_providers(name).await;
        } else if let Some(providers) = self.providers.remove(name) {
            ProviderStarter::close_removed(&providers, &Providers::new()).await;
        }
    }

    async fn check_providers(&self, app: &App) -> Result<(), DeployError> {
        let none = Providers::new();
        let old = self.providers.get(app.metadata.name.as_str());
        self.provider_starter.check(app, old.unwrap_or(&none)).await
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

    /// Rejects an app with a route that belongs to another app. Conflicts between other apps are no
    /// matter of this one.
    fn check_routes(&self, app: &App) -> Result<(), DeployError> {
        let name = &app.metadata.name;
        let mut lost = self.route_owners.lost(name, &app.spec.routes);
        match lost.next() {
            None => Ok(()),
            Some((route, owner)) => Err(DeployError::RouteTaken {
                route: route.pattern(),
                owner: format!("{}/{}", owner.app, owner.component),
                claimant: format!("{name}/{}", route.to),
            }),
        }
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

    async fn stop(&mut self) {
        for providers in std::mem::take(&mut self.providers).into_values() {
            ProviderStarter::close_removed(&providers, &Providers::new()).await;
        }
    }
}

/// Waits until the requests of a removed app are done, for [`FINISH_DEADLINE`] at most: its
/// providers are closed after it.
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
