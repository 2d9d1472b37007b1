//! Routing: where calls go, and where they do not.

mod choice;
mod cost;
mod ejection;
mod retries;
mod support;
