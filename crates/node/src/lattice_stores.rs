//! The storage of the lattice: the bucket of the desired state, and the object store of artifacts.

use weft_bus::Bus;
use weft_state::buckets::{BucketOptions, StoreError};
use weft_state::desired::Records;
use weft_state::desired::record_codec::{OBJECTS, RECORDS};
use weft_state::objects::Objects;

/// The buckets of a lattice.
#[derive(Debug, Clone)]
pub(super) struct LatticeStores {
    pub(super) records: Records,
    pub(super) objects: Objects,
}

impl LatticeStores {
    /// The buckets of the lattice of `bus`. Sends nothing yet.
    ///
    /// # Errors
    /// Never, because both bucket names are valid.
    pub(super) fn open(bus: &Bus, options: &BucketOptions) -> Result<Self, StoreError> {
        Ok(Self {
            records: Records::open(bus, RECORDS, options)?,
            objects: Objects::open(bus, OBJECTS, options)?,
        })
    }
}
