//! Frames: the messages between hosts.
//!
//! A frame is a byte for the version, one for the kind, an authenticator, and then a record in the
//! value encoding. Version and kind come first, so that a host can report a frame that it does not
//! support. The authenticator follows, so that it can be checked before the rest is read.

mod claim_check;
mod envelope;
mod error;
mod fields;
mod http;
mod reply;
mod request;
mod session;
mod stream;

pub use claim_check::{ClaimId, Fetch, HOST_BYTES, Held, Part};
pub use envelope::{FrameEnvelope, FrameKind, encode_frame};
pub use error::{FieldError, FrameError};
pub use http::{HttpBody, HttpField, HttpHead, HttpReply, HttpRequest, HttpTrailers};
pub use reply::{KeptSession, Reply};
pub use request::{Abandon, Importer, Request, Target};
pub use session::{DropHandle, End, Renew, SessionId};
pub use stream::{Cancel, CancelledBy, Chunk, Credit, Finish};

use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::limits::{Limits, MAX_FRAME_BYTES};
use crate::numbered;
use fields::Body;

/// The version of the frames that this crate writes and reads.
pub const VERSION: u8 = 1;

/// Capacity for the fields of an ordinary frame beside its payload: some names and numbers.
const ORDINARY_BYTES: usize = 256;

/// Declares the kinds of frames once: their numbers, names and bodies.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($body:ty) = $number:literal, $name:literal;)*) => {
        numbered! {
            /// The kind of a frame.
            pub enum Kind: u8 {
                $($(#[$doc])* $kind = $number, $name;)*
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

            fn read_body(kind: Kind, decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
                match kind {
                    $(Kind::$kind => Body::read(decoder).map(Self::$kind),)*
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

impl FrameKind for Kind {
    const VERSION: u8 = VERSION;
    const LIMITS: Limits = Limits {
        bytes: MAX_FRAME_BYTES,
        ..Limits::LINK
    };

    fn bytes_max(self) -> usize {
        MAX_FRAME_BYTES
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
        // One reservation instead of one per field.
        out.reserve(ORDINARY_BYTES + authenticator.len() + self.payload_bytes());
        encode_frame(self.kind(), authenticator, out, |encoder| {
            self.write_body(encoder)
        })
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
}

/// A frame of a link whose body has not been read yet.
pub type Envelope<'a> = FrameEnvelope<'a, Kind>;

impl<'a> Envelope<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// If a field is malformed, or bytes follow after the last one.
    pub fn frame(&self) -> Result<Frame<'a>, FrameError> {
        self.read(|decoder| Frame::read_body(self.kind(), decoder))
    }
}
