//! Encoded messages between hosts: heartbeats, inventories and requests. `docs/lattice.md` is the
//! specification.
//!
//! A message is a byte for the version, one for the kind, an authenticator, and then a record in
//! the value encoding of `weft_wire`, like frames of links ([`FrameEnvelope`]). Input is hostile:
//! every limit is checked before memory is allocated, and every error is typed.

mod heartbeat;
mod inventory;
mod labels;
mod limits;

pub use heartbeat::{Heartbeat, HostState, Load};
pub use inventory::{
    ComponentId, Contents, Failure, HostCondition, HostedComponent, INVENTORY_HASH_BYTES,
    Inventory, InventoryHash, Readiness, Revision, StoreId,
};
pub use labels::{LabelError, Labels};
pub use limits::{
    MAX_ANSWER_BYTES, MAX_CHUNK_BYTES, MAX_COMPONENTS, MAX_FAILURES, MAX_HEARTBEAT_BYTES,
    MAX_HOST_NAME_BYTES, MAX_INVENTORY_BYTES, MAX_LABEL_BYTES, MAX_LABELS, MAX_NAME_BYTES,
    MAX_QUESTION_BYTES, MAX_REASON_BYTES, MAX_RELEASE_BYTES, MAX_STORES,
};

use weft_wire::{
    Decoder, EncodeError, Encoder, FieldError, FrameEnvelope, FrameError, FrameKind, Limits,
    MAX_LATTICE_BYTES, encode_frame, numbered,
};

use super::host_id::{HOST_ID_BYTES, HostId};

/// Version of the messages that this crate encodes and decodes.
pub const VERSION: u8 = 1;

numbered! {
    /// Kind of a message. The numbers begin after those of link frames, so that a message on the
    /// wrong subject is rejected by its kind.
    pub enum Kind: u8 {
        /// Liveness, state and load of a host.
        Heartbeat = 64, "heartbeat";
        /// Contents of a host.
        Inventory = 65, "inventory";
        /// Request for the receiver's inventory.
        InventoryRequest = 66, "ask";
        /// Request for the list of the receiver's desired-state records; see `weft_state::peers`.
        ListRequest = 67, "list-ask";
        /// Reply to `ListRequest`.
        List = 68, "list";
        /// Request for a part of a record or an artifact.
        BytesRequest = 69, "bytes-ask";
        /// Reply to `BytesRequest`.
        Bytes = 70, "bytes";
    }
}

/// The sender of a message, and the place of the message among its others of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The sender.
    pub host: HostId,
    /// Start counter of the host.
    pub incarnation: u64,
    /// Grows with each new message of the kind within an incarnation. A repeated inventory keeps
    /// its number.
    pub sequence: u64,
}

/// A request for the receiver's inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InventoryRequest {
    /// The requesting host, and the number of the request.
    pub origin: Origin,
}

/// A membership message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Liveness, state and load of the sender.
    Heartbeat(Heartbeat),
    /// Contents of the sender.
    Inventory(Inventory),
    /// Request for the receiver's inventory.
    InventoryRequest(InventoryRequest),
}

/// A message whose body is not decoded yet.
pub type Envelope<'a> = FrameEnvelope<'a, Kind>;

/// Limits of the value decoder for messages of any kind.
const LIMITS: Limits = Limits {
    // Lists of records without lists in them.
    depth: 2,
    elements: (MAX_COMPONENTS + MAX_STORES + MAX_LABELS + MAX_FAILURES + HostCondition::ALL.len())
        as u64,
    bytes: MAX_INVENTORY_BYTES,
};

// === impl Kind ===

impl FrameKind for Kind {
    const VERSION: u8 = VERSION;
    const LIMITS: Limits = LIMITS;

    fn bytes_max(self) -> usize {
        match self {
            Self::Heartbeat | Self::InventoryRequest => MAX_HEARTBEAT_BYTES,
            Self::Inventory => MAX_INVENTORY_BYTES,
            Self::ListRequest | Self::BytesRequest => MAX_QUESTION_BYTES,
            Self::List | Self::Bytes => MAX_ANSWER_BYTES,
        }
    }
}

// === impl Message ===

impl Message {
    /// The kind of the message.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Heartbeat(_) => Kind::Heartbeat,
            Self::Inventory(_) => Kind::Inventory,
            Self::InventoryRequest(_) => Kind::InventoryRequest,
        }
    }

    /// The sender of the message.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self {
            Self::Heartbeat(heartbeat) => heartbeat.origin,
            Self::Inventory(inventory) => inventory.origin,
            Self::InventoryRequest(request) => request.origin,
        }
    }

    /// Encodes the message for a lattice, with an empty authenticator.
    ///
    /// # Errors
    /// If a field is over the limit of the receiver.
    pub fn encode(&self, lattice: &str) -> Result<Vec<u8>, EncodeError> {
        self.encode_with(lattice, &[])
    }

    /// Encodes the message for a lattice, with an authenticator.
    ///
    /// # Errors
    /// If a field is over the limit of the receiver.
    pub fn encode_with(&self, lattice: &str, authenticator: &[u8]) -> Result<Vec<u8>, EncodeError> {
        encode(
            self.kind(),
            lattice,
            authenticator,
            self.origin(),
            |encoder| match self {
                Self::Heartbeat(heartbeat) => heartbeat.write(encoder),
                Self::Inventory(inventory) => inventory.write(encoder),
                Self::InventoryRequest(_) => Ok(()),
            },
        )
    }

    /// Decodes a message for a lattice, without checking its authenticator.
    ///
    /// # Errors
    /// If the message has another version or lattice, or an invalid field.
    pub fn decode(bytes: &[u8], lattice: &str) -> Result<Self, FrameError> {
        Self::read(&Envelope::open(bytes)?, lattice)
    }

    /// Decodes the body of a membership message.
    ///
    /// # Errors
    /// If the message is of another kind or for another lattice, a field is invalid, or bytes
    /// follow after the last one.
    pub fn read(envelope: &Envelope<'_>, lattice: &str) -> Result<Self, FrameError> {
        read_body(envelope, lattice, |kind, origin, decoder| {
            Ok(match kind {
                Kind::Heartbeat => Some(Self::Heartbeat(Heartbeat::read(origin, decoder)?)),
                Kind::Inventory => Some(Self::Inventory(Inventory::read(origin, decoder)?)),
                Kind::InventoryRequest => Some(Self::InventoryRequest(InventoryRequest { origin })),
                Kind::ListRequest | Kind::List | Kind::BytesRequest | Kind::Bytes => None,
            })
        })
    }
}

/// Encodes the head that all messages between hosts have in common, and a body.
///
/// # Errors
/// If a field is over the limit of the receiver.
pub fn encode(
    kind: Kind,
    lattice: &str,
    authenticator: &[u8],
    origin: Origin,
    body: impl FnOnce(&mut Encoder<'_>) -> Result<(), EncodeError>,
) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    encode_frame(kind, authenticator, &mut bytes, |encoder| {
        encoder.bytes_up_to(MAX_LATTICE_BYTES, "lattice", lattice.as_bytes())?;
        origin.write(encoder)?;
        body(encoder)
    })?;
    Ok(bytes)
}

/// Decodes the body of a message with `read`, which returns `None` for a kind that it does not
/// accept.
///
/// # Errors
/// As for [`Message::read`].
pub fn read_body<T>(
    envelope: &Envelope<'_>,
    lattice: &str,
    read: impl FnOnce(Kind, Origin, &mut Decoder<'_>) -> Result<Option<T>, FieldError>,
) -> Result<T, FrameError> {
    envelope.read_in(lattice, |decoder| {
        let origin = Origin::read(decoder)?;
        read(envelope.kind(), origin, decoder)
    })
}

// === impl Origin ===

impl Origin {
    /// The place of the message among those of its host.
    pub(crate) fn order(self) -> (u64, u64) {
        (self.incarnation, self.sequence)
    }

    /// Encodes the origin, as part of a head.
    ///
    /// # Errors
    /// If the message is over the limit of its kind.
    pub fn write(self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.bytes(self.host.key())?;
        encoder.u64(self.incarnation)?;
        encoder.u64(self.sequence)
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        let key = decoder.fixed_bytes::<HOST_ID_BYTES>("host")?;
        Ok(Self {
            host: HostId::from_key(key),
            incarnation: decoder.u64()?,
            sequence: decoder.u64()?,
        })
    }
}
