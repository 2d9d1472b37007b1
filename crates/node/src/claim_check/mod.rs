//! Claim checks: frames that exceed a message of the bus stay at their sender, and the receiver
//! fetches them part by part (`docs/wire.md`, "Large frames").
//!
//! - [`store`]: the frames that this host offers, and the task that serves their parts.
//! - [`fetch`]: the frames that this host fetches from others.
//!
//! Both sides are bounded in bytes, for the host as a whole.

mod fetch;
mod store;
#[cfg(test)]
mod tests;

use weft_bus::Bus;
use weft_membership::HostId;

pub(super) use self::fetch::{ClaimFetchError, ClaimFetcher};
pub(super) use self::store::{ClaimStore, ClaimStoreError, StoredFrame, serve};

use crate::subjects::Subjects;

/// The bytes of a message beside the part of a frame: the fields of `held` or `part`, and the
/// longest authenticator.
const PART_OVERHEAD: usize = 1 << 10;

/// Both sides of claim checks. Cheap to clone.
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
    // Half of the message where messages are hardly larger than the overhead.
    most.saturating_sub(PART_OVERHEAD).max(most / 2)
}
