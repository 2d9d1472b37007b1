//! State of a lattice that outlives its hosts: the desired state, key-value buckets, component
//! artifacts.
//!
//! Each host has its desired state in an embedded database file ([`store::Store`]) and artifacts
//! beside it, addressed by digest ([`artifacts::Artifacts`]). A lattice of many hosts has both in
//! JetStream too ([`desired`], [`objects`], [`kv`]); the database is then a replica
//! ([`desired::DesiredReplica`]), which [`peers`] can fill where JetStream is unavailable.

pub mod artifacts;
pub mod atomic_file;
pub mod blocking;
pub mod buckets;
pub mod collection;
pub mod data_directory;
pub mod desired;
pub mod kv;
pub mod objects;
pub mod peers;
pub mod store;
