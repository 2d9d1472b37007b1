//! This host's share of what is wanted, in the words of linking: components by their place in the manifest.
//!
//! What is to leave stays a moment longer than until it is ready elsewhere, because its callers learn later
//! than this host where else it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use weft_lattice_config::placement::{Assignments, ComponentId, HostId};
use weft_lattice_config::{App, ComponentName};
use weft_link::Share;
use weft_membership::{TICK_EVERY, View};
use weft_state::desired;
use weft_state::store::Deployed;

/// How long what is ready elsewhere stays: other hosts hear of it when this one does, and look at what they
/// heard at each tick. A call that is on its way meanwhile still finds it here.
const LINGER: Duration = TICK_EVERY.saturating_mul(4);

/// What is ready elsewhere and has not left yet, and since when.
#[derive(Debug, Default)]
pub(super) struct Departures(BTreeMap<ComponentId, Instant>);

impl Departures {
    /// Whether something is to leave in a moment.
    pub(super) fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Forgets what is not wanted any more.
    pub(super) fn retain(&mut self, assignments: &Assignments) {
        self.0.retain(|id, _| assignments.contains_key(id));
    }

    fn stays(&mut self, id: ComponentId, now: Instant) -> bool {
        let since = *self.0.entry(id).or_insert(now);
        now.saturating_duration_since(since) < LINGER
    }
}

/// What is to run here of an app that `runs` here, if it does, with a share of its own manifest.
pub(super) fn local_share(
    deployed: &Deployed,
    me: &HostId,
    assignments: &Assignments,
    runs: Option<(&App, &Share)>,
    view: &View,
    departures: (&mut Departures, Instant),
) -> Share {
    let (departures, now) = departures;
    let runs = runs.map_or_else(BTreeSet::new, |(app, share)| names(app, share));
    let share = desired::share(deployed, me, assignments, &runs, view);
    // As if it ran nowhere else: what may not run here at all does not stay for a moment either.
    let may_stay = desired::share(deployed, me, &Assignments::new(), &runs, view);
    let components = deployed.app.spec.components.iter().enumerate();
    let mine = components.filter(|(_, component)| {
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
    Share::Part(mine.map(|(index, _)| index).collect())
}

fn names(app: &App, share: &Share) -> BTreeSet<ComponentName> {
    let components = app.spec.components.iter().enumerate();
    let here = components.filter(|(index, _)| share.has(*index));
    here.map(|(_, component)| component.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ready_elsewhere_leaves_a_moment_later() {
        let id: ComponentId = "shop/cart".parse().unwrap();
        let (mut departures, start) = (Departures::default(), Instant::now());
        assert!(!departures.is_any());
        assert!(departures.stays(id.clone(), start));
        assert!(departures.is_any());
        assert!(departures.stays(id.clone(), start + LINGER / 2));
        assert!(!departures.stays(id, start + LINGER));
    }
}
