//! Who is in the lattice: heartbeats and inventories in, a [`View`] out.
//!
//! Each host tells the others each second that it lives, with the hash of its [inventory](message), which it
//! sends when it changes and to who asks. From what it hears, each host makes a view of its own; no two need
//! be the same, and nothing here asks anybody to agree. What follows from a view is placement's and
//! [routing](crate::routing)'s.
//!
//! What is promised:
//! 1. A host that is silent for [`DEAD_AFTER`] is dead at the next tick, and never before, by the clock of
//!    who listens. Clocks of others decide nothing.
//! 2. A message that is a replay, from an earlier life, for another lattice or damaged changes nothing, and
//!    is counted.
//! 3. While the host's own bus is away, back for less than [`SETTLE_AFTER_RETURN`], or the host itself was
//!    stopped, the view of others is [held](Freeze): silence on its own side proves nothing.
//! 4. A host that comes and goes is [damped](Standing), for longer each time up to [`DAMPING_MAX`].
//! 5. Memory is bounded by [`HOSTS_MAX`] and [`HOLDINGS_MAX`].
//!
//! There is no time, no randomness and no socket in here: `now` is handed in.

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

pub use connection::{BusStatus, Freeze};
pub use event::{Change, Event};
pub use host_id::{HOST_ID_BYTES, HostId, HostIdError};
pub use monotonic::Moment;
pub use random::Random;
pub use rejected::{Rejection, RejectionCounts};
pub use self_state::Identity;
pub use state_machine::Membership;
pub use timing::{
    ASK_AFTER, ASK_AGAIN_AFTER, ASKS_MAX, DAMPING_FIRST, DAMPING_MAX, DEAD_AFTER, FLAP_WINDOW,
    FLAPS_FREE, FORGET_AFTER, HEARTBEAT_EVERY, HEARTBEATS_MISSED, HOLDINGS_MAX, HOSTS_MAX,
    OUTAGES_MAX, SETTLE_AFTER_RETURN, SETTLE_AFTER_START, STALL_MIN, SUSPECT_AFTER, TICK_EVERY,
};
pub use view::{HostView, Liveness, Standing, View};
