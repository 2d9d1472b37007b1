//! Frames that are larger than a message of the bus: they stay where they are, and whoever they are for
//! fetches them (`docs/wire.md`, "Large frames").
//!
//! - [`store`]: what this host keeps until others have fetched it, and the task that hands it out.
//! - [`fetch`]: what this host fetches from others.
//!
//! Both are bounded in bytes, for the host as a whole.

mod fetch;
mod store;
#[cfg(test)]
mod tests;

use weft_bus::Bus;
use weft_membership::HostId;

pub(super) use self::fetch::{ClaimFetchError, ClaimFetcher};
pub(super) use self::store::{ClaimStore, ClaimStoreError, StoredFrame, serve};

use crate::subjects::Subjects;

/// What a message has besides the part of a frame: the fields of `held` or `part`, and an authenticator of
/// the longest.
const PART_OVERHEAD: usize = 1 << 10;

/// Frames that are larger than a message, both ways.
#[derive(Clone)]
pub(super) struct ClaimChecks {
    pub(super) store: ClaimStore,
    pub(super) fetcher: ClaimFetcher,
}

impl ClaimChecks {
    pub(super) fn new(bus: Bus, subjects: Subjects, me: HostId) -> Self {
        Self {
            store: ClaimStore::new(me),
            fetcher: ClaimFetcher::new(bus, subjects),
        }
    }
}

/// The largest part of a frame that fits into a message of the bus.
fn part_bytes_max(bus: &Bus) -> usize {
    let most = bus.max_payload();
    // Half of it where messages are hardly larger than what is around a part.
    most.saturating_sub(PART_OVERHEAD).max(most / 2)
}
