//! The control protocol over the bus: between hosts, and from a command that is connected to the
//! bus and has no host's address.
//!
//! A request and its answer carry the same parts as over HTTP: a method, a path and a body; a
//! status and a body. Each is one message, encoded like those of
//! [`membership`](weft_membership::message), with its own kinds. Every sender on the bus of a
//! lattice is trusted like its hosts; the message has room for an authenticator.
//!
//! Each host answers on its own subject ([`request_subject`]). A command without a host
//! [`discover`]s one: every host answers there, and the first answer is used.

use bytes::Bytes;
use http::StatusCode;
use thiserror::Error;
use tokio::time::Instant;
use weft_wire::{
    Decoder, EncodeError, FieldError, FrameEnvelope, FrameError, FrameKind, Limits,
    MAX_AUTHENTICATOR_BYTES, MAX_LATTICE_BYTES, encode_frame, numbered,
};

use super::JSON_BYTES_MAX;
use weft_bus::{Bus, Part, Pattern, RequestError, Scope, Subject, SubjectError};
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

numbered! {
    /// The kind of a message.
    pub enum Kind: u8 {
        /// A command seeks a host.
        Seek = 96, "seek";
        /// A host offers itself to the seeker.
        Found = 97, "found";
        /// A request to a host.
        Request = 98, "request";
        /// The answer of a host.
        Answer = 99, "answer";
    }
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

/// The reasons why a request over the bus has no answer.
#[derive(Debug, Error)]
pub enum BusRpcError {
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
    Answer(#[from] FrameError),
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
pub fn discovery(scope: &Scope) -> Result<Pattern, SubjectError> {
    scope.pattern(&[Part::Name(SEEK_SUBJECT)])
}

// === requests ===

/// Finds a host of the lattice: the one whose answer arrives first.
///
/// # Errors
/// An [`BusRpcError`]; [`RequestError::NoResponders`] if the lattice has no host.
pub async fn discover(bus: &Bus, deadline: Instant) -> Result<HostId, BusRpcError> {
    let subject = bus.scope().subject(&[SEEK_SUBJECT])?;
    match round_trip(bus, &subject, &Message::Seek, deadline).await? {
        Message::Found(host) => Ok(host),
        _ => Err(BusRpcError::Unexpected),
    }
}

/// Sends a request to a host and waits for its answer until the deadline.
///
/// # Errors
/// An [`BusRpcError`]; a rejection by the host is an answer.
pub async fn request(
    bus: &Bus,
    host: HostId,
    request: Request,
    deadline: Instant,
) -> Result<Answer, BusRpcError> {
    let subject = request_subject(bus.scope(), host)?;
    let (found, max) = (request.body.len(), body_max(bus));
    if found > max {
        return Err(BusRpcError::TooLarge { found, max });
    }
    match round_trip(bus, &subject, &Message::Request(request), deadline).await? {
        Message::Answer(answer) => Ok(answer),
        _ => Err(BusRpcError::Unexpected),
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
) -> Result<Message, BusRpcError> {
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
        encode_frame(self.kind(), &[], &mut bytes, |encoder| {
            encoder.bytes_up_to(MAX_LATTICE_BYTES, "lattice", lattice.as_bytes())?;
            match self {
                Self::Seek => Ok(()),
                Self::Found(host) => encoder.bytes(host.key()),
                Self::Request(Request { method, path, body }) => {
                    encoder.bytes_up_to(MAX_METHOD_BYTES, "method", method.as_bytes())?;
                    encoder.bytes_up_to(MAX_PATH_BYTES, "path", path.as_bytes())?;
                    encoder.bytes_up_to(MAX_BODY_BYTES, "body", body)
                }
                Self::Answer(Answer { status, body }) => {
                    encoder.u16(*status)?;
                    encoder.bytes_up_to(MAX_BODY_BYTES, "body", body)
                }
            }
        })?;
        Ok(bytes)
    }

    /// Decodes a message for a lattice, whatever its authenticator is.
    ///
    /// # Errors
    /// A [`FrameError`] if the bytes are not a message of this version for this lattice, or a field
    /// is invalid.
    pub fn decode(bytes: &Bytes, lattice: &str) -> Result<Self, FrameError> {
        let envelope = FrameEnvelope::<Kind>::open(bytes)?;
        // A body shares the message's memory.
        let body = |decoder: &mut Decoder<'_>| -> Result<Bytes, FieldError> {
            Ok(bytes.slice_ref(decoder.bytes_up_to(MAX_BODY_BYTES, "body")?))
        };
        envelope.read_in(lattice, |decoder| {
            Ok(Some(match envelope.kind() {
                Kind::Seek => Self::Seek,
                Kind::Found => {
                    let key = decoder.fixed_bytes::<HOST_ID_BYTES>("host")?;
                    Self::Found(HostId::from_key(key))
                }
                Kind::Request => Self::Request(Request {
                    method: decoder.text_up_to(MAX_METHOD_BYTES, "method")?.to_owned(),
                    path: decoder.text_up_to(MAX_PATH_BYTES, "path")?.to_owned(),
                    body: body(decoder)?,
                }),
                Kind::Answer => Self::Answer(Answer {
                    // A number above `u16` is not a status; 0 makes the client report an unexpected
                    // answer.
                    status: u16::try_from(decoder.u32()?).unwrap_or_default(),
                    body: body(decoder)?,
                }),
            }))
        })
    }
}

impl FrameKind for Kind {
    const VERSION: u8 = VERSION;
    const LIMITS: Limits = Limits {
        depth: 1,
        elements: 0,
        bytes: MAX_MESSAGE_BYTES,
    };

    fn bytes_max(self) -> usize {
        MAX_MESSAGE_BYTES
    }
}

impl Answer {
    /// The HTTP status; 500 for a number outside its range.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[cfg(test)]
mod tests;
