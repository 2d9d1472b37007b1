//! Bounded fields over the value encoding, of which all frame bodies consist.

use super::error::FieldError;
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::{DecodeError, EncodeError};
use crate::limits::{Limits, MAX_FRAME_BYTES};

/// The body of one kind of frame.
pub(super) trait Body<'a>: Sized {
    /// Appends the fields in order.
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Reads the fields in order.
    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError>;
}

/// Appends an `option`.
pub(super) fn write_option<T>(
    encoder: &mut Encoder<'_>,
    value: Option<T>,
    write: impl FnOnce(&mut Encoder<'_>, T) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    match value {
        None => encoder.none(),
        Some(value) => {
            encoder.some()?;
            write(encoder, value)
        }
    }
}

/// Reads fields. The lists in a frame have their own limits, far below the elements of a link.
pub(super) struct Reader<'a> {
    decoder: Decoder<'a>,
}

impl<'a> Reader<'a> {
    /// Creates a reader of a frame's bytes that begins at `offset`, so that errors have offsets
    /// within the frame.
    pub(super) fn new(bytes: &'a [u8], offset: usize) -> Result<Self, FieldError> {
        let limits = Limits {
            bytes: MAX_FRAME_BYTES,
            ..Limits::LINK
        };
        let mut decoder = Decoder::new(bytes, limits)?;
        decoder.skip(offset)?;
        Ok(Self { decoder })
    }

    pub(super) fn offset(&self) -> usize {
        self.decoder.offset()
    }

    pub(super) fn finish(self) -> Result<(), DecodeError> {
        self.decoder.finish()
    }

    pub(super) fn u16(&mut self) -> Result<u16, FieldError> {
        Ok(self.decoder.u16()?)
    }

    /// Reads the length of a list of at most `limit` elements of at least `element_bytes_min`
    /// bytes.
    pub(super) fn length(
        &mut self,
        field: &'static str,
        limit: usize,
        element_bytes_min: usize,
    ) -> Result<usize, FieldError> {
        let found = self.decoder.list(element_bytes_min)?;
        check_length(field, limit, found)?;
        Ok(found)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FieldError> {
        Ok(self.decoder.u32()?)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FieldError> {
        Ok(self.decoder.u64()?)
    }

    pub(super) fn handle(&mut self) -> Result<u32, FieldError> {
        Ok(self.decoder.handle()?)
    }

    /// Reads a `list<u8>` that is limited only by the size of the frame.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], FieldError> {
        Ok(self.decoder.bytes()?)
    }

    /// Reads a `list<u8>` up to a limit.
    pub(super) fn bounded(
        &mut self,
        field: &'static str,
        limit: usize,
    ) -> Result<&'a [u8], FieldError> {
        let bytes = self.decoder.bytes()?;
        check_length(field, limit, bytes.len())?;
        Ok(bytes)
    }

    /// Reads a `list<u8>` of a fixed length.
    pub(super) fn fixed_bytes<const LENGTH: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; LENGTH], FieldError> {
        let bytes = self.decoder.bytes()?;
        bytes.try_into().map_err(|_| FieldError::Length {
            field,
            expected: LENGTH,
            found: bytes.len(),
        })
    }

    /// Reads a `string` up to a limit.
    pub(super) fn text(
        &mut self,
        field: &'static str,
        limit: usize,
    ) -> Result<&'a str, FieldError> {
        let text = self.decoder.string()?;
        check_length(field, limit, text.len())?;
        Ok(text)
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, FieldError>,
    ) -> Result<Option<T>, FieldError> {
        if self.decoder.is_some()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn is_ok(&mut self) -> Result<bool, FieldError> {
        Ok(self.decoder.is_ok()?)
    }

    /// Reads a case of an `enum`; `cases` is ordered by discriminant.
    pub(super) fn case<T: Copy>(&mut self, cases: &[T]) -> Result<T, FieldError> {
        let count = u32::try_from(cases.len()).unwrap_or(u32::MAX);
        // Below the count, hence an index.
        let index = self.decoder.discriminant(count)?;
        Ok(cases[index as usize])
    }
}

fn check_length(field: &'static str, limit: usize, found: usize) -> Result<(), FieldError> {
    if found > limit {
        return Err(FieldError::TooLong {
            field,
            limit,
            found,
        });
    }
    Ok(())
}
