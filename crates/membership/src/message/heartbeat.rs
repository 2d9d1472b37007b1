//! Heartbeats: that a host lives, and how busy it is.

use weft_wire::{EncodeError, Encoder};

use super::Origin;
use super::error::FieldError;
use super::fields::Reader;
use super::inventory::{INVENTORY_HASH_BYTES, InventoryHash};

/// A host lives. Sent each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Who, and which of its heartbeats.
    pub origin: Origin,
    /// The sender's clock, in milliseconds since 1970. For people: nothing is decided by it, since clocks of
    /// hosts differ.
    pub sent_ms: u64,
    /// What the host says of itself.
    pub state: HostState,
    /// How busy it is.
    pub load: Load,
    /// The hash of its inventory. Who has another one asks for it.
    pub inventory: InventoryHash,
}

/// What a host says of itself. The numbers are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum HostState {
    /// It has just started, and is learning who else there is.
    Joining = 0,
    /// It works.
    Ready = 1,
    /// It is to leave: takes nothing new, and finishes what it has.
    Draining = 2,
    /// Its own connection was lost, or has just come back: it works, and changes nothing of what it runs.
    Frozen = 3,
    /// It has finished, and this is its last heartbeat.
    Left = 4,
}

/// How busy a host is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Load {
    /// How many calls and requests it runs.
    pub running: u32,
    /// How many it takes at most, before it answers that it is busy.
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
    /// All of them, in the order of their numbers.
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
