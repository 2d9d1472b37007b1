//! Membership and routing: messages as bytes, and the laws of the state machines.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, as tests do"
)]

mod bounds;
mod damping;
mod fuzz;
mod inventory_requests;
mod liveness;
mod messages;
mod model;
mod routing;
mod self_state;
mod strategies;
