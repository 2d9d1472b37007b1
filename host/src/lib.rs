//! The host: runs components and everything they may touch.
//!
//! - `engine`, `compile`: wasmtime's engines, and machine code that is compiled once.
//! - `bindings`, `guest`: what a component sees of the world, and what a running one has.
//! - `linking`: from a manifest's links to something that can be instantiated.
//! - `links`: what runs when a component calls another that is not fused with it.
//! - `mesh`: this host as one of a lattice of many.
//! - `entry`: components that take requests, their instances and bounds.
//! - `controller`: the task that makes what runs agree with the desired state.
//! - `ingress`, `call`, `admin`: the ways in.
//!
//! [`Host::start`] is the way to run one.

mod admin;
mod bindings;
mod call;
mod compile;
mod config;
mod connection;
mod controller;
mod engine;
mod entry;
mod events;
mod faults;
mod files;
mod guest;
mod host;
mod ingress;
mod labels;
mod linking;
mod links;
pub mod logs;
mod mesh;
mod ring;

pub use config::HostConfig;
pub use faults::{FaultError, Faults};
pub use host::{Drained, Host, StartError};
pub use labels::LabelsError;
pub use mesh::{MeshConfig, MeshError};
