//! Heartbeats: liveness, state and load of a host.

use weft_wire::{Decoder, EncodeError, Encoder, FieldError, numbered};

use super::Origin;
use super::inventory::{INVENTORY_HASH_BYTES, InventoryHash};

/// Proof that a host is alive, sent every second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The sender and the number of the heartbeat.
    pub origin: Origin,
    /// The sender's wall clock in milliseconds since 1970. For display only, because clocks of
    /// hosts differ.
    pub sent_ms: u64,
    /// The sender's state.
    pub state: HostState,
    /// The sender's load.
    pub load: Load,
    /// Hash of the sender's inventory. A receiver with another one requests it.
    pub inventory: InventoryHash,
}

numbered! {
    /// State of a host, as published by itself. The numbers are on the wire.
    pub enum HostState: u32 {
        /// Starting, and waiting for heartbeats of other hosts.
        Joining = 0, "joining";
        /// Serving, and open to new work.
        Ready = 1, "ready";
        /// Leaving: takes no new work, and finishes calls in progress.
        Draining = 2, "draining";
        /// Serving, without changing its components: its own connection was lost, or restored just
        /// now.
        Frozen = 3, "frozen";
        /// Left: this is its last heartbeat.
        Left = 4, "left";
    }
}

/// Load of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Load {
    /// Number of calls and HTTP requests in progress.
    pub running: u32,
    /// Maximum of calls and HTTP requests, above which the host replies `busy`.
    pub limit: u32,
}

// === impl Heartbeat ===

impl Heartbeat {
    pub(super) fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.sent_ms)?;
        encoder.case(self.state)?;
        encoder.u32(self.load.running)?;
        encoder.u32(self.load.limit)?;
        encoder.bytes(self.inventory.as_bytes())
    }

    pub(super) fn read(origin: Origin, decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            origin,
            sent_ms: decoder.u64()?,
            state: decoder.case()?,
            load: Load {
                running: decoder.u32()?,
                limit: decoder.u32()?,
            },
            inventory: decoder
                .fixed_bytes::<INVENTORY_HASH_BYTES>("inventory")
                .map(InventoryHash::from_bytes)?,
        })
    }
}
