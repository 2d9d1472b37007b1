//! Hosts as a source for each other: records of the desired state and bytes of components, where the stores
//! of the lattice are away.
//!
//! A host asks a peer for the *list* of its records, each with the digest of its value, and then for the *bytes*
//! of what it does not have, in chunks. A value and a component are fetched alike: what came is what was asked
//! for if it hashes to the digest, whoever sent it.
//!
//! - [`message`]: the questions and answers, as bytes; `docs/lattice.md` is the specification.
//! - [`Catalog`]: what a host offers of its records.
//! - [`Assembly`]: bytes that come in chunks.
//!
//! There are no clocks, tasks and sockets in here.

mod catalog;
mod chunked_download;
pub mod message;

pub use catalog::Catalog;
pub use chunked_download::{Assembly, AssemblyError, Chunk};
