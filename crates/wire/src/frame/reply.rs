//! How a call ended.

use super::error::FieldError;
use super::fields::{Body, Reader, write_option};
use super::session::SessionId;
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::failure::{Failure, FailureCode};
use crate::limits::MAX_MESSAGE_BYTES;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The call.
    pub call: u64,
    /// The session that keeps the instance, if handles of the importer are alive in it.
    pub session: Option<KeptSession>,
    /// The encoded result, or why there is none.
    pub outcome: Result<&'a [u8], Failure>,
}

/// A session that keeps the instance that served a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptSession {
    /// Its name.
    pub id: SessionId,
    /// After how many milliseconds without a call or a renewal it ends.
    pub lease_ms: u32,
}

// === impl Reply ===

impl<'a> Body<'a> for Reply<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        write_option(encoder, self.session, |encoder, session| {
            session.id.write(encoder)?;
            encoder.u32(session.lease_ms)
        })?;
        match &self.outcome {
            Ok(payload) => {
                encoder.ok()?;
                encoder.bytes(payload)
            }
            Err(failure) => {
                encoder.err()?;
                write_failure(encoder, failure)
            }
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: reader.u64()?,
            session: reader.option(KeptSession::read)?,
            outcome: match reader.is_ok()? {
                true => Ok(reader.bytes()?),
                false => Err(read_failure(reader)?),
            },
        })
    }
}

pub(super) fn write_failure(
    encoder: &mut Encoder<'_>,
    failure: &Failure,
) -> Result<(), EncodeError> {
    let cases = FailureCode::ALL.len() as u32;
    encoder.discriminant(failure.code().code(), cases)?;
    encoder.string(failure.message())
}

/// Allocates a message, within its bound.
pub(super) fn read_failure(reader: &mut Reader<'_>) -> Result<Failure, FieldError> {
    let code = reader.case(&FailureCode::ALL)?;
    let message = reader.text("message", MAX_MESSAGE_BYTES)?;
    Ok(Failure::new(code, message))
}

// === impl KeptSession ===

impl KeptSession {
    fn read(reader: &mut Reader<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            id: SessionId::read(reader)?,
            lease_ms: reader.u32()?,
        })
    }
}
