//! What the bodies of messages are made of: bounded fields over the value encoding of `weft_wire`.

use weft_wire::{Decoder, Limits};

use super::error::FieldError;
use super::inventory::HostCondition;
use super::limits::{MAX_COMPONENTS, MAX_FAILURES, MAX_INVENTORY_BYTES, MAX_LABELS, MAX_STORES};

/// What is taken of any message before its kind is known.
const LIMITS: Limits = Limits {
    // Lists of records without lists in them.
    depth: 2,
    elements: (MAX_COMPONENTS + MAX_STORES + MAX_LABELS + MAX_FAILURES + HostCondition::ALL.len())
        as u64,
    bytes: MAX_INVENTORY_BYTES,
};

/// Reads fields in order.
#[derive(Debug)]
pub struct Reader<'a> {
    decoder: Decoder<'a>,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, FieldError> {
        let decoder = Decoder::new(bytes, LIMITS)?;
        Ok(Self { decoder })
    }

    pub fn offset(&self) -> usize {
        self.decoder.offset()
    }

    pub fn finish(self) -> Result<(), FieldError> {
        Ok(self.decoder.finish()?)
    }

    pub fn u8(&mut self) -> Result<u8, FieldError> {
        Ok(self.decoder.u8()?)
    }

    pub fn bool(&mut self) -> Result<bool, FieldError> {
        Ok(self.decoder.bool()?)
    }

    pub fn u32(&mut self) -> Result<u32, FieldError> {
        Ok(self.decoder.u32()?)
    }

    pub fn u64(&mut self) -> Result<u64, FieldError> {
        Ok(self.decoder.u64()?)
    }

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

    /// A `list<u8>` up to a limit.
    pub fn bounded(&mut self, field: &'static str, limit: usize) -> Result<&'a [u8], FieldError> {
        let bytes = self.decoder.bytes()?;
        check_length(field, limit, bytes.len())?;
        Ok(bytes)
    }

    /// A `string` up to a limit.
    pub fn text(&mut self, field: &'static str, limit: usize) -> Result<&'a str, FieldError> {
        let text = self.decoder.string()?;
        check_length(field, limit, text.len())?;
        Ok(text)
    }

    /// A `list<u8>` of one length.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FieldError> {
        let bytes = self.decoder.bytes()?;
        bytes.try_into().map_err(|_| FieldError::Length {
            field,
            expected: N,
            found: bytes.len(),
        })
    }

    /// The length of a list, whose elements follow and take at least so many bytes each.
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

    /// One of the cases of an `enum`, in the order of their discriminants.
    pub fn case<T: Copy>(&mut self, cases: &[T]) -> Result<T, FieldError> {
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
