//! Bus tests through the public interface: one suite for all implementations, with a real NATS
//! server.

#![expect(clippy::unwrap_used, reason = "test helpers panic to fail the test")]

mod conformance;
mod local;
mod nats;
