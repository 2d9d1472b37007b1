//! The control protocol over the bus: from a host to another one, and from a command that knows the bus and
//! no host's address.
//!
//! A request and its answer are what they are over HTTP: a method, a path and a body; a status and a body.
//! Each is one message, encoded like those of [`membership`](weft_membership::message), with kinds of their
//! own. Who speaks on the bus of a lattice is trusted as its hosts are: there is room for an authenticator.
//!
//! Each host answers on a subject of its own ([`request_subject`]). Whoever knows no host [`seek`]s one: every
//! host answers there, and the first answer is as good as any.

use bytes::Bytes;
use http::StatusCode;
use thiserror::Error;
use tokio::time::Instant;
use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, Limits};

use super::JSON_BYTES_MAX;
use weft_bus::{Bus, Part, Pattern, RequestError, Scope, Subject, SubjectError};
use weft_membership::message::{MAX_AUTHENTICATOR_BYTES, MAX_LATTICE_BYTES};
use weft_membership::{HOST_ID_BYTES, HostId};

/// The version of the messages that this crate writes and reads.
pub const VERSION: u8 = 1;

/// The longest method: `DELETE`, with room.
pub const MAX_METHOD_BYTES: usize = 16;

/// The longest path with its query: names of apps, components and interfaces fit several times.
pub const MAX_PATH_BYTES: usize = 2048;

/// The largest body of a message. What the servers carry in one message is less, unless somebody changed it.
pub const MAX_BODY_BYTES: usize = JSON_BYTES_MAX;

/// The largest message: the largest body, with room for all else.
pub const MAX_MESSAGE_BYTES: usize = MAX_BODY_BYTES + (8 << 10);

/// What all else in a message takes at most: what the servers carry of a body is less by that.
const ENVELOPE_BYTES_MAX: usize = MAX_AUTHENTICATOR_BYTES + MAX_LATTICE_BYTES + MAX_PATH_BYTES + 64;

/// Where a host takes requests, by the host.
const REQUEST_SUBJECT: &str = "control";
/// Where any host says that it is there.
const SEEK_SUBJECT: &str = "seek";

/// What a message is, by the number on the wire. They are no kinds of frames of links or of messages of
/// membership, so that what comes on the wrong subject is refused for its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Somebody seeks a host.
    Seek = 96,
    /// A host says that it is there.
    Found = 97,
    /// Somebody asks a host.
    Request = 98,
    /// The host answers.
    Answer = 99,
}

/// A message of the control protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Somebody seeks a host.
    Seek,
    /// A host says that it is there.
    Found(HostId),
    /// Somebody asks a host.
    Request(Request),
    /// The host answers.
    Answer(Answer),
}

/// A request, as it is over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, and the query if there is one.
    pub path: String,
    /// The body.
    pub body: Bytes,
}

/// An answer, as it is over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Why bytes are not a message of the control protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    /// It is of another version.
    #[error(
        "expected a message of version {VERSION}, found version {found}; run the same release of weft on \
         both sides"
    )]
    Version {
        /// The version of the message.
        found: u8,
    },
    /// It is of a kind that this version does not have.
    #[error("expected a kind of message of the control protocol, found kind {found}")]
    Kind {
        /// The kind of the message.
        found: u8,
    },
    /// It is for another lattice.
    #[error("expected a message for lattice `{expected}`, found one for `{}`", .found.escape_debug())]
    Lattice {
        /// The lattice of this host.
        expected: String,
        /// The lattice that the message names.
        found: String,
    },
    /// A field is too long, or has another length than it has to have.
    #[error("expected at most {limit} bytes of `{field}`, found {found}")]
    Field {
        /// The field, as `docs/lattice.md` names it.
        field: &'static str,
        /// How long it may be.
        limit: usize,
        /// How long it is.
        found: usize,
    },
    /// The bytes are no values of these types.
    #[error(transparent)]
    Value(#[from] DecodeError),
}

/// Why a request over the bus has no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The bus did not carry it.
    #[error("the bus carried no answer")]
    Bus(#[from] RequestError),
    /// It is larger than the bus carries.
    #[error(
        "expected a request of at most {max} bytes, which is what the bus carries, found {found}"
    )]
    TooLarge {
        /// How large it is.
        found: usize,
        /// What the bus carries.
        max: usize,
    },
    /// It cannot be a message.
    #[error("the request cannot be sent over the bus")]
    Encode(#[from] EncodeError),
    /// The answer is no message of this version.
    #[error("the answer does not read; do versions differ?")]
    Answer(#[from] MessageError),
    /// It is a message, and no answer.
    #[error("expected an answer, found another message")]
    Unexpected,
    /// The lattice's name leaves no room for the rest of a subject.
    #[error("the lattice cannot have this name")]
    Subject(#[from] SubjectError),
}

// === where ===

/// Where a host takes requests.
///
/// # Errors
/// If the lattice's name leaves no room for the rest.
pub fn request_subject(scope: &Scope, host: HostId) -> Result<Subject, SubjectError> {
    scope.subject(&[REQUEST_SUBJECT, &host.to_string()])
}

/// The pattern of that subject, for the host.
///
/// # Errors
/// As [`request_subject`].
pub fn requests(scope: &Scope, host: HostId) -> Result<Pattern, SubjectError> {
    scope.pattern(&[Part::Name(REQUEST_SUBJECT), Part::Name(&host.to_string())])
}

/// The pattern of where hosts are sought, for each host.
///
/// # Errors
/// As [`request_subject`].
pub fn seeking(scope: &Scope) -> Result<Pattern, SubjectError> {
    scope.pattern(&[Part::Name(SEEK_SUBJECT)])
}

// === asking ===

/// Finds a host of the lattice: the one that answers first.
///
/// # Errors
/// An [`AskError`]; [`RequestError::NoResponders`] if there is none.
pub async fn seek(bus: &Bus, deadline: Instant) -> Result<HostId, AskError> {
    let subject = bus.scope().subject(&[SEEK_SUBJECT])?;
    match round_trip(bus, &subject, &Message::Seek, deadline).await? {
        Message::Found(host) => Ok(host),
        _ => Err(AskError::Unexpected),
    }
}

/// Asks a host, by the deadline.
///
/// # Errors
/// An [`AskError`]; what the host refuses is an answer.
pub async fn ask(
    bus: &Bus,
    host: HostId,
    request: Request,
    deadline: Instant,
) -> Result<Answer, AskError> {
    let subject = request_subject(bus.scope(), host)?;
    let (found, max) = (request.body.len(), body_max(bus));
    if found > max {
        return Err(AskError::TooLarge { found, max });
    }
    match round_trip(bus, &subject, &Message::Request(request), deadline).await? {
        Message::Answer(answer) => Ok(answer),
        _ => Err(AskError::Unexpected),
    }
}

/// The largest body that the bus carries now.
#[must_use]
pub fn body_max(bus: &Bus) -> usize {
    let carried = bus.max_payload().saturating_sub(ENVELOPE_BYTES_MAX);
    carried.min(MAX_BODY_BYTES)
}

async fn round_trip(
    bus: &Bus,
    subject: &Subject,
    message: &Message,
    deadline: Instant,
) -> Result<Message, AskError> {
    let lattice = bus.scope().lattice();
    let bytes = Bytes::from(message.encode(lattice)?);
    let answer = bus.request(subject, bytes, deadline).await?;
    Ok(Message::decode(&answer, lattice)?)
}

// === impl Message ===

impl Message {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Seek => Kind::Seek,
            Self::Found(_) => Kind::Found,
            Self::Request(_) => Kind::Request,
            Self::Answer(_) => Kind::Answer,
        }
    }

    /// The message for a lattice, with an empty authenticator.
    ///
    /// # Errors
    /// If a field is longer than the other end would take.
    pub fn encode(&self, lattice: &str) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        let encoder = &mut Encoder::new(&mut bytes, MAX_MESSAGE_BYTES);
        encoder.u8(VERSION)?;
        encoder.u8(self.kind() as u8)?;
        encoder.bytes(&[])?;
        encoder.bytes_up_to(MAX_LATTICE_BYTES, "lattice", lattice.as_bytes())?;
        match self {
            Self::Seek => {}
            Self::Found(host) => encoder.bytes(host.key())?,
            Self::Request(Request { method, path, body }) => {
                encoder.bytes_up_to(MAX_METHOD_BYTES, "method", method.as_bytes())?;
                encoder.bytes_up_to(MAX_PATH_BYTES, "path", path.as_bytes())?;
                encoder.bytes_up_to(MAX_BODY_BYTES, "body", body)?;
            }
            Self::Answer(Answer { status, body }) => {
                encoder.u32(u32::from(*status))?;
                encoder.bytes_up_to(MAX_BODY_BYTES, "body", body)?;
            }
        }
        Ok(bytes)
    }

    /// Reads a message for a lattice, whatever its authenticator is.
    ///
    /// # Errors
    /// If it is not a message of this version for this lattice, or a field is not as it has to be.
    pub fn decode(bytes: &Bytes, lattice: &str) -> Result<Self, MessageError> {
        let limits = Limits {
            depth: 1,
            elements: 0,
            bytes: MAX_MESSAGE_BYTES,
        };
        let mut decoder = Decoder::new(bytes, limits)?;
        let version = decoder.u8()?;
        if version != VERSION {
            return Err(MessageError::Version { found: version });
        }
        let number = decoder.u8()?;
        let kind = Kind::of(number).ok_or(MessageError::Kind { found: number })?;
        check_length(decoder.bytes()?, "authenticator", MAX_AUTHENTICATOR_BYTES)?;
        let found = text(&mut decoder, "lattice", MAX_LATTICE_BYTES)?;
        if found != lattice {
            return Err(MessageError::Lattice {
                expected: lattice.to_owned(),
                found: found.to_owned(),
            });
        }
        let message = Self::read(kind, bytes, &mut decoder)?;
        decoder.finish()?;
        Ok(message)
    }

    fn read(kind: Kind, bytes: &Bytes, decoder: &mut Decoder<'_>) -> Result<Self, MessageError> {
        Ok(match kind {
            Kind::Seek => Self::Seek,
            Kind::Found => {
                let key = decoder.bytes()?;
                let key = key.try_into().map_err(|_| MessageError::Field {
                    field: "host",
                    limit: HOST_ID_BYTES,
                    found: key.len(),
                })?;
                Self::Found(HostId::from_key(key))
            }
            Kind::Request => Self::Request(Request {
                method: text(decoder, "method", MAX_METHOD_BYTES)?.to_owned(),
                path: text(decoder, "path", MAX_PATH_BYTES)?.to_owned(),
                body: body(bytes, decoder)?,
            }),
            Kind::Answer => {
                let status = decoder.u32()?;
                // Not a status at all: the client says which one it does not expect.
                let status = u16::try_from(status).unwrap_or_default();
                let body = body(bytes, decoder)?;
                Self::Answer(Answer { status, body })
            }
        })
    }
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Seek, Self::Found, Self::Request, Self::Answer];

    /// The name that `docs/lattice.md` has for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seek => "seek",
            Self::Found => "found",
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }

    fn of(number: u8) -> Option<Self> {
        let mut kinds = Self::ALL.into_iter();
        kinds.find(|kind| *kind as u8 == number)
    }
}

impl Answer {
    /// The status, if it is one of HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn text<'a>(
    decoder: &mut Decoder<'a>,
    field: &'static str,
    limit: usize,
) -> Result<&'a str, MessageError> {
    let text = decoder.string()?;
    check_length(text.as_bytes(), field, limit)?;
    Ok(text)
}

/// The body, which shares the message's memory.
fn body(bytes: &Bytes, decoder: &mut Decoder<'_>) -> Result<Bytes, MessageError> {
    let found = decoder.bytes()?.len();
    let end = decoder.offset();
    let body = bytes.slice(end - found..end);
    check_length(&body, "body", MAX_BODY_BYTES)?;
    Ok(body)
}

fn check_length(bytes: &[u8], field: &'static str, limit: usize) -> Result<(), MessageError> {
    let found = bytes.len();
    if found > limit {
        return Err(MessageError::Field {
            field,
            limit,
            found,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
