//! The crate as its users see it.

mod allocations;
mod any;
mod docs;
mod examples;
mod frames;
mod fuzz;
mod golden;
mod hostile;
mod large;
mod model;
mod numbers;
mod oracle;
mod refusals;
