//! Replies to calls.

use super::error::FieldError;
use super::fields::Body;
use super::session::SessionId;
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::failure::Failure;
use crate::limits::MAX_MESSAGE_BYTES;

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The call.
    pub call: u64,
    /// The session that retains the instance, if the importer has live handles in it.
    pub session: Option<KeptSession>,
    /// The encoded result, or the failure.
    pub outcome: Result<&'a [u8], Failure>,
}

/// A session that retains the instance of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptSession {
    /// The id of the session.
    pub id: SessionId,
    /// Time after which the session ends without a call or a renewal, in milliseconds.
    pub lease_ms: u32,
}

// === impl Reply ===

impl<'a> Body<'a> for Reply<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        encoder.option(self.session, |encoder, session| {
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

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: decoder.u64()?,
            session: decoder.option(KeptSession::read)?,
            outcome: match decoder.is_ok()? {
                true => Ok(decoder.bytes()?),
                false => Err(read_failure(decoder)?),
            },
        })
    }
}

pub(super) fn write_failure(
    encoder: &mut Encoder<'_>,
    failure: &Failure,
) -> Result<(), EncodeError> {
    encoder.case(failure.code())?;
    encoder.string(failure.message())
}

/// Allocates only the message, within its limit.
pub(super) fn read_failure(decoder: &mut Decoder<'_>) -> Result<Failure, FieldError> {
    let code = decoder.case()?;
    let message = decoder.text_up_to(MAX_MESSAGE_BYTES, "message")?;
    Ok(Failure::new(code, message))
}

// === impl KeptSession ===

impl KeptSession {
    fn read(decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            id: SessionId::read(decoder)?,
            lease_ms: decoder.u32()?,
        })
    }
}
