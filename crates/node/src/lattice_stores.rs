//! The storage of the lattice: the bucket of the desired state, and the object store of artifacts.

use std::sync::Arc;

use weft_bus::{Bus, Transport};
use weft_state::buckets::BucketOptions;
use weft_state::desired::Records;
use weft_state::desired::record_codec::{OBJECTS, RECORDS};
use weft_state::objects::Objects;
use weft_state::store::Store;

use crate::mesh::MeshError;

/// The buckets of a lattice.
#[derive(Debug, Clone)]
pub(super) struct LatticeStores {
    pub(super) records: Records,
    /// `None` for a host alone: it has all artifacts on its disk.
    pub(super) objects: Option<Objects>,
}

impl LatticeStores {
    /// The buckets of the lattice of `bus`. Sends nothing yet. For a host alone, `database` is the
    /// storage of its records.
    ///
    /// # Errors
    /// If the database cannot be read. Both bucket names are valid.
    pub(super) fn open(
        bus: &Bus,
        options: &BucketOptions,
        database: &Arc<Store>,
    ) -> Result<Self, MeshError> {
        if let Transport::Local(endpoint) = bus.transport()
            && bus.is_alone()
        {
            let records = Records::in_database(endpoint, RECORDS, database.clone());
            let (records, objects) = (records.map_err(MeshError::Replica)?, None);
            return Ok(Self { records, objects });
        }
        let objects = Objects::open(bus, OBJECTS, options).map_err(MeshError::Buckets)?;
        Ok(Self {
            records: Records::open(bus, RECORDS, options).map_err(MeshError::Buckets)?,
            objects: Some(objects),
        })
    }
}
