//! Hosts as sources for each other, while the stores of the lattice are unavailable: records of the
//! desired state and bytes of components.
//!
//! A host requests the *list* of a peer's records, each with the digest of its value, and then the
//! *bytes* of those it lacks, in chunks. Values and components are fetched alike, and verified by
//! their digest, whichever peer sent them.
//!
//! - [`message`]: the questions and answers, as bytes; `docs/lattice.md` is the specification.
//! - [`Catalog`]: the records that a host offers.
//! - [`ChunkedDownload`]: a download in chunks.
//!
//! This module has no clocks, tasks or sockets.

mod catalog;
mod chunked_download;
pub mod message;

pub use catalog::Catalog;
pub use chunked_download::{Chunk, ChunkedDownload, ChunkedDownloadError};
