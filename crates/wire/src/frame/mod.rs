//! Frames: the messages between hosts.
//!
//! A frame is a byte for the version, one for the kind, an authenticator, and then a record in the
//! value encoding. Version and kind come first, so that a host can report a frame that it does not
//! support. The authenticator follows, so that it can be checked before the rest is read.

mod claim_check;
mod error;
mod fields;
mod http;
mod reply;
mod request;
mod session;
mod stream;

pub use claim_check::{ClaimId, Fetch, HOST_BYTES, Held, Part};
pub use error::{FieldError, FrameError};
pub use http::{HttpBody, HttpField, HttpHead, HttpReply, HttpRequest, HttpTrailers};
pub use reply::{KeptSession, Reply};
pub use request::{Abandon, Importer, Request, Target};
pub use session::{DropHandle, End, Renew, SessionId};
pub use stream::{Cancel, CancelledBy, Chunk, Credit, Finish};

use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::limits::{MAX_AUTHENTICATOR_BYTES, MAX_FRAME_BYTES};
use fields::{Body, Reader};
use reply::{read_failure, write_failure};

/// The version of the frames that this crate writes and reads.
pub const VERSION: u8 = 1;

/// Capacity for the fields of an ordinary frame beside its payload: some names and numbers.
const ORDINARY_BYTES: usize = 256;

/// Declares the kinds of frames once: their numbers, names and bodies.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($body:ty) = $number:literal, $name:literal;)*) => {
        /// The kind of a frame, with its number on the wire. A number is never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $kind = $number,)*
        }

        impl Kind {
            /// All kinds, ordered by number.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The name in `docs/wire.md`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }

        /// One message between hosts. Long fields are borrowed.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Frame<'a> {
            $($(#[$doc])* $kind($body),)*
        }

        impl<'a> Frame<'a> {
            /// Returns the kind of the frame.
            #[must_use]
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind(_) => Kind::$kind,)*
                }
            }

            fn write_body(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
                match self {
                    $(Self::$kind(body) => body.write(encoder),)*
                }
            }

            fn read_body(kind: Kind, reader: &mut Reader<'a>) -> Result<Self, FieldError> {
                match kind {
                    $(Kind::$kind => Body::read(reader).map(Self::$kind),)*
                }
            }
        }
    };
}

kinds! {
    /// A call.
    Request(Request<'a>) = 1, "request";
    /// The end of a call.
    Reply(Reply<'a>) = 2, "reply";
    /// Renews the lease of a session.
    Renew(Renew) = 3, "renew";
    /// Ends a session.
    End(End) = 4, "end";
    /// Drops a handle of a session.
    Drop(DropHandle) = 5, "drop";
    /// Elements of a stream.
    Chunk(Chunk<'a>) = 6, "chunk";
    /// Grants the writer of a stream more bytes.
    Credit(Credit) = 7, "credit";
    /// The end of a stream.
    Finish(Finish) = 8, "finish";
    /// Cancels a stream that has not finished.
    Cancel(Cancel) = 9, "cancel";
    /// Ends a call on one side, before its regular end.
    Abandon(Abandon) = 10, "abandon";
    /// The first part of a frame that is too large for one message, with a claim on the rest.
    Held(Held<'a>) = 11, "held";
    /// Requests more of a held frame.
    Fetch(Fetch) = 12, "fetch";
    /// More of a held frame.
    Part(Part<'a>) = 13, "part";
    /// An HTTP request from outside the lattice.
    HttpRequest(HttpRequest<'a>) = 20, "http-request";
    /// The response to an HTTP request.
    HttpReply(HttpReply<'a>) = 21, "http-reply";
    /// The trailers of a body that is sent as a stream.
    HttpTrailers(HttpTrailers<'a>) = 22, "http-trailers";
}

impl Kind {
    /// Returns the kind with a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        let kinds = Self::ALL.iter().copied();
        kinds.into_iter().find(|kind| *kind as u8 == number)
    }
}

impl<'a> Frame<'a> {
    /// Appends the frame, with an empty authenticator. After an error nothing is appended.
    ///
    /// # Errors
    /// If a field is longer than its limit.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.encode_with(&[], out)
    }

    /// Appends the frame with an authenticator. After an error nothing is appended.
    ///
    /// # Errors
    /// If a field is longer than its limit.
    pub fn encode_with(&self, authenticator: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        // One reservation instead of one per field.
        out.reserve(ORDINARY_BYTES + authenticator.len() + self.payload_bytes());
        let written = self.write(authenticator, &mut Encoder::new(out, MAX_FRAME_BYTES));
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// Reads a frame without checking its authenticator.
    ///
    /// # Errors
    /// If the bytes are not a frame of this version, or a field is malformed.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        Envelope::open(bytes)?.frame()
    }

    /// Length of the longest field, for kinds that carry data.
    fn payload_bytes(&self) -> usize {
        match self {
            Self::Request(request) => request.payload.len(),
            Self::Reply(reply) => reply.outcome.as_ref().map_or(0, |payload| payload.len()),
            Self::Held(held) => held.bytes.len(),
            Self::Part(part) => part.bytes.map_or(0, <[u8]>::len),
            _ => 0,
        }
    }

    fn write(&self, authenticator: &[u8], encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u8(VERSION)?;
        encoder.u8(self.kind() as u8)?;
        encoder.bytes_up_to(MAX_AUTHENTICATOR_BYTES, "authenticator", authenticator)?;
        self.write_body(encoder)
    }
}

/// A frame whose body has not been read yet.
///
/// Authenticators are checked between [`open`](Self::open) and [`frame`](Self::frame). They must
/// cover [`head`](Self::head) and [`body`](Self::body).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    bytes: &'a [u8],
    kind: Kind,
    authenticator: &'a [u8],
    body: usize,
}

/// The version and the kind.
const HEAD_BYTES: usize = 2;

impl<'a> Envelope<'a> {
    /// Reads the part before the body.
    ///
    /// # Errors
    /// If the bytes are not a frame of this version, of a kind of this version, within the limits.
    pub fn open(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.len() > MAX_FRAME_BYTES {
            let (limit, found) = (MAX_FRAME_BYTES, bytes.len());
            return Err(FrameError::TooLong { limit, found });
        }
        let kind = read_head(bytes)?;
        let malformed = |source| FrameError::Malformed { kind, source };
        let mut reader = Reader::new(bytes, HEAD_BYTES).map_err(malformed)?;
        let authenticator = reader
            .bounded("authenticator", MAX_AUTHENTICATOR_BYTES)
            .map_err(malformed)?;
        Ok(Self {
            bytes,
            kind,
            authenticator,
            body: reader.offset(),
        })
    }

    /// The kind of the frame.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The proof of the sender; empty for frames without one.
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

    /// Reads the body.
    ///
    /// # Errors
    /// If a field is malformed, or bytes follow after the last one.
    pub fn frame(&self) -> Result<Frame<'a>, FrameError> {
        let read = || {
            let mut reader = Reader::new(self.bytes, self.body)?;
            let frame = Frame::read_body(self.kind, &mut reader)?;
            reader.finish()?;
            Ok(frame)
        };
        let kind = self.kind;
        read().map_err(|source| FrameError::Malformed { kind, source })
    }
}

fn read_head(bytes: &[u8]) -> Result<Kind, FrameError> {
    let (&version, rest) = bytes.split_first().ok_or(FrameError::Empty)?;
    if version != VERSION {
        return Err(FrameError::Version {
            found: version,
            supported: VERSION,
        });
    }
    let &number = rest.first().ok_or(FrameError::Empty)?;
    Kind::from_number(number).ok_or(FrameError::Kind {
        found: number,
        version,
        supported: VERSION,
    })
}
