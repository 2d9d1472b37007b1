//! Plans links, and generates stubs and skeletons for components made from WIT, without running
//! them.
//!
//! The host's tests run the generated code.

mod any_interfaces;
mod cache;
mod damaged_components;
mod fuse;
mod generate;
mod match_functions;
mod plan;
mod support;
mod unsupported;
