//! The part before the body, which the frames of all protocols have in common.

use super::error::{FieldError, FrameError};
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::limits::{Limits, MAX_AUTHENTICATOR_BYTES, MAX_LATTICE_BYTES};
use crate::numbered::Numbered;

/// The kinds of frames of one protocol. The kinds of different protocols have different numbers, so
/// that a frame on the wrong subject is rejected by its kind.
pub trait FrameKind: Numbered {
    /// The version of the protocol.
    const VERSION: u8;

    /// The limits of the values in a frame of any kind.
    const LIMITS: Limits;

    /// The largest frame of the kind, in bytes.
    fn bytes_max(self) -> usize;
}

/// Appends a frame, with `body` for the fields. After an error nothing is appended.
///
/// # Errors
/// If a field or the frame is longer than its limit.
pub fn encode_frame<K: FrameKind>(
    kind: K,
    authenticator: &[u8],
    out: &mut Vec<u8>,
    body: impl FnOnce(&mut Encoder<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let encoder = &mut Encoder::new(out, kind.bytes_max());
    let head = [K::VERSION, kind.number() as u8];
    let written = encoder
        .raw(&head)
        .and_then(|()| encoder.bytes_up_to(MAX_AUTHENTICATOR_BYTES, "authenticator", authenticator))
        .and_then(|()| body(encoder));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// A frame whose body has not been read yet.
///
/// Authenticators are checked between [`open`](Self::open) and [`read`](Self::read). They must
/// cover [`head`](Self::head) and [`body`](Self::body).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameEnvelope<'a, K> {
    bytes: &'a [u8],
    kind: K,
    authenticator: &'a [u8],
    body: usize,
}

/// The version and the kind.
const HEAD_BYTES: usize = 2;

impl<'a, K: FrameKind> FrameEnvelope<'a, K> {
    /// Reads the part before the body.
    ///
    /// # Errors
    /// If the bytes are not a frame of this version, of a kind of this version, within the limits.
    pub fn open(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let kind = read_head::<K>(bytes)?;
        let (limit, found) = (kind.bytes_max(), bytes.len());
        if found > limit {
            let kind = kind.name();
            return Err(FrameError::TooLong { kind, limit, found });
        }
        let mut envelope = Self {
            bytes,
            kind,
            authenticator: &[],
            body: HEAD_BYTES,
        };
        let read = envelope.decoder().and_then(|mut decoder| {
            let authenticator = decoder.bytes_up_to(MAX_AUTHENTICATOR_BYTES, "authenticator")?;
            Ok((authenticator, decoder.offset()))
        });
        (envelope.authenticator, envelope.body) =
            read.map_err(|error| envelope.malformed(error))?;
        Ok(envelope)
    }

    /// The kind of the frame.
    #[must_use]
    pub fn kind(&self) -> K {
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

    /// Reads the whole body.
    ///
    /// # Errors
    /// If a field is malformed, or bytes follow after the last one.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, FieldError>,
    ) -> Result<T, FrameError> {
        self.read_start(|decoder| {
            let body = read(decoder)?;
            decoder.check_end()?;
            Ok(body)
        })
    }

    /// Reads the body up to where `read` ends.
    pub(super) fn read_start<T>(
        &self,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, FieldError>,
    ) -> Result<T, FrameError> {
        let read = self.decoder().and_then(|mut decoder| read(&mut decoder));
        read.map_err(|error| self.malformed(error))
    }

    /// Reads the whole body of a protocol whose bodies begin with the name of a lattice. `read`
    /// returns `None` for a kind that the caller does not accept.
    ///
    /// # Errors
    /// If the frame is for another lattice or of another kind, a field is malformed, or bytes
    /// follow after the last one.
    pub fn read_in<T>(
        &self,
        lattice: &str,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<Option<T>, FieldError>,
    ) -> Result<T, FrameError> {
        let body = self.read_start(|decoder| {
            let found = decoder.text_up_to(MAX_LATTICE_BYTES, "lattice")?;
            if found != lattice {
                return Ok(Err(FrameError::Lattice {
                    expected: lattice.to_owned(),
                    found: found.to_owned(),
                }));
            }
            let Some(body) = read(decoder)? else {
                let (found, supported) = (self.bytes[1], K::VERSION);
                return Ok(Err(FrameError::Kind { found, supported }));
            };
            decoder.check_end()?;
            Ok(Ok(body))
        });
        body?
    }

    fn decoder(&self) -> Result<Decoder<'a>, FieldError> {
        let mut decoder = Decoder::new(self.bytes, K::LIMITS)?;
        decoder.skip(self.body)?;
        Ok(decoder)
    }

    fn malformed(&self, source: FieldError) -> FrameError {
        let kind = self.kind.name();
        FrameError::Malformed { kind, source }
    }
}

fn read_head<K: FrameKind>(bytes: &[u8]) -> Result<K, FrameError> {
    let supported = K::VERSION;
    match *bytes {
        [found, ..] if found != supported => Err(FrameError::Version { found, supported }),
        [_, found, ..] => {
            let mut kinds = K::CASES.iter().copied();
            let kind = kinds.find(|kind| kind.number() == u32::from(found));
            kind.ok_or(FrameError::Kind { found, supported })
        }
        _ => Err(FrameError::Empty),
    }
}
