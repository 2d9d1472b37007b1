//! Bodies of collections: the deletion of what no app needs on a host.

use serde::{Deserialize, Serialize};

/// The most entries of a store that a report lists; beyond it they are only counted.
pub const LISTED_MAX: usize = 100;

/// The shortest grace time of a collection: the longest time from the look at an artifact to its
/// use.
pub const GRACE_S_MIN: u64 = 5;

/// The body of `POST /v1/gc`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionRequest {
    /// True to delete nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// The grace time in seconds, at least [`GRACE_S_MIN`]; the host's own if `None`.
    #[serde(default)]
    pub grace_s: Option<u64>,
}

/// The answer to `POST /v1/gc`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionReport {
    /// The host's name.
    pub host: String,
    /// Its id in the lattice; `None` for a host without one.
    pub id: Option<String>,
    /// True if nothing was deleted, and the numbers are those of what would be.
    pub dry_run: bool,
    /// The reason why the host deletes nothing now, if there is one.
    pub held: Option<String>,
    /// The bytes that were freed, or would be.
    pub freed_bytes: u64,
    /// The artifacts on the disk of the host.
    pub artifacts: CollectedStore,
    /// The machine code on the disk of the host.
    pub code: CollectedStore,
    /// The object store of the lattice; `None` for a host without one. What one host has deleted
    /// there is gone for the others.
    pub objects: Option<CollectedStore>,
}

/// The result of a collection in one store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedStore {
    /// Number of deleted entries.
    pub deleted: usize,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// The bytes that are stored: without the deleted ones, unless it was a dry run.
    pub stored_bytes: u64,
    /// The deleted entries, the first [`LISTED_MAX`].
    pub entries: Vec<CollectedEntry>,
    /// The reason why the store could not be collected, if that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An entry that was deleted, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedEntry {
    /// The digest of an artifact, or the name of an entry of the compile cache.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
}

impl CollectedStore {
    /// Adds a deleted entry.
    pub fn add(&mut self, name: String, bytes: u64) {
        self.deleted += 1;
        self.deleted_bytes += bytes;
        if self.entries.len() < LISTED_MAX {
            self.entries.push(CollectedEntry { name, bytes });
        }
    }
}
