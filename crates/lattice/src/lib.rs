//! What a lattice keeps and how one talks to it: the desired state, the bytes of components, and
//! the control protocol.
//!
//! A lattice of one process keeps its desired state in an embedded database file
//! ([`store::Store`]) and component bytes beside it, addressed by digest
//! ([`artifacts::Artifacts`]). Everyone outside the process (the `weft` command, scripts) speaks
//! the [control protocol](control). Hosts know of each other by [`membership`], and a call finds the
//! host that serves it by [`routing`]: both are state machines without clocks, sockets or tasks. What a
//! host *does* with the desired state is the host's own.

pub mod artifacts;
pub mod buckets;
pub mod bus;
pub mod control;
pub mod desired;
pub mod keyed;
pub mod membership;
pub mod objects;
pub mod peers;
pub mod routing;
pub mod store;

mod durable;
mod moment;
mod random;

pub use moment::Moment;
pub use random::Random;
