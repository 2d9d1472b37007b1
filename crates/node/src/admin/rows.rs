//! The rows of `weft get`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use weft_bus::Lane;
use weft_control::rows::{ComponentRow, HostRow, ProviderRow, RouteRow};
use weft_lattice_config::{App, Instances, Source};
use weft_link::Protocol;
use weft_membership::message::{HostCondition, HostState, HostedComponent, Labels};
use weft_membership::{HostView, Liveness, Moment, Standing};
use weft_provider::Registry;

use super::About;
use crate::Joined;
use crate::cluster_view::ClusterView;
use crate::controller::Snapshot;
use crate::inventory_publisher::holdings;
use crate::route_publisher::AppRoute;
use crate::runtime::RunningComponent;

pub(super) fn components(host: &str, snapshot: &Snapshot) -> Vec<ComponentRow> {
    let running = snapshot.apps.values().filter_map(|app| {
        let running = app.running()?;
        Some((&app.deployed.app, running.components()))
    });
    running
        .flat_map(|(app, components)| {
            let rows = components.into_iter();
            rows.map(|running| component(host, app, running))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn component(host: &str, app: &App, running: RunningComponent) -> ComponentRow {
    let mut specs = app.spec.components.iter();
    let spec = specs.find(|spec| spec.name.as_str() == running.name);
    ComponentRow {
        host: host.to_owned(),
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

pub(super) fn digest(source: &Source) -> String {
    match source {
        Source::Digest(digest) => digest.to_string(),
        Source::File(file) => file.clone(),
    }
}

pub(super) fn providers(view: &ClusterView, registry: &Registry) -> Vec<ProviderRow> {
    let mut rows = Vec::new();
    for app in view.apps().map(|deployed| &deployed.app) {
        for provider in &app.spec.providers {
            let links = app.spec.links.iter();
            let links = links.filter(|link| link.to.as_str() == provider.name.as_str());
            rows.push(ProviderRow {
                app: app.metadata.name.to_string(),
                provider: provider.name.to_string(),
                kind: provider.kind.clone(),
                serves: served(registry, &provider.kind),
                links: links.count(),
            });
        }
    }
    rows
}

fn served(registry: &Registry, kind: &str) -> Vec<String> {
    let factory = registry.get(kind);
    factory
        .map(|factory| factory.serves().iter().map(ToString::to_string).collect())
        .unwrap_or_default()
}

pub(super) fn route(route: &AppRoute<'_>) -> RouteRow {
    let AppRoute { app, spec, running } = route;
    let protocol = running.and_then(|running| running.protocol(spec.to.as_str()));
    RouteRow {
        app: app.metadata.name.to_string(),
        host: spec
            .host
            .as_ref()
            .map_or("*", |host| host.as_str())
            .to_owned(),
        path: spec.path.as_str().to_owned(),
        to: spec.to.to_string(),
        protocol: match protocol {
            Some(Protocol::HttpP3) => "wasi:http@0.3",
            Some(Protocol::HttpP2) => "wasi:http@0.2",
            None => "",
        }
        .to_owned(),
    }
}

/// The hosts of the lattice, this one first.
pub(super) fn hosts(
    about: &About,
    admin: SocketAddr,
    snapshot: &Snapshot,
    mesh: &Joined,
) -> Vec<HostRow> {
    let mut own = host(about, admin, snapshot);
    let disk_use = mesh.collector.disk_use();
    own.artifacts_bytes = Some(disk_use.artifacts_bytes);
    own.code_bytes = Some(disk_use.code_bytes);
    let Some(lattice) = &mesh.lattice else {
        return vec![own];
    };
    let membership = mesh.membership.borrow().clone();
    let lattice = Some(lattice.to_string());
    own.lattice = lattice.clone();
    own.id = Some(mesh.me.to_string());
    let (own_views, others): (Vec<_>, Vec<_>) =
        membership.view.hosts().partition(|host| host.id == mesh.me);
    if let Some(own_view) = own_views.first() {
        own.status = status(own_view).to_owned();
        own.running = own_view.load.running.into();
        own.notes = notes(own_view, mesh.now());
    }
    if let Some(outage) = mesh.bus.lane(Lane::Control).status().borrow().outage() {
        own.notes.push(outage.to_string());
    }
    let others = others.into_iter().map(|host| HostRow {
        lattice: lattice.clone(),
        ..other(host, mesh.now())
    });
    [own].into_iter().chain(others).collect()
}

fn host(about: &About, admin: SocketAddr, snapshot: &Snapshot) -> HostRow {
    // As in the inventory, from which other hosts have their numbers.
    let holdings = holdings(snapshot);
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
        apps: apps_of(&holdings),
        components: holdings.len(),
        pool_instances_max: Some(u64::from(about.runtime.instances_max())),
        compilations: Some(about.runtime.compilations()),
        artifacts_bytes: None,
        code_bytes: None,
        running: snapshot.in_flight(),
        notes: Vec::new(),
    }
}

/// The row of another host, from its inventory and heartbeats.
fn other(host: &HostView, now: Moment) -> HostRow {
    let contents = host.contents.clone().unwrap_or_default();
    HostRow {
        host: name(host),
        lattice: None,
        id: Some(host.id.to_string()),
        status: status(host).to_owned(),
        version: contents.release.clone(),
        labels: labels(&contents.labels),
        http: None,
        admin: None,
        uptime_s: None,
        apps: apps_of(&contents.components),
        components: contents.components.len(),
        pool_instances_max: None,
        compilations: None,
        artifacts_bytes: None,
        code_bytes: None,
        running: host.load.running.into(),
        notes: notes(host, now),
    }
}

/// Number of apps with a component among these.
fn apps_of(holdings: &[HostedComponent]) -> usize {
    let apps = holdings.iter().map(|holding| &holding.component.app);
    apps.collect::<BTreeSet<_>>().len()
}

/// The name of a host; the beginning of its id until the name is received.
pub(super) fn name(host: &HostView) -> String {
    let contents = host.contents.as_ref();
    let name = contents.map(|contents| contents.name.as_str());
    name.filter(|name| !name.is_empty())
        .map_or_else(|| host.id.short(), str::to_owned)
}

pub(super) fn labels(labels: &Labels) -> BTreeMap<String, String> {
    let labels = labels.iter();
    labels
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The conditions and failures that a host reports, and its damping.
fn notes(host: &HostView, now: Moment) -> Vec<String> {
    let damping = match host.standing {
        Standing::Damped { until } if host.is_alive() => Some(format!(
            "joined and left too often: the host gets no new work for {} s",
            until.since(now).as_secs().max(1)
        )),
        Standing::Damped { .. } | Standing::Steady => None,
    };
    let contents = host.contents.clone().unwrap_or_default();
    let conditions = contents.conditions.iter().map(|condition| match condition {
        HostCondition::BucketUnavailable => {
            "the desired-state bucket is unavailable: the host continues with its replica"
        }
        HostCondition::DiskFailed => {
            "the disk rejects the desired state or artifacts: the host continues in memory"
        }
        HostCondition::ArtifactsMissing => {
            "an artifact is missing: neither the object store nor a peer has the bytes"
        }
    });
    let failures = contents.failures.iter().map(|failure| {
        let (app, revision) = (&failure.app, failure.revision.0);
        // The text comes from another host and is not trusted.
        let reason = failure.reason.escape_debug();
        format!("revision {revision} of app `{app}` does not start: {reason}")
    });
    let conditions = conditions.map(str::to_owned);
    damping
        .into_iter()
        .chain(conditions)
        .chain(failures)
        .collect()
}

/// The liveness of a host goes before its last reported state, and that before its damping.
pub(super) fn status(host: &HostView) -> &'static str {
    match (host.liveness, host.state) {
        (_, HostState::Left) => HostState::Left.name(),
        (Liveness::Dead, _) => "dead",
        (Liveness::Suspected, _) => "suspected",
        (Liveness::Live, HostState::Ready) if host.standing != Standing::Steady => "damped",
        (Liveness::Live, state) => state.name(),
    }
}
