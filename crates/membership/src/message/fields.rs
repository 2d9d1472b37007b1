//! Fields of message bodies, with limits, over the value encoding of `weft_wire`.

use weft_wire::{Decoder, Limits};

use super::error::FieldError;
use super::inventory::HostCondition;
use super::limits::{MAX_COMPONENTS, MAX_FAILURES, MAX_INVENTORY_BYTES, MAX_LABELS, MAX_STORES};

/// Limits of the value decoder for messages of any kind.
const LIMITS: Limits = Limits {
    // Lists of records without lists in them.
    depth: 2,
    elements: (MAX_COMPONENTS + MAX_STORES + MAX_LABELS + MAX_FAILURES + HostCondition::ALL.len())
        as u64,
    bytes: MAX_INVENTORY_BYTES,
};

/// Decodes fields in order.
#[derive(Debug)]
pub struct Reader<'a> {
    decoder: Decoder<'a>,
}

impl<'a> Reader<'a> {
    /// Starts to decode the fields of a message.
    ///
    /// # Errors
    /// If the message is longer than any kind allows.
    pub fn new(bytes: &'a [u8]) -> Result<Self, FieldError> {
        let decoder = Decoder::new(bytes, LIMITS)?;
        Ok(Self { decoder })
    }

    /// Number of bytes decoded so far.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.decoder.offset()
    }

    /// Ends decoding.
    ///
    /// # Errors
    /// If bytes are left.
    pub fn finish(self) -> Result<(), FieldError> {
        Ok(self.decoder.finish()?)
    }

    /// Decodes a `u8`.
    ///
    /// # Errors
    /// If the input ends early.
    pub fn u8(&mut self) -> Result<u8, FieldError> {
        Ok(self.decoder.u8()?)
    }

    /// Decodes a `bool`.
    ///
    /// # Errors
    /// If the input ends early or is malformed.
    pub fn bool(&mut self) -> Result<bool, FieldError> {
        Ok(self.decoder.bool()?)
    }

    /// Decodes a `u32`.
    ///
    /// # Errors
    /// If the input ends early or is malformed.
    pub fn u32(&mut self) -> Result<u32, FieldError> {
        Ok(self.decoder.u32()?)
    }

    /// Decodes a `u64`.
    ///
    /// # Errors
    /// If the input ends early or is malformed.
    pub fn u64(&mut self) -> Result<u64, FieldError> {
        Ok(self.decoder.u64()?)
    }

    /// Decodes an `option`, with `read` for the value.
    ///
    /// # Errors
    /// If the flag is invalid, or `read` fails.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, FieldError>,
    ) -> Result<Option<T>, FieldError> {
        if self.decoder.is_some()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Decodes a `list<u8>` of at most `limit` bytes.
    ///
    /// # Errors
    /// If the input ends early, or the list is too long.
    pub fn bounded(&mut self, field: &'static str, limit: usize) -> Result<&'a [u8], FieldError> {
        let bytes = self.decoder.bytes()?;
        check_length(field, limit, bytes.len())?;
        Ok(bytes)
    }

    /// Decodes a `string` of at most `limit` bytes.
    ///
    /// # Errors
    /// If the input ends early, or the string is too long or not UTF-8.
    pub fn text(&mut self, field: &'static str, limit: usize) -> Result<&'a str, FieldError> {
        let text = self.decoder.string()?;
        check_length(field, limit, text.len())?;
        Ok(text)
    }

    /// Decodes a `list<u8>` of exactly `N` bytes.
    ///
    /// # Errors
    /// If the input ends early, or the list has another length.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FieldError> {
        let bytes = self.decoder.bytes()?;
        bytes.try_into().map_err(|_| FieldError::Length {
            field,
            expected: N,
            found: bytes.len(),
        })
    }

    /// Decodes the length of a list, whose elements follow with at least `element_bytes_min` bytes
    /// each.
    ///
    /// # Errors
    /// If the input is too short for the elements, or the list is over `limit`.
    pub fn list(
        &mut self,
        field: &'static str,
        limit: usize,
        element_bytes_min: usize,
    ) -> Result<usize, FieldError> {
        let found = self.decoder.list(element_bytes_min)?;
        if found > limit {
            return Err(FieldError::TooMany {
                field,
                limit,
                found,
            });
        }
        Ok(found)
    }

    /// Decodes a case of an `enum`; `cases` are in the order of their discriminants.
    ///
    /// # Errors
    /// If the discriminant is not below the number of cases.
    pub fn case<T: Copy>(&mut self, cases: &[T]) -> Result<T, FieldError> {
        let count = u32::try_from(cases.len()).unwrap_or(u32::MAX);
        // Valid as an index: the decoder accepts only discriminants below the count.
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
