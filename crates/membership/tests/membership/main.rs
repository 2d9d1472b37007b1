//! Membership and routing: messages as bytes, and the laws of the state machines.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, as tests do"
)]

mod any;
mod asks;
mod bounds;
mod damping;
mod fuzz;
mod laws;
mod messages;
mod model;
mod own;
mod routing;
