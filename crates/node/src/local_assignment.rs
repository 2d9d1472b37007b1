//! This host's share of the desired state, as the runtime takes it: components by their index in
//! the manifest.
//!
//! A component that moves away stays a moment after it is ready on another host, because its
//! callers learn of the new place later than this host.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use weft_lattice_config::placement::{Assignments, ComponentId, HostId};
use weft_lattice_config::{App, ComponentName};
use weft_link::LocalComponents;
use weft_membership::{TICK_EVERY, View};
use weft_state::desired;
use weft_state::store::Deployed;

/// The time that a component stays after it is ready elsewhere: other hosts receive the news when
/// this one does, and act on it at their next tick. Calls in flight still find the component here.
const LINGER: Duration = TICK_EVERY.saturating_mul(4);

/// Components that are ready elsewhere and still run here, with the time since when.
#[derive(Debug, Default)]
pub(super) struct Departures(BTreeMap<ComponentId, Instant>);

impl Departures {
    /// True if a component is about to leave.
    pub(super) fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Drops components that are not desired any more.
    pub(super) fn retain(&mut self, assignments: &Assignments) {
        self.0.retain(|id, _| assignments.contains_key(id));
    }

    fn stays(&mut self, id: ComponentId, now: Instant) -> bool {
        let since = *self.0.entry(id).or_insert(now);
        now.saturating_duration_since(since) < LINGER
    }
}

/// The components of an app that are to run here. `runs` is the revision and share that run now.
pub(super) fn local_share(
    deployed: &Deployed,
    me: &HostId,
    assignments: &Assignments,
    runs: Option<(&App, &LocalComponents)>,
    view: &View,
    departures: (&mut Departures, Instant),
) -> LocalComponents {
    let (departures, now) = departures;
    let runs = runs.map_or_else(BTreeSet::new, |(app, share)| names(app, share));
    let share = desired::share(deployed, me, assignments, &runs, view);
    // The share if the app ran nowhere else: a component that may not run here does not linger.
    let may_stay = desired::share(deployed, me, &Assignments::new(), &runs, view);
    let components = deployed.app.spec.components.iter().enumerate();
    let assigned = components.filter(|(_, component)| {
        let id = ComponentId {
            app: deployed.app.metadata.name.clone(),
            component: component.name.clone(),
        };
        if !share.contains(&component.name) && may_stay.contains(&component.name) {
            return departures.stays(id, now);
        }
        departures.0.remove(&id);
        share.contains(&component.name)
    });
    LocalComponents::Part(assigned.map(|(index, _)| index).collect())
}

fn names(app: &App, share: &LocalComponents) -> BTreeSet<ComponentName> {
    let components = app.spec.components.iter().enumerate();
    let here = components.filter(|(index, _)| share.has(*index));
    here.map(|(_, component)| component.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_is_ready_elsewhere_leaves_a_moment_later() {
        let id: ComponentId = "shop/cart".parse().unwrap();
        let (mut departures, start) = (Departures::default(), Instant::now());
        assert!(!departures.is_any());
        assert!(departures.stays(id.clone(), start));
        assert!(departures.is_any());
        assert!(departures.stays(id.clone(), start + LINGER / 2));
        assert!(!departures.stays(id, start + LINGER));
    }
}
