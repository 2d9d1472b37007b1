//! Routing of calls.

mod choice;
mod cost;
mod ejection;
mod retries;
mod support;
