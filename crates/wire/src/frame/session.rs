//! Sessions: instances of an exporter that are retained for the handles of an importer.

use std::fmt;

use super::error::FieldError;
use super::fields::{Body, bodies};
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

impl Encoder<'_> {
    pub(super) fn session(&mut self, id: SessionId) -> Result<(), EncodeError> {
        self.bytes(&id.0)
    }
}

impl Decoder<'_> {
    pub(super) fn session(&mut self) -> Result<SessionId, FieldError> {
        self.fixed_bytes("session").map(SessionId)
    }
}

/// Shows only the first bytes in logs: a session id is the permission to use the session.
impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(formatter, "SessionId({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

bodies! {
    Renew { session: session }
    End { session: session }
    DropHandle { session: session, handle: handle }
}
