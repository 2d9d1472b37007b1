//! Frames that are too large for one message of the bus.
//!
//! Whoever sends one keeps it, and sends its first part and a claim on the rest; whoever gets that fetches
//! the rest, part by part and as far as it wants to.

use std::fmt;

use super::error::{FieldError, FrameError};
use super::fields::{Body, Reader, write_option};
use super::request::Request;
use super::{Envelope, Kind};
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::limits::MAX_FRAME_BYTES;

/// The bytes of a host's id, its ed25519 public key.
pub const HOST_BYTES: usize = 32;

const CLAIM_BYTES: usize = 16;

/// The name under which a frame is kept. The host that keeps it draws it at random, so that nobody else can
/// guess it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimId(pub [u8; CLAIM_BYTES]);

/// A frame that is too large for one message: its first part, and where the rest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'a> {
    /// The host that keeps the frame, by its public key.
    pub host: [u8; HOST_BYTES],
    /// What the host knows the frame by.
    pub claim: ClaimId,
    /// How long the whole frame is.
    pub total: u32,
    /// How it begins.
    pub bytes: &'a [u8],
}

/// More of a held frame is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// Which frame.
    pub claim: ClaimId,
    /// From which byte of the frame on.
    pub offset: u32,
    /// How many bytes at most.
    pub at_most: u32,
}

/// More of a held frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// Which frame.
    pub claim: ClaimId,
    /// Which byte of the frame it begins with.
    pub offset: u32,
    /// The bytes; none if the frame is not kept any more.
    pub bytes: Option<&'a [u8]>,
}

// === impl ClaimId ===

impl ClaimId {
    fn write(self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.bytes(&self.0)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FieldError> {
        reader.exactly("claim").map(Self)
    }
}

/// Who knows the name may fetch the frame, so a log line shows only its beginning.
impl fmt::Debug for ClaimId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(formatter, "ClaimId({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

// === impl Held ===

impl<'a> Held<'a> {
    /// The request that is held, with all of it but the payload, which is empty: enough to refuse it before
    /// the rest is fetched.
    ///
    /// # Errors
    /// If what is held is no request, or its first part does not reach up to the payload, or the payload
    /// does not end where the frame does.
    pub fn request(&self) -> Result<Request<'a>, FrameError> {
        let envelope = Envelope::open(self.bytes)?;
        let (expected, found) = (Kind::Request, envelope.kind());
        if found != expected {
            return Err(FrameError::Unexpected { expected, found });
        }
        let read = || {
            let mut reader = Reader::new(self.bytes, self.bytes.len() - envelope.body().len())?;
            let request = Request::read_head(&mut reader)?;
            let length = reader.u32()?;
            let end = reader.offset() as u64 + u64::from(length);
            if end != u64::from(self.total) {
                return Err(FieldError::Total {
                    announced: self.total,
                    found: end,
                });
            }
            Ok(request)
        };
        let kind = found;
        read().map_err(|source| FrameError::Malformed { kind, source })
    }

    /// What is wrong with its lengths: the field, how long it may be, and how long it is.
    fn excess(&self) -> Option<(&'static str, usize, usize)> {
        let (total, first) = (self.total as usize, self.bytes.len());
        if total > MAX_FRAME_BYTES {
            return Some(("total", MAX_FRAME_BYTES, total));
        }
        // All of it is not a first part.
        let most = total.saturating_sub(1);
        (first > most).then_some(("bytes", most, first))
    }
}

impl<'a> Body<'a> for Held<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        if let Some((field, limit, found)) = self.excess() {
            return Err(EncodeError::Field {
                field,
                limit,
                found,
            });
        }
        encoder.bytes(&self.host)?;
        self.claim.write(encoder)?;
        encoder.u32(self.total)?;
        encoder.bytes(self.bytes)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        let held = Self {
            host: reader.exactly("host")?,
            claim: ClaimId::read(reader)?,
            total: reader.u32()?,
            bytes: reader.bytes()?,
        };
        match held.excess() {
            None => Ok(held),
            Some((field, limit, found)) => Err(FieldError::TooLong {
                field,
                limit,
                found,
            }),
        }
    }
}

// === impl Fetch ===

impl<'a> Body<'a> for Fetch {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.claim.write(encoder)?;
        encoder.u32(self.offset)?;
        encoder.u32(self.at_most)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            claim: ClaimId::read(reader)?,
            offset: reader.u32()?,
            at_most: reader.u32()?,
        })
    }
}

// === impl Part ===

impl<'a> Body<'a> for Part<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.claim.write(encoder)?;
        encoder.u32(self.offset)?;
        write_option(encoder, self.bytes, |encoder, bytes| encoder.bytes(bytes))
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            claim: ClaimId::read(reader)?,
            offset: reader.u32()?,
            bytes: reader.option(Reader::bytes)?,
        })
    }
}
