//! A host as a member of a lattice, without the runtime of its components.
//!
//! The runtime is behind one trait, [`runtime::Runtime`]; in tests and simulations a small fake
//! stands in ([`fake_runtime`]).
//!
//! Start and end:
//! - `mesh`: joining and leaving a lattice, and the tasks in between; `identity`, `incarnation`,
//!   `subjects`, `clock`.
//! - `membership_task`: heartbeats and inventories; `inventory_publisher` publishes this host's
//!   own, `health_probe` probes ejected hosts, `liveness` reports deaths to waiting calls.
//!
//! Desired state:
//! - [`controller`]: the task that owns the apps of this host.
//! - `reconciler`: the task that reconciles this host's share of the desired state;
//!   `local_assignment` computes the share, `replica_file` stores the replica, `precompile`
//!   compiles for failover. `route_publisher` publishes the routes of all desired apps.
//! - `unplaceable`: components that no host may run.
//! - `desired_writer`: changes of the desired state; `lattice_stores`: the lattice's buckets.
//! - `artifact_fetcher`, `peer_sync`, `peer_rpc`: artifacts and records from buckets and peers.
//! - `store_marks`: remembers the stores of providers, so that a lost one is not taken for a new
//!   one.
//! - `collector`: deletes artifacts, objects and machine code that no app needs any more.
//!
//! Calls:
//! - `call_client`: the loop of a call, from its attempts, which `call_routing` chooses, to its
//!   reply; `stream_client` carries the attempts of streaming calls over `bus_channel`.
//! - `call_server`: unary calls of other hosts; `stream_server`: their streaming calls and
//!   forwarded requests; `call_servers` starts both; `dedup` drops messages that were delivered
//!   twice.
//! - `claim_check`: transfers frames that exceed a message.
//!
//! Operators:
//! - [`admin`]: the admin API; `cluster_view` and `drain` are its reads and operations in a
//!   lattice.
//! - `event_reporter`: membership changes as events; `labels`, `fault_injection`.

mod artifact_fetcher;
mod bus_channel;
mod bus_return;
mod call_client;
mod call_routing;
mod call_server;
mod call_servers;
#[cfg(test)]
mod call_tests;
mod claim_check;
mod clock;
mod cluster_view;
mod collector;
mod dedup;
mod desired_writer;
mod drain;
mod environment;
mod event_reporter;
mod fault_injection;
mod health_probe;
mod host_tasks;
mod identity;
mod incarnation;
mod inventory_publisher;
mod labels;
mod lattice_stores;
mod liveness;
mod local_assignment;
mod membership_task;
mod mesh;
mod peer_rpc;
mod peer_sync;
mod precompile;
mod reconciler;
mod replica_file;
mod route_publisher;
mod running_calls;
mod store_marks;
mod stream_client;
mod stream_server;
mod subjects;
#[cfg(test)]
mod test_support;
mod unplaceable;

pub mod admin;
pub mod controller;
pub mod fake_runtime;
pub mod runtime;

pub use environment::Environment;
pub use fault_injection::{FaultError, Faults};
pub use host_tasks::{Gate, HostTasks};
pub use identity::StoreIncarnation;
pub use labels::{HostLabels, LabelsError};
pub use membership_task::MembershipSnapshot;
pub use mesh::{Files, Joined, Mesh, MeshConfig, MeshError, Parts};
pub use reconciler::{Decision, KeptApp};
