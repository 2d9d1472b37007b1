//! Heartbeats: liveness, state and load of a host.

use weft_wire::{EncodeError, Encoder};

use super::Origin;
use super::error::FieldError;
use super::fields::Reader;
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

/// State of a host, as published by itself. The numbers are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum HostState {
    /// Starting, and waiting for heartbeats of other hosts.
    Joining = 0,
    /// Serving, and open to new work.
    Ready = 1,
    /// Leaving: takes no new work, and finishes calls in progress.
    Draining = 2,
    /// Serving, without changing its components: its own connection was lost, or restored just now.
    Frozen = 3,
    /// Left: this is its last heartbeat.
    Left = 4,
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
        encoder.discriminant(self.state as u32, HostState::ALL.len() as u32)?;
        encoder.u32(self.load.running)?;
        encoder.u32(self.load.limit)?;
        encoder.bytes(self.inventory.as_bytes())
    }

    pub(super) fn read(origin: Origin, reader: &mut Reader<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            origin,
            sent_ms: reader.u64()?,
            state: reader.case(&HostState::ALL)?,
            load: Load {
                running: reader.u32()?,
                limit: reader.u32()?,
            },
            inventory: reader
                .array::<INVENTORY_HASH_BYTES>("inventory")
                .map(InventoryHash::from_bytes)?,
        })
    }
}

// === impl HostState ===

impl HostState {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Joining,
        Self::Ready,
        Self::Draining,
        Self::Frozen,
        Self::Left,
    ];

    /// The name in messages, in kebab case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Frozen => "frozen",
            Self::Left => "left",
        }
    }
}
