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

pub(super) use self::fetch::{TakeError, Taker};
pub(super) use self::store::{KeepError, Keeper, Kept, serve};

use crate::subjects::Subjects;

/// What a message has besides the part of a frame: the fields of `held` or `part`, and an authenticator of
/// the longest.
const AROUND_A_PART: usize = 1 << 10;

/// Frames that are larger than a message, both ways.
#[derive(Clone)]
pub(super) struct Large {
    pub(super) keeper: Keeper,
    pub(super) taker: Taker,
}

impl Large {
    pub(super) fn new(bus: Bus, subjects: Subjects, me: HostId) -> Self {
        Self {
            keeper: Keeper::new(me),
            taker: Taker::new(bus, subjects),
        }
    }
}

/// The largest part of a frame that fits into a message of the bus.
fn part_bytes(bus: &Bus) -> usize {
    let most = bus.max_payload();
    // Half of it where messages are hardly larger than what is around a part.
    most.saturating_sub(AROUND_A_PART).max(most / 2)
}
