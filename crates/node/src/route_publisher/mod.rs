//! The routes of this host: those of the apps that it runs, and those of all other desired apps,
//! whose components run on other hosts.
//!
//! Routes follow from the records of the desired state alone, so a host has them before it has an
//! artifact, and also if it never gets one. The routes of a revision stay in force until the next
//! one serves: here, or on a host that does not run the app, until its components are ready
//! somewhere.

mod api_cache;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use weft_ingress::{RemoteComponent, Route, RouteTable, RouteTarget, TypedRoute};
use weft_lattice_config::{App, AppName, ComponentSpec, RouteSpec};
use weft_link::{CallServer, FrameTransport, Hosts};
use weft_membership::View;
use weft_membership::message::{HostedComponent, Readiness};
use weft_state::store::Record;

use crate::controller::{HostedApp, Snapshot};
use crate::runtime::RunningApp;

use self::api_cache::ApiCache;

/// The records of the desired state, by app.
pub(crate) type Records = BTreeMap<AppName, Arc<Record>>;

/// Publishes the routes. Cheap to clone: the controller reports what runs, and the reconciler what
/// is desired.
#[derive(Clone)]
pub(crate) struct RoutePublisher(Arc<Shared>);

struct Shared {
    /// Makes calls to components of this host.
    server: Arc<dyn CallServer>,
    /// Carries requests to other hosts; `None` for a host alone.
    hosts: Option<Arc<dyn Hosts>>,
    /// Locked while a table is made, never across an await.
    inputs: Mutex<Inputs>,
    table: watch::Sender<Arc<RouteTable>>,
    apis: ApiCache,
}

#[derive(Default)]
struct Inputs {
    snapshot: Arc<Snapshot>,
    desired: Records,
    /// The revisions before, of apps whose desired revision is not ready anywhere.
    superseded: Records,
    extent: Extent,
}

/// The part of the desired state that this host has read since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The copy on its disk, and possibly more.
    #[default]
    Copy,
    /// All of it, at least once.
    Whole,
}

/// A route with its app.
pub(crate) struct AppRoute<'a> {
    pub(crate) app: &'a App,
    pub(crate) spec: &'a RouteSpec,
    /// The app, if this host runs a part of it.
    pub(crate) running: Option<&'a Arc<dyn RunningApp>>,
}

impl RoutePublisher {
    pub(crate) fn new(server: Arc<dyn CallServer>, hosts: Option<Arc<dyn Hosts>>) -> Self {
        Self(Arc::new(Shared {
            server,
            hosts,
            inputs: Mutex::default(),
            table: watch::Sender::new(Arc::new(RouteTable::partial(Vec::new()))),
            apis: ApiCache::default(),
        }))
    }

    /// The routes, now and later.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<RouteTable>> {
        self.0.table.subscribe()
    }

    /// Publishes the routes with these running apps.
    pub(crate) fn set_running(&self, snapshot: Arc<Snapshot>) {
        self.update(|inputs| {
            inputs.snapshot = snapshot;
            true
        });
    }

    /// Publishes the routes with these desired apps. Of the `superseded` revisions, the routes go
    /// before those of the desired ones.
    pub(crate) fn set_desired(&self, desired: &Records, superseded: Records, extent: Extent) {
        self.update(|inputs| {
            let is_same_extent = inputs.extent == extent;
            let is_same_desired = is_same(&inputs.desired, desired);
            if is_same_extent && is_same_desired && is_same(&inputs.superseded, &superseded) {
                return false;
            }
            inputs.desired.clone_from(desired);
            (inputs.superseded, inputs.extent) = (superseded, extent);
            true
        });
    }

    /// The routes of all apps, by app.
    pub(crate) fn app_routes<R>(&self, mut each: impl FnMut(&AppRoute<'_>) -> R) -> Vec<R> {
        let inputs = self.0.inputs.lock();
        let inputs = inputs.unwrap_or_else(PoisonError::into_inner);
        inputs.routes().iter().map(&mut each).collect()
    }

    /// Publishes a new table if `change` changes the inputs.
    fn update(&self, change: impl FnOnce(&mut Inputs) -> bool) {
        let shared = &self.0;
        // The code under the lock does not panic.
        let inputs = shared.inputs.lock();
        let mut inputs = inputs.unwrap_or_else(PoisonError::into_inner);
        if change(&mut inputs) {
            shared.table.send_replace(Arc::new(shared.table(&inputs)));
        }
    }
}

impl Shared {
    fn table(&self, inputs: &Inputs) -> RouteTable {
        let routes = inputs.routes();
        self.apis
            .retain(routes.iter().map(|route| (route.app, route.spec)));
        let routes = routes.into_iter().filter_map(|route| {
            let target = self.target(&route)?;
            let spec = route.spec.clone();
            Some(Route { spec, target })
        });
        match inputs.extent {
            Extent::Copy => RouteTable::partial(routes.collect()),
            Extent::Whole => RouteTable::new(routes.collect()),
        }
    }

    /// The target of a route: this host, or other hosts in a lattice of many.
    fn target(&self, route: &AppRoute<'_>) -> Option<RouteTarget> {
        let (app, component) = (route.app, route.spec.to.as_str());
        let handler = route.running.and_then(|app| app.handler(component));
        let name = &app.metadata.name;
        let mut components = app.spec.components.iter();
        let spec = components.find(|spec| spec.name.as_str() == component)?;
        if handler.is_none() && self.hosts.is_none() {
            let reason = format!("component `{name}/{component}` does not start on this host");
            return Some(RouteTarget::Unavailable(reason.into()));
        }
        if route.spec.interface.is_some() {
            return Some(self.typed_target(route, spec, handler.is_some()));
        }
        Some(match (handler, &self.hosts) {
            (Some(handler), _) => RouteTarget::Local(handler),
            (None, hosts) => {
                let remote = RemoteComponent::new(name, spec, hosts.as_ref()?);
                RouteTarget::Remote(Arc::new(remote))
            }
        })
    }

    /// The target of a route that serves an interface.
    fn typed_target(
        &self,
        route: &AppRoute<'_>,
        component: &ComponentSpec,
        is_here: bool,
    ) -> RouteTarget {
        let api = match self.apis.get(route.app, route.spec, component) {
            Ok(api) => api,
            Err(reason) => return RouteTarget::Unavailable(reason),
        };
        let transport = match &self.hosts {
            Some(hosts) if !is_here => FrameTransport::Remote(hosts.clone()),
            Some(_) | None => FrameTransport::Loopback(self.server.clone()),
        };
        let app = &route.app.metadata.name;
        RouteTarget::Typed(Arc::new(TypedRoute::new(api, app, component, transport)))
    }
}

impl Inputs {
    /// The routes of all apps, by app.
    fn routes(&self) -> Vec<AppRoute<'_>> {
        let hosted = self.snapshot.apps.keys().map(String::as_str);
        let desired = self.desired.keys().map(AppName::as_str);
        let names: BTreeSet<&str> = hosted.chain(desired).collect();
        let routes = names.into_iter().flat_map(|name| self.routes_of(name));
        routes.collect()
    }

    /// The routes of an app: those of the revision that serves here, those of the one that serves
    /// elsewhere, and of the desired one those that the others lack.
    fn routes_of(&self, name: &str) -> Vec<AppRoute<'_>> {
        let hosted = self.snapshot.apps.get(name).map(AsRef::as_ref);
        let running = hosted.and_then(HostedApp::running);
        let desired = find(&self.desired, name);
        let serving = hosted.filter(|hosted| serves(hosted) || desired.is_none());
        let revision = serving.map_or(0, |hosted| hosted.deployed.revision);
        let serving = serving.map(|hosted| &hosted.deployed.app);
        let superseded = find(&self.superseded, name).filter(|it| it.revision() > revision);
        let records = [superseded, desired];
        let apps = records.into_iter().flatten().filter_map(deployed_app);
        let mut routes: Vec<AppRoute<'_>> = Vec::new();
        let owners = &self.snapshot.route_owners;
        for app in serving.into_iter().chain(apps) {
            let specs = app.spec.routes.iter();
            for spec in specs.filter(|spec| owners.serves(&app.metadata.name, spec)) {
                let is_same = |route: &AppRoute<'_>| {
                    (&route.spec.host, &route.spec.path) == (&spec.host, &spec.path)
                };
                if !routes.iter().any(is_same) {
                    routes.push(AppRoute { app, spec, running });
                }
            }
        }
        routes
    }
}

fn find<'a>(records: &'a Records, app: &str) -> Option<&'a Record> {
    let app = app.parse::<AppName>().ok()?;
    records.get(&app).map(AsRef::as_ref)
}

fn deployed_app(record: &Record) -> Option<&App> {
    match record {
        Record::Deployed(deployed) => Some(&deployed.app),
        Record::Removed { .. } => None,
    }
}

/// True if each component with a route is ready on some host, in any revision. True for a removal.
pub(crate) fn are_targets_ready(record: &Record, view: &View) -> bool {
    let Some(app) = deployed_app(record) else {
        return true;
    };
    app.spec.routes.iter().all(|route| {
        let is_ready = |hosted: &HostedComponent| {
            let component = &hosted.component;
            (&component.app, component.component.as_str())
                == (&app.metadata.name, route.to.as_str())
                && hosted.readiness == Readiness::Ready
        };
        let mut hosts = view.hosts().filter(|host| host.is_alive());
        hosts.any(|host| {
            let contents = host.contents.as_ref();
            contents.is_some_and(|contents| contents.components.iter().any(is_ready))
        })
    })
}

/// True if this host runs a part of the app.
fn serves(hosted: &HostedApp) -> bool {
    let components = 0..hosted.deployed.app.spec.components.len();
    hosted.running().is_some() && components.into_iter().any(|index| hosted.share.has(index))
}

/// True if the records are the same. They are compared by pointer.
fn is_same(one: &Records, other: &Records) -> bool {
    let mut records = one.values().zip(other.values());
    one.len() == other.len() && records.all(|(one, other)| Arc::ptr_eq(one, other))
}

#[cfg(test)]
mod tests;
