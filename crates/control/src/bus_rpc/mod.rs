//! The control protocol over the bus: between hosts, and from a command that is connected to the
//! bus and has no host's address.
//!
//! A request and its answer carry the same parts as over HTTP: a method, a path and a body; a
//! status and a body. Each is one message, encoded like those of
//! [`membership`](weft_membership::message), with its own kinds. Every sender on the bus of a
//! lattice is trusted like its hosts; the message has room for an authenticator.
//!
//! Each host answers on its own subject ([`request_subject`]). A command without a host [`seek`]s
//! one: every host answers there, and the first answer is used.

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

/// The largest body of a message. A message of the servers' default configuration carries less.
pub const MAX_BODY_BYTES: usize = JSON_BYTES_MAX;

/// The largest message: the largest body, with room for the other fields.
pub const MAX_MESSAGE_BYTES: usize = MAX_BODY_BYTES + (8 << 10);

/// The most bytes of a message beside its body; the servers carry that much less of a body.
const ENVELOPE_BYTES_MAX: usize = MAX_AUTHENTICATOR_BYTES + MAX_LATTICE_BYTES + MAX_PATH_BYTES + 64;

/// The subject on which a host takes requests, before the host's id.
const REQUEST_SUBJECT: &str = "control";
/// The subject on which every host answers a seek.
const SEEK_SUBJECT: &str = "seek";

/// The kind of a message, by its number on the wire. The numbers differ from those of link frames
/// and of membership messages, so that a message on the wrong subject is rejected by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A command seeks a host.
    Seek = 96,
    /// A host offers itself to the seeker.
    Found = 97,
    /// A request to a host.
    Request = 98,
    /// The answer of a host.
    Answer = 99,
}

/// A message of the control protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A command seeks a host.
    Seek,
    /// A host offers itself to the seeker.
    Found(HostId),
    /// A request to a host.
    Request(Request),
    /// The answer of a host.
    Answer(Answer),
}

/// A request with the parts of an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, with the query if there is one.
    pub path: String,
    /// The body.
    pub body: Bytes,
}

/// An answer with the parts of an HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// The reasons why bytes are not a message of the control protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    /// The message has another version.
    #[error(
        "expected a control message of version {VERSION}, found version {found}; run the same release of \
         weft on both sides"
    )]
    Version {
        /// The version of the message.
        found: u8,
    },
    /// This version does not have the kind.
    #[error("expected a message of the control protocol, found message kind {found}")]
    Kind {
        /// The kind of the message.
        found: u8,
    },
    /// The message is for another lattice.
    #[error("expected a message for lattice `{expected}`, found one for `{}`", .found.escape_debug())]
    Lattice {
        /// The lattice of this host.
        expected: String,
        /// The lattice that the message names.
        found: String,
    },
    /// A field is longer than its limit, or a host id has another length.
    #[error("expected at most {limit} bytes of `{field}`, found {found}")]
    Field {
        /// The field, as `docs/lattice.md` names it.
        field: &'static str,
        /// The most bytes of the field.
        limit: usize,
        /// The length of the field.
        found: usize,
    },
    /// The bytes do not decode as values of these types.
    #[error(transparent)]
    Value(#[from] DecodeError),
}

/// The reasons why a request over the bus has no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The bus did not deliver the request or the answer.
    #[error("the bus delivered no answer")]
    Bus(#[from] RequestError),
    /// The request is larger than the bus carries.
    #[error("request body too large for the bus: expected at most {max} bytes, found {found}")]
    TooLarge {
        /// The size of the body.
        found: usize,
        /// The most bytes of a body that the bus carries.
        max: usize,
    },
    /// The request does not fit into a message.
    #[error("cannot encode the request as a message of the bus")]
    Encode(#[from] EncodeError),
    /// The answer is not a message of this version.
    #[error("cannot decode the answer of the host; run the same release of weft on both sides")]
    Answer(#[from] MessageError),
    /// The message is not an answer to this request.
    #[error("expected an answer to the request, found a message of another kind")]
    Unexpected,
    /// The lattice's name leaves no room for the rest of a subject.
    #[error("cannot make a subject of the lattice's name")]
    Subject(#[from] SubjectError),
}

// === subjects ===

/// The subject on which a host takes requests.
///
/// # Errors
/// If the lattice's name leaves no room for the rest.
pub fn request_subject(scope: &Scope, host: HostId) -> Result<Subject, SubjectError> {
    scope.subject(&[REQUEST_SUBJECT, &host.to_string()])
}

/// The pattern of the subject on which this host takes requests.
///
/// # Errors
/// As [`request_subject`].
pub fn requests(scope: &Scope, host: HostId) -> Result<Pattern, SubjectError> {
    scope.pattern(&[Part::Name(REQUEST_SUBJECT), Part::Name(&host.to_string())])
}

/// The pattern of the subject on which every host takes seeks.
///
/// # Errors
/// As [`request_subject`].
pub fn seeking(scope: &Scope) -> Result<Pattern, SubjectError> {
    scope.pattern(&[Part::Name(SEEK_SUBJECT)])
}

// === requests ===

/// Finds a host of the lattice: the one whose answer arrives first.
///
/// # Errors
/// An [`AskError`]; [`RequestError::NoResponders`] if the lattice has no host.
pub async fn seek(bus: &Bus, deadline: Instant) -> Result<HostId, AskError> {
    let subject = bus.scope().subject(&[SEEK_SUBJECT])?;
    match round_trip(bus, &subject, &Message::Seek, deadline).await? {
        Message::Found(host) => Ok(host),
        _ => Err(AskError::Unexpected),
    }
}

/// Sends a request to a host and waits for its answer until the deadline.
///
/// # Errors
/// An [`AskError`]; a rejection by the host is an answer.
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

/// The largest body that the bus carries at the moment.
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
    /// The kind of the message.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Seek => Kind::Seek,
            Self::Found(_) => Kind::Found,
            Self::Request(_) => Kind::Request,
            Self::Answer(_) => Kind::Answer,
        }
    }

    /// Encodes the message for a lattice, with an empty authenticator.
    ///
    /// # Errors
    /// An [`EncodeError`] if a field is longer than the receiver accepts.
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

    /// Decodes a message for a lattice, whatever its authenticator is.
    ///
    /// # Errors
    /// A [`MessageError`] if the bytes are not a message of this version for this lattice, or a
    /// field is invalid.
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
                // A number above `u16` is not a status; 0 makes the client report an unexpected
                // answer.
                let status = u16::try_from(status).unwrap_or_default();
                let body = body(bytes, decoder)?;
                Self::Answer(Answer { status, body })
            }
        })
    }
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Seek, Self::Found, Self::Request, Self::Answer];

    /// The name of the kind in `docs/lattice.md`.
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
    /// The HTTP status; 500 for a number outside its range.
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
