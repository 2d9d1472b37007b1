//! This host's share of what is wanted. Without tasks and clocks: `now` is handed in.
//!
//! A plan says where everything is to run. What is to leave this host stays until it runs where it is going:
//! an instance too many costs memory, one too few costs requests. It stays a little longer than that, because
//! its callers learn later than this host where else it is.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use weft_lattice::membership::message::{Holding, Readiness};
use weft_lattice::membership::{TICK_EVERY, View};
use weft_lattice::store::Deployed;
use weft_lattice_config::placement::{Assignments, ComponentId, HostId};

use crate::linking::Share;

/// How long what is ready elsewhere stays: other hosts hear of it when this one does, and look at what they
/// heard at each tick. A call that is on its way meanwhile still finds it here.
const LINGER: Duration = TICK_EVERY.saturating_mul(4);

/// What is ready elsewhere and has not left yet, and since when.
#[derive(Debug, Default)]
pub(super) struct Leaving(BTreeMap<ComponentId, Instant>);

impl Leaving {
    /// Whether something is to leave in a moment.
    pub(super) fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Forgets what is not wanted any more.
    pub(super) fn retain(&mut self, assignments: &Assignments) {
        self.0.retain(|id, _| assignments.contains_key(id));
    }

    fn stays(&mut self, id: &ComponentId, now: Instant) -> bool {
        let since = *self.0.entry(id.clone()).or_insert(now);
        now.saturating_duration_since(since) < LINGER
    }
}

/// What is to run here of an app: what the plan says, and what runs here now and is not yet ready, or not for
/// long, on every host that is to have it.
pub(super) fn of_app(
    deployed: &Deployed,
    me: &HostId,
    assignments: &Assignments,
    runs: &Share,
    view: &View,
    leaving: (&mut Leaving, Instant),
) -> Share {
    let (leaving, now) = leaving;
    let app = &deployed.app;
    let components = app.spec.components.iter().enumerate();
    let mine = components.filter(|(index, component)| {
        let id = ComponentId {
            app: app.metadata.name.clone(),
            component: component.name.clone(),
        };
        let hosts = assignments.get(&id).map_or(&[][..], Vec::as_slice);
        let may_leave = !hosts.contains(me)
            && runs.has(*index)
            && is_ready(view, &id, deployed.revision, hosts);
        if may_leave {
            return leaving.stays(&id, now);
        }
        leaving.0.remove(&id);
        hosts.contains(me) || runs.has(*index)
    });
    Share::Part(mine.map(|(index, _)| index).collect())
}

/// Whether a component is ready at a revision on all of these hosts, and there is one.
fn is_ready(view: &View, id: &ComponentId, revision: u64, hosts: &[HostId]) -> bool {
    let is_it = |holding: &Holding| {
        holding.component == *id
            && holding.revision.0 >= revision
            && holding.readiness == Readiness::Ready
    };
    let has = |wanted: &HostId| {
        view.hosts().any(|host| {
            host.is_alive()
                && host.id.to_string() == wanted.as_str()
                && host
                    .contents
                    .as_ref()
                    .is_some_and(|contents| contents.components.iter().any(is_it))
        })
    };
    !hosts.is_empty() && hosts.iter().all(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ready_elsewhere_leaves_a_moment_later() {
        let id: ComponentId = "shop/cart".parse().unwrap();
        let (mut leaving, start) = (Leaving::default(), Instant::now());
        assert!(!leaving.is_any());
        assert!(leaving.stays(&id, start));
        assert!(leaving.is_any());
        assert!(leaving.stays(&id, start + LINGER / 2));
        assert!(!leaving.stays(&id, start + LINGER));
    }
}
