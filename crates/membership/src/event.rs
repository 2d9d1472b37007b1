//! Changes of a view from one tick to the next, for the log and `weft events`. Hosts act on the
//! view, not on events.

use super::connection::PlacementPause;
use super::host_id::HostId;
use super::message::HostState;
use super::view::{HostView, Liveness, Standing};
use crate::Moment;

/// A change of the view or of this host's own status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A change of one host.
    Host {
        /// The changed host.
        host: HostId,
        /// The change.
        change: Change,
    },
    /// The view is frozen from now on.
    PlacementPaused(PlacementPause),
    /// The view follows the heartbeats again.
    PlacementResumed,
    /// Another process runs with this host's identity and a later incarnation. This process's
    /// messages are ignored by other hosts, so it has to stop. Reported once.
    Superseded {
        /// The incarnation of the other process.
        incarnation: u64,
    },
    /// Other hosts know a later incarnation of this host, and no process with it was heard: this
    /// host was restored from an older disk. It has to take a larger incarnation
    /// ([`Membership::set_incarnation`](crate::Membership::set_incarnation)).
    Outdated {
        /// The latest incarnation that another host knows.
        incarnation: u64,
    },
}

/// The kind of change of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// First heartbeat of an unknown host.
    Joined,
    /// The host has restarted without being declared dead.
    Restarted,
    /// A heartbeat is overdue.
    Suspected,
    /// A suspected host sent a heartbeat.
    Recovered,
    /// The host was silent for too long.
    Died,
    /// The host has drained and announced its end.
    Left,
    /// A dead host sent a heartbeat.
    Returned,
    /// The host failed too often, and gets no work for now.
    Damped {
        /// The end of damping, if there are no further failures.
        until: Moment,
    },
    /// The damping has ended.
    Steadied,
    /// The host published another state.
    State(HostState),
    /// The inventory was replaced.
    Inventory,
    /// The host was dead for so long that its record was removed.
    Forgotten,
}

/// Appends the changes from an earlier view of a host, if there is one, to a later one.
pub(super) fn changes(earlier: Option<&HostView>, later: &HostView, out: &mut Vec<Event>) {
    let host = later.id;
    let mut push = |change| out.push(Event::Host { host, change });
    let Some(earlier) = earlier else {
        push(Change::Joined);
        return push_standing(later, push);
    };
    let restarted = earlier.incarnation != later.incarnation;
    match (earlier.liveness, later.liveness) {
        (Liveness::Dead, Liveness::Live | Liveness::Suspected) => push(Change::Returned),
        (Liveness::Live | Liveness::Suspected, Liveness::Dead) if has_left(later) => {
            push(Change::Left);
        }
        (Liveness::Live | Liveness::Suspected, Liveness::Dead) => push(Change::Died),
        (Liveness::Live, Liveness::Suspected) => push(Change::Suspected),
        _ if restarted => push(Change::Restarted),
        (Liveness::Suspected, Liveness::Live) => push(Change::Recovered),
        _ => {}
    }
    if earlier.state != later.state && !has_left(later) {
        push(Change::State(later.state));
    }
    if earlier.contents != later.contents {
        push(Change::Inventory);
    }
    if earlier.standing != later.standing {
        push_standing(later, &mut push);
        if later.standing == Standing::Steady {
            push(Change::Steadied);
        }
    }
}

fn push_standing(host: &HostView, mut push: impl FnMut(Change)) {
    if let Standing::Damped { until } = host.standing {
        push(Change::Damped { until });
    }
}

fn has_left(host: &HostView) -> bool {
    host.state == HostState::Left
}
