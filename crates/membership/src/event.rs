//! What changes in a view from one tick to the next, for the log and for `weft events`. What a host does, it
//! does by the view and not by these.

use super::connection::Freeze;
use super::host_id::HostId;
use super::message::HostState;
use super::view::{HostView, Liveness, Standing};
use crate::Moment;

/// Something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something about one host.
    Host {
        /// The host.
        host: HostId,
        /// What.
        change: Change,
    },
    /// The view is held from now on.
    Froze(Freeze),
    /// The view follows what is heard again.
    Thawed,
    /// Another process lives under this host's identity, and has begun later: this one is not heard any
    /// more, and has to stop.
    Superseded {
        /// Which life of the host the other one is.
        incarnation: u64,
    },
}

/// What changed about a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there for the first time.
    Joined,
    /// It was started again without having been dead.
    Restarted,
    /// A heartbeat has not come.
    Suspected,
    /// It was suspected, and is heard again.
    Recovered,
    /// It is silent for too long.
    Died,
    /// It has finished, and said so.
    Left,
    /// It was dead, and is heard again.
    Returned,
    /// It came and went too often, and is given no work until then.
    Damped {
        /// When it is steady, if it stays.
        until: Moment,
    },
    /// It was damped, and has been there for long enough.
    Steadied,
    /// It says something else of itself.
    State(HostState),
    /// Its inventory is another one.
    Inventory,
    /// It was dead for so long that it is not remembered any more.
    Forgotten,
}

/// What changed from an earlier view of a host, if there is one, to a later one.
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
