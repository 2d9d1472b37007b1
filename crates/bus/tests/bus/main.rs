//! The bus as its users see it: one suite for all implementations, against a real NATS server.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, as tests do"
)]

mod conformance;
mod local;
mod nats;
