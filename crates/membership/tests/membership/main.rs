//! Membership and routing: encoded messages, and properties of the state machines.

mod bounds;
mod damping;
mod fuzz;
mod identity;
mod inventory_requests;
mod liveness;
mod messages;
mod model;
mod routing;
mod self_state;
mod strategies;
