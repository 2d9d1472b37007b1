//! What hosts tell each other of themselves, as bytes: `docs/lattice.md` is the specification.
//!
//! A message is a byte for the version, one for the kind, an authenticator, and then a record in the value
//! encoding of `weft_wire`, as frames of links are. What comes in is hostile: each bound is checked before
//! anything is allocated for it, and every refusal is typed.

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

/// The version of the messages that this crate writes and reads.
pub const VERSION: u8 = 1;

/// What a message is, by the number on the wire. A number is never used again for another kind. They begin
/// after those of link frames, so that a message on the wrong subject is refused for its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A host lives.
    Heartbeat = 64,
    /// What a host has.
    Inventory = 65,
    /// A host asks another one for its inventory.
    Ask = 66,
    /// A host asks another one which records of the desired state it has; see `weft_state::peers`.
    ListAsk = 67,
    /// Which records a host has.
    List = 68,
    /// A host asks another one for a part of a record or of a component.
    BytesAsk = 69,
    /// A part of a record or of a component.
    Bytes = 70,
}

/// Who sent a message, and its place among the messages of that kind from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The host.
    pub host: HostId,
    /// Which of the host's lives: a larger number with each start, for ever.
    pub incarnation: u64,
    /// A larger number with each new message of the kind within a life. An inventory that is sent again
    /// keeps its number.
    pub sequence: u64,
}

/// A host asks another one for its inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Who asks, and which of its questions.
    pub origin: Origin,
}

/// What a host tells others of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// It lives.
    Heartbeat(Heartbeat),
    /// What it has.
    Inventory(Inventory),
    /// It asks for an inventory.
    Ask(Ask),
}

/// A message whose body has not been read yet.
///
/// Whoever checks authenticators does so between [`open`](Self::open) and [`message`](Self::message). What
/// an authenticator has to cover is [`head`](Self::head) and [`body`](Self::body).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    bytes: &'a [u8],
    kind: Kind,
    authenticator: &'a [u8],
    body: usize,
}

/// The version and the kind.
const HEAD_BYTES: usize = 2;

// === impl Kind ===

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Heartbeat,
        Self::Inventory,
        Self::Ask,
        Self::ListAsk,
        Self::List,
        Self::BytesAsk,
        Self::Bytes,
    ];

    /// The name that `docs/lattice.md` has for it.
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
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Heartbeat(_) => Kind::Heartbeat,
            Self::Inventory(_) => Kind::Inventory,
            Self::Ask(_) => Kind::Ask,
        }
    }

    /// Who sent it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self {
            Self::Heartbeat(heartbeat) => heartbeat.origin,
            Self::Inventory(inventory) => inventory.origin,
            Self::Ask(ask) => ask.origin,
        }
    }

    /// The message for a lattice, with an empty authenticator.
    ///
    /// # Errors
    /// If a field is longer than the other end would take.
    pub fn encode(&self, lattice: &str) -> Result<Vec<u8>, EncodeError> {
        self.encode_with(lattice, &[])
    }

    /// The message for a lattice, with an authenticator.
    ///
    /// # Errors
    /// If a field is longer than the other end would take.
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

    /// Reads a message for a lattice, whatever its authenticator is.
    ///
    /// # Errors
    /// If it is not a message of this version for this lattice, or a field is not as it has to be.
    pub fn decode(bytes: &[u8], lattice: &str) -> Result<Self, MessageError> {
        Envelope::open(bytes)?.message(lattice)
    }
}

/// Writes the head that every message between hosts has, and a body.
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
    /// The message's place among those from its host.
    pub(super) fn order(self) -> (u64, u64) {
        (self.incarnation, self.sequence)
    }

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
    /// Reads what is before the body.
    ///
    /// # Errors
    /// If it is not a message of this version, of a kind that this version has, within the bounds.
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

    /// What the message is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What proves who sent the message; empty if nothing does.
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

    /// Reads the body of a message that hosts send of themselves.
    ///
    /// # Errors
    /// If it is of another kind or for another lattice, a field is not as it has to be, or bytes follow after
    /// the last one.
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

    /// Reads the body as what `read` makes of it; nothing where a message of the kind has no place.
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
