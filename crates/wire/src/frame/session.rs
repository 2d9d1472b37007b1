//! Sessions: instances of an exporter that are retained for the handles of an importer.

use std::fmt;

use super::error::FieldError;
use super::fields::Body;
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::EncodeError;

/// The id of a session. The exporter's host draws it at random, so that no other host can guess it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; SESSION_BYTES]);

const SESSION_BYTES: usize = 16;

/// Renews the lease of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renew {
    /// The session.
    pub session: SessionId,
}

/// Ends a session: the importer's instance has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The session.
    pub session: SessionId,
}

/// The importer dropped an owned handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropHandle {
    /// The session that the handle belongs to.
    pub session: SessionId,
    /// The handle.
    pub handle: u32,
}

// === impl SessionId ===

impl SessionId {
    pub(super) fn write(self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.bytes(&self.0)
    }

    pub(super) fn read(decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        decoder.fixed_bytes("session").map(Self)
    }
}

/// Shows only the first bytes in logs: a session id is the permission to use the session.
impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(formatter, "SessionId({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

// === impl Renew ===

impl<'a> Body<'a> for Renew {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.session.write(encoder)
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            session: SessionId::read(decoder)?,
        })
    }
}

// === impl End ===

impl<'a> Body<'a> for End {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.session.write(encoder)
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            session: SessionId::read(decoder)?,
        })
    }
}

// === impl DropHandle ===

impl<'a> Body<'a> for DropHandle {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.session.write(encoder)?;
        encoder.handle(self.handle)
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            session: SessionId::read(decoder)?,
            handle: decoder.handle()?,
        })
    }
}
