//! The stores of the lattice: the bucket of its desired state, and the bytes of its components.

use weft_lattice::buckets::{BucketOptions, StoreError};
use weft_lattice::bus::Bus;
use weft_lattice::desired::Records;
use weft_lattice::desired::said::{OBJECTS, RECORDS};
use weft_lattice::objects::Objects;

/// The buckets of a lattice.
#[derive(Debug, Clone)]
pub(super) struct Desired {
    pub(super) records: Records,
    pub(super) objects: Objects,
}

impl Desired {
    /// The buckets of the lattice that `bus` is for. Nothing is sent yet.
    ///
    /// # Errors
    /// None: both names are ones.
    pub(super) fn open(bus: &Bus, options: &BucketOptions) -> Result<Self, StoreError> {
        Ok(Self {
            records: Records::open(bus, RECORDS, options)?,
            objects: Objects::open(bus, OBJECTS, options)?,
        })
    }
}
