//! Membership of the lattice: heartbeats and inventories in, a [`View`] out.
//!
//! Each host publishes a heartbeat every second, with the hash of its [inventory](message). The
//! inventory itself is sent on change and on request. From the messages it receives, each host
//! builds its own view; views of two hosts may differ, without an agreement protocol.
//! Placement and [routing] act on the view.
//!
//! Guarantees:
//! 1. A host that is silent for [`DEAD_AFTER`] is dead at the next tick, and never before, by the
//!    clock of the receiver. Clocks of other hosts have no effect.
//! 2. A message that is replayed, damaged, from an earlier incarnation or for another lattice
//!    changes nothing, and is counted.
//! 3. While the host's own bus is disconnected, connected for less than [`SETTLE_AFTER_RETURN`], or
//!    the host itself was stalled, the view of others is frozen ([`PlacementPause`]): silence on
//!    its own side proves nothing.
//! 4. A heartbeat of an earlier incarnation is answered with the last one that is known
//!    ([`Membership::refutations`]), and its host takes a larger incarnation. A process that
//!    receives the heartbeats of a later one of its own identity is superseded and has to end.
//! 5. A host that fails repeatedly is [damped](Standing), for longer each time up to
//!    [`DAMPING_MAX`].
//! 6. Memory is bounded by [`HOSTS_MAX`] and [`HOSTED_COMPONENTS_MAX`].
//!
//! The code has no clock, no randomness and no sockets: callers pass `now`.

mod connection;
mod event;
mod host_id;
mod member;
pub mod message;
mod monotonic;
mod random;
mod rejected;
pub mod routing;
mod self_state;
mod state_machine;
mod timing;
mod view;

pub use connection::{BusStatus, PlacementPause};
pub use event::{Change, Event};
pub use host_id::{HOST_ID_BYTES, HostId, HostIdError};
pub use monotonic::Moment;
pub use random::Random;
pub use rejected::{Rejection, RejectionCounts};
pub use self_state::Identity;
pub use state_machine::Membership;
pub use timing::{
    DAMPING_FIRST, DAMPING_MAX, DEAD_AFTER, DEAD_HOSTS_MAX, FLAP_WINDOW, FLAPS_FREE, FORGET_AFTER,
    FORGET_UNKNOWN_AFTER, HEARTBEAT_EVERY, HEARTBEATS_MISSED, HOSTED_COMPONENTS_MAX, HOSTS_MAX,
    INVENTORY_REQUESTS_MAX, OUTAGES_MAX, REFUTATIONS_MAX, REFUTE_AGAIN_AFTER, REQUEST_AFTER,
    REQUEST_AGAIN_AFTER, SETTLE_AFTER_RETURN, SETTLE_AFTER_START, STALL_MIN, SUSPECT_AFTER,
    TICK_EVERY,
};
pub use view::{HostView, Liveness, Standing, View};
