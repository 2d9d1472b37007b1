//! Test kit: the bus, the NATS server and state machines for the tests of several crates.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "test helpers panic to fail the test"
)]

pub mod bus;
pub mod membership;
pub mod nats_server;
