//! The host: its parts put together, from start to drain.
//!
//! Components run in `weft_runtime`, HTTP comes in through `weft_ingress`, and `weft_node` makes the host a
//! member of a lattice. [`Host::start`] connects them.

mod config;
mod host;

pub use config::HostConfig;
pub use host::{Drained, Host, StartError};
pub use weft_node::{FaultError, Faults, LabelsError, MeshConfig, MeshError};
pub use weft_telemetry::logs;
