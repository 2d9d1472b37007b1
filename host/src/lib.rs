//! The host: the composition of its crates, from start to drain.
//!
//! `weft_runtime` runs components, `weft_ingress` serves HTTP, and `weft_node` makes the host a
//! member of a lattice. [`Host::start`] connects them.

mod capacity;
mod config;
mod control_runtime;
mod descriptors;
mod host;
mod manifest_check;

pub use config::HostConfig;
pub use host::{DrainLimits, DrainOutcome, Host, StartError};
pub use manifest_check::{CheckStartError, ManifestCheck};
pub use weft_node::controller::DeployError;
pub use weft_node::{FaultError, Faults, LabelsError, MeshConfig, MeshError};
pub use weft_runtime::other_versions;
pub use weft_telemetry::logs;
