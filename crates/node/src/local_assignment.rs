//! This host's share of the desired state, as the runtime takes it: components by their index in
//! the manifest.
//!
//! Two rules keep a component available while it leaves:
//!
//! - A component that moves away stays a moment after it is ready on another host, because its
//!   callers learn of the new place later than this host.
//! - A revision that takes a component from this host, by a label that the host lacks, does not
//!   start here before the component is ready elsewhere: this host may run the component's current
//!   revision and no other. Until then, the current revision of the whole app serves on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weft_lattice_config::placement::{Assignments, ComponentId, HostId};
use weft_lattice_config::{App, AppName, ComponentName, ComponentSpec};
use weft_link::LocalComponents;
use weft_membership::message::{Contents, Readiness};
use weft_membership::{HostView, TICK_EVERY, View};
use weft_state::desired;
use weft_state::store::{Deployed, Record};

use crate::controller::{DesiredApp, Snapshot};

/// The time that a component stays after it is ready elsewhere: other hosts receive the news when
/// this one does, and act on it at their next tick. Calls in flight still find the component here.
const LINGER: Duration = TICK_EVERY.saturating_mul(4);

/// The longest time for which a host keeps the current revision of an app whose components all have
/// hosts at the desired one, and start nowhere: two hosts may wait for each other. Longer than the
/// largest component takes to compile.
const KEPT_MAX: Duration = Duration::from_secs(60);

/// The share of this host in one app.
#[derive(Debug)]
pub(super) enum LocalShare {
    /// These components, at the desired revision.
    Desired(LocalComponents),
    /// These components of those that run, at the revision that runs, because the desired one takes
    /// a component from this host that is not ready elsewhere.
    Current(DesiredApp),
}

/// The app as it runs here.
#[derive(Clone, Copy)]
pub(super) struct Current<'a> {
    pub(super) deployed: &'a Deployed,
    pub(super) share: &'a LocalComponents,
}

/// What leaves this host, with the time since when.
#[derive(Debug, Default)]
pub(super) struct Departures {
    /// Components that are ready elsewhere and still run here.
    lingering: BTreeMap<ComponentId, Instant>,
    /// Desired revisions that do not start here yet.
    kept: BTreeMap<AppName, Kept>,
}

/// A desired revision that does not start here yet.
#[derive(Debug)]
struct Kept {
    revision: u64,
    since: Instant,
}

/// The state of the lattice that a share follows from.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) me: &'a HostId,
    pub(super) assignments: &'a Assignments,
    pub(super) view: &'a View,
    pub(super) now: Instant,
}

// === impl Departures ===

impl Departures {
    /// True if time changes a share.
    pub(super) fn is_any(&self) -> bool {
        !self.lingering.is_empty() || !self.kept.is_empty()
    }

    /// Drops components and apps that are not desired any more.
    pub(super) fn retain(&mut self, assignments: &Assignments) {
        self.lingering.retain(|id, _| assignments.contains_key(id));
        self.kept
            .retain(|app, _| assignments.keys().any(|id| id.app == *app));
    }

    /// The share of this host in an app; `current` is what runs here.
    pub(super) fn share(
        &mut self,
        deployed: &Deployed,
        current: Option<Current<'_>>,
        surroundings: Surroundings<'_>,
    ) -> LocalShare {
        let Surroundings {
            me,
            assignments,
            view,
            now,
        } = surroundings;
        let running = current.map_or_else(BTreeSet::new, Current::components);
        let share = desired::share(deployed, me, assignments, &running, view);
        let mut components = BTreeSet::new();
        let mut forbidden = BTreeSet::new();
        for (index, component) in deployed.app.spec.components.iter().enumerate() {
            let id = id_of(&deployed.app, component);
            let is_leaving = !share.contains(&component.name) && running.contains(&component.name);
            let stays = match is_leaving {
                true => self.lingers(id.clone(), now),
                false => {
                    self.lingering.remove(&id);
                    share.contains(&component.name)
                }
            };
            if !stays {
                continue;
            }
            components.insert(index);
            let hosts = assignments.get(&id).map_or(&[][..], Vec::as_slice);
            if !hosts.contains(me) && !may_run(view, me, component) {
                forbidden.insert(index);
            }
        }
        let is_behind =
            current.is_some_and(|current| current.deployed.revision < deployed.revision);
        match current {
            Some(current) if is_behind && !forbidden.is_empty() => {
                if self.keeps(deployed, surroundings) {
                    return LocalShare::Current(current.beside(&deployed.app, &components));
                }
                components.retain(|index| !forbidden.contains(index));
            }
            _ => drop(self.kept.remove(&deployed.app.metadata.name)),
        }
        LocalShare::Desired(LocalComponents::Part(components))
    }

    /// True while a component that is ready elsewhere stays.
    fn lingers(&mut self, id: ComponentId, now: Instant) -> bool {
        let since = *self.lingering.entry(id).or_insert(now);
        now.saturating_duration_since(since) < LINGER
    }

    /// True while the current revision of an app stays: without a bound if the desired one has no
    /// host for a component or fails on one, and else for [`KEPT_MAX`].
    fn keeps(&mut self, deployed: &Deployed, surroundings: Surroundings<'_>) -> bool {
        let (app, now) = (&deployed.app.metadata.name, surroundings.now);
        let kept = self.kept.entry(app.clone()).or_insert_with(|| {
            let revision = deployed.revision;
            tracing::warn!(
                %app,
                revision,
                "this host keeps the current revision: the desired one takes a component from it \
                 that is not ready elsewhere"
            );
            let since = now;
            Kept { revision, since }
        });
        if kept.revision != deployed.revision {
            (kept.revision, kept.since) = (deployed.revision, now);
        }
        let is_late = now.saturating_duration_since(kept.since) >= KEPT_MAX;
        !is_late
            || !is_placed(&deployed.app, surroundings.assignments)
            || has_failed(deployed, surroundings.view)
    }
}

// === impl Current ===

impl<'a> Current<'a> {
    /// The app as this host runs it in its snapshot.
    pub(super) fn of(snapshot: &'a Snapshot, app: &AppName) -> Option<Self> {
        let app = snapshot.apps.get(app.as_str())?;
        app.running()?;
        Some(Self {
            deployed: &app.deployed,
            share: &app.share,
        })
    }

    /// The current revision for as long as the desired one does not start: with the components that
    /// run and `stay`, by their index in the desired one, and those that it lacks.
    fn beside(self, desired: &App, stay: &BTreeSet<usize>) -> DesiredApp {
        let stays = |name: &ComponentName| {
            let mut components = desired.spec.components.iter();
            let index = components.position(|component| component.name == *name);
            index.is_none_or(|index| stay.contains(&index))
        };
        let components = self.deployed.app.spec.components.iter().enumerate();
        let here = components.filter(|(index, _)| self.share.has(*index));
        let here = here.filter(|(_, component)| stays(&component.name));
        DesiredApp {
            app: self.deployed.app.metadata.name.clone(),
            record: Arc::new(Record::Deployed(self.deployed.clone())),
            share: LocalComponents::Part(here.map(|(index, _)| index).collect()),
        }
    }

    /// The components that run here.
    fn components(self) -> BTreeSet<ComponentName> {
        let components = self.deployed.app.spec.components.iter().enumerate();
        let here = components.filter(|(index, _)| self.share.has(*index));
        here.map(|(_, component)| component.name.clone()).collect()
    }
}

/// True if a host has the labels that a component requires.
fn may_run(view: &View, host: &HostId, component: &ComponentSpec) -> bool {
    let host = host.as_str().parse::<weft_membership::HostId>();
    let host = host.ok().and_then(|host| view.host(host));
    host.is_some_and(|host| desired::has_required_labels(host, component))
}

/// True if every component of an app has a host.
fn is_placed(app: &App, assignments: &Assignments) -> bool {
    let mut components = app.spec.components.iter();
    components.all(|component| {
        let hosts = assignments.get(&id_of(app, component));
        hosts.is_some_and(|hosts| !hosts.is_empty())
    })
}

/// True if a live host reports that the revision does not start.
fn has_failed(deployed: &Deployed, view: &View) -> bool {
    let fails = |contents: &Contents| {
        let mut components = contents.components.iter();
        components.any(|hosted| {
            hosted.component.app == deployed.app.metadata.name
                && hosted.revision.0 == deployed.revision
                && hosted.readiness == Readiness::Failed
        })
    };
    let mut hosts = view.hosts().filter(|host| host.is_alive());
    hosts.any(|host: &HostView| host.contents.as_deref().is_some_and(fails))
}

fn id_of(app: &App, component: &ComponentSpec) -> ComponentId {
    ComponentId {
        app: app.metadata.name.clone(),
        component: component.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_is_ready_elsewhere_leaves_a_moment_later() {
        let id: ComponentId = "shop/cart".parse().unwrap();
        let (mut departures, start) = (Departures::default(), Instant::now());
        assert!(!departures.is_any());
        assert!(departures.lingers(id.clone(), start));
        assert!(departures.is_any());
        assert!(departures.lingers(id.clone(), start + LINGER / 2));
        assert!(!departures.lingers(id, start + LINGER));
    }
}
