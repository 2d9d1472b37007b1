//! The bus and the stores of a lattice, each by one suite for all implementations, against a real
//! NATS server.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, as tests do"
)]

mod bus;
mod local;
mod nats;
mod objects;
mod records;
mod rig;
mod server;
