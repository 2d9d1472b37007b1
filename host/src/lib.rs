//! host
pub mod logs;
mod engine;
mod compile;
mod guest;
mod bindings;
