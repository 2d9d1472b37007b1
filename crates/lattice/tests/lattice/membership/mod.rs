//! Membership: messages as bytes, and the laws of the state machine.

mod any;
mod asks;
mod bounds;
mod damping;
mod docs;
mod fuzz;
mod golden;
mod laws;
mod messages;
mod model;
mod own;
pub(crate) mod rig;
