//! Encoded messages between hosts: heartbeats, inventories and requests. `docs/lattice.md` is the
//! specification.
//!
//! A message is a byte for the version, one for the kind, an authenticator, and then a record in
//! the value encoding of `weft_wire`, like frames of links. Input is hostile: every limit is
//! checked before memory is allocated, and every error is typed.

mod error;
mod fields;
mod heartbeat;
mod inventory;
mod labels;
mod limits;

pub use error::{FieldError, MessageError};
pub use heartbeat::{Heartbeat, HostState, Load};
pub use inventory::{
    ComponentId, Contents, Failure, Holding, HostCondition, INVENTORY_HASH_BYTES, Inventory,
    InventoryHash, Readiness, Revision, StoreId,
};
pub use labels::{LabelError, Labels};
pub use limits::{
    MAX_ANSWER_BYTES, MAX_AUTHENTICATOR_BYTES, MAX_CHUNK_BYTES, MAX_COMPONENTS, MAX_FAILURES,
    MAX_HEARTBEAT_BYTES, MAX_HOST_NAME_BYTES, MAX_INVENTORY_BYTES, MAX_LABEL_BYTES, MAX_LABELS,
    MAX_LATTICE_BYTES, MAX_NAME_BYTES, MAX_QUESTION_BYTES, MAX_REASON_BYTES, MAX_RELEASE_BYTES,
    MAX_STORES,
};

use weft_wire::{EncodeError, Encoder};

use super::host_id::{HOST_ID_BYTES, HostId};
pub use fields::Reader;

/// Version of the messages that this crate encodes and decodes.
pub const VERSION: u8 = 1;

/// Kind of a message, by its number on the wire. Numbers are never reused. They begin after those
/// of link frames, so that a message on the wrong subject is rejected by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Liveness, state and load of a host.
    Heartbeat = 64,
    /// Contents of a host.
    Inventory = 65,
    /// Request for the receiver's inventory.
    Ask = 66,
    /// Request for the list of the receiver's desired-state records; see `weft_state::peers`.
    ListAsk = 67,
    /// Reply to `ListAsk`.
    List = 68,
    /// Request for a part of a record or an artifact.
    BytesAsk = 69,
    /// Reply to `BytesAsk`.
    Bytes = 70,
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
pub struct Ask {
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
    Ask(Ask),
}

/// A message whose body is not decoded yet.
///
/// Authenticators are checked between [`open`](Self::open) and [`message`](Self::message). An
/// authenticator has to cover [`head`](Self::head) and [`body`](Self::body).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    bytes: &'a [u8],
    kind: Kind,
    authenticator: &'a [u8],
    body: usize,
}

/// Length of version and kind.
const HEAD_BYTES: usize = 2;

// === impl Kind ===

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Heartbeat,
        Self::Inventory,
        Self::Ask,
        Self::ListAsk,
        Self::List,
        Self::BytesAsk,
        Self::Bytes,
    ];

    /// The name in `docs/lattice.md`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Inventory => "inventory",
            Self::Ask => "ask",
            Self::ListAsk => "list-ask",
            Self::List => "list",
            Self::BytesAsk => "bytes-ask",
            Self::Bytes => "bytes",
        }
    }

    /// The largest message of the kind.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Heartbeat | Self::Ask => MAX_HEARTBEAT_BYTES,
            Self::Inventory => MAX_INVENTORY_BYTES,
            Self::ListAsk | Self::BytesAsk => MAX_QUESTION_BYTES,
            Self::List | Self::Bytes => MAX_ANSWER_BYTES,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        let mut kinds = Self::ALL.into_iter();
        kinds.find(|kind| *kind as u8 == number)
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
            Self::Ask(_) => Kind::Ask,
        }
    }

    /// The sender of the message.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self {
            Self::Heartbeat(heartbeat) => heartbeat.origin,
            Self::Inventory(inventory) => inventory.origin,
            Self::Ask(ask) => ask.origin,
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
                Self::Ask(_) => Ok(()),
            },
        )
    }

    /// Decodes a message for a lattice, without checking its authenticator.
    ///
    /// # Errors
    /// If the message has another version or lattice, or an invalid field.
    pub fn decode(bytes: &[u8], lattice: &str) -> Result<Self, MessageError> {
        Envelope::open(bytes)?.message(lattice)
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
    let encoder = &mut Encoder::new(&mut bytes, kind.bytes_max());
    encoder.u8(VERSION)?;
    encoder.u8(kind as u8)?;
    encoder.bytes_up_to(MAX_AUTHENTICATOR_BYTES, "authenticator", authenticator)?;
    encoder.bytes_up_to(MAX_LATTICE_BYTES, "lattice", lattice.as_bytes())?;
    origin.write(encoder)?;
    body(encoder)?;
    Ok(bytes)
}

// === impl Origin ===

impl Origin {
    /// The place of the message among those of its host.
    pub(super) fn order(self) -> (u64, u64) {
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

    fn read(reader: &mut Reader<'_>) -> Result<Self, FieldError> {
        let key = reader.array::<HOST_ID_BYTES>("host")?;
        Ok(Self {
            host: HostId::from_key(key),
            incarnation: reader.u64()?,
            sequence: reader.u64()?,
        })
    }
}

// === impl Envelope ===

impl<'a> Envelope<'a> {
    /// Decodes everything before the body.
    ///
    /// # Errors
    /// If the version or the kind is not supported, or a limit is exceeded.
    pub fn open(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let kind = read_head(bytes)?;
        let (limit, found) = (kind.bytes_max(), bytes.len());
        if found > limit {
            return Err(MessageError::TooLong { kind, limit, found });
        }
        let read = || {
            let mut reader = Reader::new(bytes)?;
            skip_head(&mut reader)?;
            let authenticator = reader.bounded("authenticator", MAX_AUTHENTICATOR_BYTES)?;
            Ok((authenticator, reader.offset()))
        };
        let read = read().map_err(|source| MessageError::Malformed { kind, source });
        let (authenticator, body) = read?;
        Ok(Self {
            bytes,
            kind,
            authenticator,
            body,
        })
    }

    /// The kind of the message.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The proof of the sender's identity; may be empty.
    #[must_use]
    pub fn authenticator(&self) -> &'a [u8] {
        self.authenticator
    }

    /// The encoded version and kind.
    #[must_use]
    pub fn head(&self) -> &'a [u8] {
        &self.bytes[..HEAD_BYTES]
    }

    /// The encoded body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[self.body..]
    }

    /// Decodes the body of a membership message.
    ///
    /// # Errors
    /// If the message is of another kind or for another lattice, a field is invalid, or bytes
    /// follow after the last one.
    pub fn message(&self, lattice: &str) -> Result<Message, MessageError> {
        self.read(lattice, |kind, origin, reader| {
            Ok(match kind {
                Kind::Heartbeat => Some(Message::Heartbeat(Heartbeat::read(origin, reader)?)),
                Kind::Inventory => Some(Message::Inventory(Inventory::read(origin, reader)?)),
                Kind::Ask => Some(Message::Ask(Ask { origin })),
                Kind::ListAsk | Kind::List | Kind::BytesAsk | Kind::Bytes => None,
            })
        })
    }

    /// Decodes the body with `read`, which returns `None` for a kind that it does not accept.
    ///
    /// # Errors
    /// As for [`message`](Self::message).
    pub fn read<T>(
        &self,
        lattice: &str,
        read: impl FnOnce(Kind, Origin, &mut Reader<'_>) -> Result<Option<T>, FieldError>,
    ) -> Result<T, MessageError> {
        let kind = self.kind;
        let malformed = |source| MessageError::Malformed { kind, source };
        let mut reader = Reader::new(self.bytes).map_err(malformed)?;
        skip_head(&mut reader).map_err(malformed)?;
        let limit = MAX_AUTHENTICATOR_BYTES;
        reader.bounded("authenticator", limit).map_err(malformed)?;
        let found = reader.text("lattice", MAX_LATTICE_BYTES);
        let found = found.map_err(malformed)?;
        if found != lattice {
            return Err(MessageError::Lattice {
                expected: lattice.to_owned(),
                found: found.to_owned(),
            });
        }
        let origin = Origin::read(&mut reader).map_err(malformed)?;
        let body = read(kind, origin, &mut reader).map_err(malformed)?;
        let body = body.ok_or(MessageError::Kind { found: kind as u8 })?;
        reader.finish().map_err(malformed)?;
        Ok(body)
    }
}

fn read_head(bytes: &[u8]) -> Result<Kind, MessageError> {
    let (&version, rest) = bytes.split_first().ok_or(MessageError::Empty)?;
    if version != VERSION {
        return Err(MessageError::Version {
            found: version,
            supported: VERSION,
        });
    }
    let &number = rest.first().ok_or(MessageError::Empty)?;
    Kind::from_number(number).ok_or(MessageError::Kind { found: number })
}

fn skip_head(reader: &mut Reader<'_>) -> Result<(), FieldError> {
    (0..HEAD_BYTES).try_for_each(|_| reader.u8().map(drop))
}
