//! Components on wasmtime: every use of wasmtime in a host is in this crate.
//!
//! - `engine`, `compile`: the engines, and compilation with its cache.
//! - `bindings`, `guest`: the interfaces that components import, and the state of an instance.
//! - `linking`: from the links of a manifest to components that can be instantiated.
//! - `links`: calls between components that are not fused.
//! - `endpoint`: components that take requests and calls, with their instances and limits.
//! - `turns`: processor time of guests that run long.
//! - `http`, `dynamic_call`: HTTP requests, and calls with arguments in text form.
//! - `app_runtime`: the implementation of [`weft_node::runtime::Runtime`].

mod app_runtime;
mod bindings;
mod compile;
mod dynamic_call;
mod endpoint;
mod engine;
mod guest;
mod http;
mod linking;
mod links;
mod turns;

pub use app_runtime::{RuntimeConfig, RuntimeError, RuntimeLinks, WasmRuntime};
pub use bindings::other_versions;
pub use engine::machine_memory_bytes;
pub use links::remote::FrameServer;
