//! Components on wasmtime: everything of a host that names it.
//!
//! - [`engine`], [`compile`]: wasmtime's engines, and machine code that is compiled once.
//! - [`bindings`], [`guest`]: the interfaces that a component sees, and the state of a running one.
//! - [`linking`]: from a manifest's links to something that can be instantiated.
//! - [`links`]: calls between components that are not fused.
//! - [`endpoint`]: components that take requests, their instances and bounds.
//! - [`http`], [`wave_call`]: requests and calls from outside.
//! - [`app_runtime`]: the implementation of [`weft_node::runtime::Runtime`].

mod app_runtime;
mod bindings;
mod compile;
mod endpoint;
mod engine;
mod guest;
mod http;
mod linking;
mod links;
mod start;
mod wave_call;

pub use app_runtime::WasmRuntime;
pub use links::remote::FrameServer;
pub use start::{RuntimeConfig, RuntimeError, RuntimeLinks};
