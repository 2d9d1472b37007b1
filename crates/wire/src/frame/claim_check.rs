//! Frames that are too large for one bus message.
//!
//! The sender stores the frame and sends its first part with a claim on the rest. The receiver
//! fetches the rest in parts, as far as it needs.

use std::fmt;

use super::error::{FieldError, FrameError};
use super::fields::{Body, bodies};
use super::request::Request;
use super::{Envelope, Kind};
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::limits::MAX_FRAME_BYTES;

/// The bytes of a host's id, its ed25519 public key.
pub const HOST_BYTES: usize = 32;

const CLAIM_BYTES: usize = 16;

/// The id of a stored frame. The storing host draws it at random, so that no other host can guess
/// it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimId(pub [u8; CLAIM_BYTES]);

/// The first part of a frame that is too large for one message, with a claim on the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'a> {
    /// The host that stores the frame, by its public key.
    pub host: [u8; HOST_BYTES],
    /// The id of the frame at that host.
    pub claim: ClaimId,
    /// The length of the whole frame.
    pub total: u32,
    /// The first bytes of the frame.
    pub bytes: &'a [u8],
}

/// Requests more of a held frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// The id of the frame.
    pub claim: ClaimId,
    /// The offset of the first requested byte.
    pub offset: u32,
    /// The largest number of bytes in the answer.
    pub at_most: u32,
}

/// More of a held frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// The id of the frame.
    pub claim: ClaimId,
    /// The offset of the first byte.
    pub offset: u32,
    /// The bytes; `None` if the frame is no longer stored.
    pub bytes: Option<&'a [u8]>,
}

// === impl ClaimId ===

impl Encoder<'_> {
    fn claim(&mut self, id: ClaimId) -> Result<(), EncodeError> {
        self.bytes(&id.0)
    }
}

impl Decoder<'_> {
    fn claim(&mut self) -> Result<ClaimId, FieldError> {
        self.fixed_bytes("claim").map(ClaimId)
    }
}

/// Shows only the first bytes in logs: a claim id is the permission to fetch the frame.
impl fmt::Debug for ClaimId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(formatter, "ClaimId({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

// === impl Held ===

impl<'a> Held<'a> {
    /// Reads the held request up to its payload, which is left empty: enough to reject the request
    /// before the rest is fetched.
    ///
    /// # Errors
    /// If the held frame is not a request, its first part does not reach up to the payload, or the
    /// payload does not end with the frame.
    pub fn request(&self) -> Result<Request<'a>, FrameError> {
        let envelope = Envelope::open(self.bytes)?;
        if envelope.kind() != Kind::Request {
            return Err(FrameError::Unexpected {
                expected: Kind::Request.name(),
                found: envelope.kind().name(),
            });
        }
        envelope.read_start(|decoder| {
            let request = Request::read_head(decoder)?;
            let length = decoder.u32()?;
            let end = decoder.offset() as u64 + u64::from(length);
            if end != u64::from(self.total) {
                return Err(FieldError::Total {
                    announced: self.total,
                    found: end,
                });
            }
            Ok(request)
        })
    }

    /// Returns the field with an invalid length, its limit and its length.
    fn length_error(&self) -> Option<(&'static str, usize, usize)> {
        let (total, length) = (self.total as usize, self.bytes.len());
        if total > MAX_FRAME_BYTES {
            return Some(("total", MAX_FRAME_BYTES, total));
        }
        // A first part must be shorter than the frame.
        let limit = total.saturating_sub(1);
        (length > limit).then_some(("bytes", limit, length))
    }
}

impl<'a> Body<'a> for Held<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        if let Some((field, limit, found)) = self.length_error() {
            return Err(EncodeError::Field {
                field,
                limit,
                found,
            });
        }
        encoder.bytes(&self.host)?;
        encoder.claim(self.claim)?;
        encoder.u32(self.total)?;
        encoder.bytes(self.bytes)
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        let held = Self {
            host: decoder.fixed_bytes("host")?,
            claim: decoder.claim()?,
            total: decoder.u32()?,
            bytes: decoder.bytes()?,
        };
        match held.length_error() {
            None => Ok(held),
            Some((field, limit, found)) => Err(FieldError::TooLong {
                field,
                limit,
                found,
            }),
        }
    }
}

// === impl Part ===

impl<'a> Body<'a> for Part<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.claim(self.claim)?;
        encoder.u32(self.offset)?;
        encoder.option(self.bytes, Encoder::bytes)
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            claim: decoder.claim()?,
            offset: decoder.u32()?,
            bytes: decoder.option(Decoder::bytes)?,
        })
    }
}

bodies! {
    Fetch { claim: claim, offset: u32, at_most: u32 }
}
