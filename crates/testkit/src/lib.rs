//! Test kit: servers, hosts and state machines that the tests of several crates share.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    missing_docs,
    reason = "helpers of tests fail the test, as tests do, and are documented where they are not obvious"
)]

pub mod bus;
pub mod membership;
pub mod nats_server;
