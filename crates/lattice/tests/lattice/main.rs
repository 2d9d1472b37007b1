//! The crate as its users see it: the bus and the stores of a lattice, each by one suite for all
//! implementations, against a real NATS server, and the laws of membership and routing.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, as tests do"
)]

mod bus;
mod copy;
mod local;
mod membership;
mod nats;
mod objects;
mod peers;
mod records;
mod rig;
mod routing;
mod server;
mod share;
