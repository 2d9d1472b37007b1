//! Tests of the public API.

mod allocations;
mod any;
mod claim_check;
mod docs;
mod examples;
mod frames;
mod fuzz;
mod golden;
mod hostile;
mod model;
mod numbers;
mod oracle;
mod refusals;
