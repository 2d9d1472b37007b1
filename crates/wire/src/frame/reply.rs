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
            encoder.session(session.id)?;
            encoder.u32(session.lease_ms)
        })?;
        write_outcome(encoder, &self.outcome, |encoder, payload| {
            encoder.bytes(payload)
        })
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: decoder.u64()?,
            session: decoder.option(KeptSession::read)?,
            outcome: read_outcome(decoder, |decoder| Ok(decoder.bytes()?))?,
        })
    }
}

/// Writes the result of a call, with `write` for its `ok`.
pub(super) fn write_outcome<T>(
    encoder: &mut Encoder<'_>,
    outcome: &Result<T, Failure>,
    write: impl FnOnce(&mut Encoder<'_>, &T) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    match outcome {
        Ok(value) => {
            encoder.ok()?;
            write(encoder, value)
        }
        Err(failure) => {
            encoder.err()?;
            encoder.case(failure.code())?;
            encoder.string(failure.message())
        }
    }
}

/// Reads the result of a call. Allocates only the message of a failure, within its limit.
pub(super) fn read_outcome<'a, T>(
    decoder: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, FieldError>,
) -> Result<Result<T, Failure>, FieldError> {
    if decoder.is_ok()? {
        return read(decoder).map(Ok);
    }
    let code = decoder.case()?;
    let message = decoder.text_up_to(MAX_MESSAGE_BYTES, "message")?;
    Ok(Err(Failure::new(code, message)))
}

// === impl KeptSession ===

impl KeptSession {
    fn read(decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            id: decoder.session()?,
            lease_ms: decoder.u32()?,
        })
    }
}
