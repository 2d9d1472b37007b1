//! The rows of `weft get`, from what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use weft_control::rows::{AppRow, ComponentRow, HostRow, ProviderRow, RouteRow};
use weft_lattice_config::{App, Instances, Source};
use weft_link::Protocol;
use weft_membership::message::{HostCondition, HostState, Labels};
use weft_membership::{HostView, Liveness};
use weft_provider::Registry;

use super::About;
use crate::Joined;
use crate::controller::{AppState, FailedRevision, HostedApp, Snapshot};
use crate::runtime::RunningComponent;

pub(super) fn apps(snapshot: &Snapshot) -> Vec<AppRow> {
    let apps = snapshot.apps.iter();
    apps.map(|(name, running)| app(running, snapshot.failed.get(name).map(AsRef::as_ref)))
        .collect()
}

fn app(running: &HostedApp, failed: Option<&FailedRevision>) -> AppRow {
    let spec = &running.deployed.app.spec;
    let (status, reason) = match (&running.state, failed) {
        (AppState::Ready(_), None) => ("ready", None),
        (AppState::Ready(_), Some(failed)) => {
            let revision = failed.deployed.revision;
            let reason = &failed.reason;
            let reason = format!("revision {revision} does not start here: {reason}");
            ("behind", Some(reason))
        }
        (AppState::Failed(reason), _) => ("failed", Some(reason.clone())),
    };
    AppRow {
        app: running.deployed.app.metadata.name.to_string(),
        revision: running.deployed.revision,
        status: status.to_owned(),
        reason,
        components: spec.components.len(),
        links: spec.links.len(),
        routes: spec.routes.len(),
        changed_at_ms: running.deployed.changed_at_ms,
    }
}

pub(super) fn components(snapshot: &Snapshot) -> Vec<ComponentRow> {
    let running = snapshot.apps.values().filter_map(|app| {
        let running = app.running()?;
        Some((&app.deployed.app, running.components()))
    });
    running
        .flat_map(|(app, components)| {
            let rows = components.into_iter();
            rows.map(|running| component(app, running))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn component(app: &App, running: RunningComponent) -> ComponentRow {
    let mut specs = app.spec.components.iter();
    let spec = specs.find(|spec| spec.name.as_str() == running.name);
    ComponentRow {
        app: app.metadata.name.to_string(),
        component: running.name,
        digest: spec.map(|spec| digest(&spec.source)).unwrap_or_default(),
        bytes: running.bytes,
        instances: match spec.map(|spec| spec.instances) {
            Some(Instances::Reuse(_)) => "reuse".to_owned(),
            Some(Instances::PerRequest) | None => "per-request".to_owned(),
        },
        fused: running.fused,
        loaded: running.is_loaded,
        in_flight: running.in_flight,
        requests: running.requests,
        traps: running.traps,
        memory_bytes_max: running.memory_bytes_max,
        deadline_ms: u64::try_from(running.deadline.as_millis()).unwrap_or(u64::MAX),
        concurrency_max: u64::from(running.concurrency_max),
    }
}

fn digest(source: &Source) -> String {
    match source {
        Source::Digest(digest) => digest.to_string(),
        Source::File(file) => file.clone(),
    }
}

pub(super) fn providers(snapshot: &Snapshot, registry: &Registry) -> Vec<ProviderRow> {
    each_app(snapshot, |app, rows| {
        for provider in &app.spec.providers {
            let links = app
                .spec
                .links
                .iter()
                .filter(|link| link.to.as_str() == provider.name.as_str());
            rows.push(ProviderRow {
                app: app.metadata.name.to_string(),
                provider: provider.name.to_string(),
                kind: provider.kind.clone(),
                serves: served(registry, &provider.kind),
                links: links.count(),
            });
        }
    })
}

fn served(registry: &Registry, kind: &str) -> Vec<String> {
    let factory = registry.get(kind);
    factory
        .map(|factory| factory.serves().iter().map(ToString::to_string).collect())
        .unwrap_or_default()
}

pub(super) fn routes(snapshot: &Snapshot) -> Vec<RouteRow> {
    let mut rows = Vec::new();
    for running in snapshot.apps.values() {
        let Some(serving) = running.running() else {
            continue;
        };
        for route in &running.deployed.app.spec.routes {
            let protocol = serving.protocol(route.to.as_str());
            rows.push(RouteRow {
                app: running.deployed.app.metadata.name.to_string(),
                host: route
                    .host
                    .as_ref()
                    .map_or("*", |host| host.as_str())
                    .to_owned(),
                path: route.path.as_str().to_owned(),
                to: route.to.to_string(),
                protocol: match protocol {
                    Some(Protocol::HttpP3) => "wasi:http@0.3",
                    Some(Protocol::HttpP2) | None => "wasi:http@0.2",
                }
                .to_owned(),
            });
        }
    }
    rows
}

/// The hosts of the lattice, the one that is asked first.
pub(super) fn hosts(
    about: &About,
    admin: SocketAddr,
    snapshot: &Snapshot,
    mesh: Option<&Joined>,
) -> Vec<HostRow> {
    let mut own = host(about, admin, snapshot);
    let Some(mesh) = mesh else {
        return vec![own];
    };
    let membership = mesh.membership.borrow().clone();
    let lattice = Some(mesh.lattice.to_string());
    own.lattice = lattice.clone();
    own.id = Some(mesh.me.to_string());
    let (mine, others): (Vec<_>, Vec<_>) =
        membership.view.hosts().partition(|host| host.id == mesh.me);
    if let Some(mine) = mine.first() {
        own.status = status(mine).to_owned();
        own.running = mine.load.running.into();
        own.notes = notes(mine);
    }
    let others = others.into_iter().map(|host| HostRow {
        lattice: lattice.clone(),
        ..other(host)
    });
    [own].into_iter().chain(others).collect()
}

fn host(about: &About, admin: SocketAddr, snapshot: &Snapshot) -> HostRow {
    HostRow {
        host: about.name.clone(),
        lattice: None,
        id: None,
        status: HostState::Ready.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        labels: labels(&about.labels.current()),
        http: about.http.map(|address| address.to_string()),
        admin: Some(admin.to_string()),
        uptime_s: Some(about.started.elapsed().as_secs()),
        apps: snapshot.apps.len(),
        components: snapshot
            .apps
            .values()
            .map(|app| app.deployed.app.spec.components.len())
            .sum(),
        pool_instances_max: Some(u64::from(about.runtime.instances_max())),
        compilations: Some(about.runtime.compilations()),
        running: snapshot.in_flight(),
        notes: Vec::new(),
    }
}

/// A host by what it has said of itself.
fn other(host: &HostView) -> HostRow {
    let contents = host.contents.clone().unwrap_or_default();
    let apps: BTreeSet<_> = contents
        .components
        .iter()
        .map(|holding| &holding.component.app)
        .collect();
    let name = contents.name.clone();
    HostRow {
        host: if name.is_empty() {
            host.id.short()
        } else {
            name
        },
        lattice: None,
        id: Some(host.id.to_string()),
        status: status(host).to_owned(),
        version: contents.release.clone(),
        labels: labels(&contents.labels),
        http: None,
        admin: None,
        uptime_s: None,
        apps: apps.len(),
        components: contents.components.len(),
        pool_instances_max: None,
        compilations: None,
        running: host.load.running.into(),
        notes: notes(host),
    }
}

pub(super) fn labels(labels: &Labels) -> BTreeMap<String, String> {
    let labels = labels.iter();
    labels
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What is wrong with a host, as it says.
fn notes(host: &HostView) -> Vec<String> {
    let contents = host.contents.clone().unwrap_or_default();
    let troubles = contents.troubles.iter().map(|trouble| match trouble {
        HostCondition::StoreAway => {
            "the store of the desired state is away; it goes on with its copy".to_owned()
        }
        HostCondition::Disk => {
            "its disk does not take the desired state; it goes on without".to_owned()
        }
        HostCondition::Bytes => "it lacks the bytes of a component, and nobody has them".to_owned(),
    });
    let failures = contents.failures.iter().map(|failure| {
        let (app, revision) = (&failure.app, failure.revision.0);
        // Whoever wrote it may be anybody.
        let reason = failure.reason.escape_debug();
        format!("revision {revision} of app `{app}` does not start on it: {reason}")
    });
    troubles.chain(failures).collect()
}

/// What is heard of a host goes before what it said last.
fn status(host: &HostView) -> &'static str {
    match (host.liveness, host.state) {
        (_, HostState::Left) => HostState::Left.name(),
        (Liveness::Dead, _) => "dead",
        (Liveness::Suspected, _) => "suspected",
        (Liveness::Live, state) => state.name(),
    }
}

fn each_app<R>(snapshot: &Snapshot, rows_of: impl Fn(&App, &mut Vec<R>)) -> Vec<R> {
    let mut rows = Vec::new();
    for running in snapshot.apps.values() {
        rows_of(&running.deployed.app, &mut rows);
    }
    rows
}
