//! Reads values from hostile bytes, primitive by primitive.
//!
//! Decoding does not allocate: strings and bytes are borrowed. The length of a list is returned
//! only if the remaining bytes can hold that many elements and the limit allows them.

use crate::error::{DecodeError, Problem};
use crate::leb128::{self, Read};
use crate::limits::Limits;

/// Reads encoded values from bytes, within limits.
///
/// ```
/// use weft_wire::{Decoder, Limits};
///
/// // tuple<list<u16>, option<string>>
/// let bytes = [2, 7, 0xac, 2, 1, 2, b'h', b'i'];
/// let mut decoder = Decoder::new(&bytes, Limits::LINK)?;
/// assert_eq!(decoder.list(1)?, 2);
/// assert_eq!((decoder.u16()?, decoder.u16()?), (7, 300));
/// assert!(decoder.is_some()?);
/// assert_eq!(decoder.string()?, "hi");
/// decoder.finish()?;
/// # Ok::<(), weft_wire::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    offset: usize,
    depth: u32,
    depth_max: u32,
    elements_left: u64,
}

impl<'a> Decoder<'a> {
    /// Creates a decoder of these bytes.
    ///
    /// # Errors
    /// If there are more bytes than the limit.
    pub fn new(bytes: &'a [u8], limits: Limits) -> Result<Self, DecodeError> {
        if bytes.len() > limits.bytes {
            let (limit, found) = (limits.bytes, bytes.len());
            return Err(at(0, Problem::Bytes { limit, found }));
        }
        Ok(Self {
            bytes,
            offset: 0,
            depth: 0,
            depth_max: limits.depth,
            elements_left: limits.elements,
        })
    }

    /// Number of bytes read so far.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Number of remaining bytes.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// Checks that the bytes end here.
    ///
    /// # Errors
    /// If bytes remain.
    pub fn finish(self) -> Result<(), DecodeError> {
        self.check_end()
    }

    pub(crate) fn check_end(&self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            left => Err(at(self.offset, Problem::Trailing { left })),
        }
    }

    /// Enters a value that contains others; [`leave`](Self::leave) is the counterpart.
    ///
    /// # Errors
    /// If the nesting exceeds the limit.
    pub fn enter(&mut self) -> Result<(), DecodeError> {
        if self.depth == self.depth_max {
            let limit = self.depth_max;
            return Err(at(self.offset, Problem::Depth { limit }));
        }
        self.depth += 1;
        Ok(())
    }

    /// Leaves a value that was entered.
    pub fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Charges elements to the limit, before anything is allocated for them. Lists charge for
    /// themselves; a caller that allocates for fields or payloads charges for those.
    ///
    /// # Errors
    /// If fewer elements remain within the limit.
    pub fn charge(&mut self, elements: u64) -> Result<(), DecodeError> {
        self.charge_at(self.offset, elements)
    }

    /// Reads a `bool`.
    ///
    /// # Errors
    /// If the byte is missing, or neither 0 nor 1.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        let start = self.offset;
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(at(start, Problem::Bool { found })),
        }
    }

    /// Reads a `u8`.
    ///
    /// # Errors
    /// If the byte is missing.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    /// Reads an `s8`.
    ///
    /// # Errors
    /// If the byte is missing.
    pub fn s8(&mut self) -> Result<i8, DecodeError> {
        self.array().map(i8::from_le_bytes)
    }

    /// Reads a `u16`.
    ///
    /// # Errors
    /// If the bytes end first, or the integer is larger.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.unsigned(u16::BITS)
    }

    /// Reads an `s16`.
    ///
    /// # Errors
    /// If the bytes end first, or the integer is larger.
    pub fn s16(&mut self) -> Result<i16, DecodeError> {
        self.signed(i16::BITS)
    }

    /// Reads a `u32`.
    ///
    /// # Errors
    /// If the bytes end first, or the integer is larger.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.unsigned(u32::BITS)
    }

    /// Reads an `s32`.
    ///
    /// # Errors
    /// If the bytes end first, or the integer is larger.
    pub fn s32(&mut self) -> Result<i32, DecodeError> {
        self.signed(i32::BITS)
    }

    /// Reads a `u64`.
    ///
    /// # Errors
    /// If the bytes end first, or the integer is larger.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.unsigned(u64::BITS)
    }

    /// Reads an `s64`.
    ///
    /// # Errors
    /// If the bytes end first, or the integer is larger.
    pub fn s64(&mut self) -> Result<i64, DecodeError> {
        self.signed(i64::BITS)
    }

    /// Reads an `f32`, with the payload of a NaN.
    ///
    /// # Errors
    /// If the bytes end first.
    pub fn f32(&mut self) -> Result<f32, DecodeError> {
        self.array().map(f32::from_le_bytes)
    }

    /// Reads an `f64`, with the payload of a NaN.
    ///
    /// # Errors
    /// If the bytes end first.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.array().map(f64::from_le_bytes)
    }

    /// Reads a `char`.
    ///
    /// # Errors
    /// If the bytes end first, or are not the UTF-8 of one scalar value.
    pub fn char(&mut self) -> Result<char, DecodeError> {
        let start = self.offset;
        let first = self.u8()?;
        let length = match first {
            0..=0x7f => return Ok(char::from(first)),
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return Err(at(start, Problem::Char)),
        };
        self.offset = start;
        let text = std::str::from_utf8(self.take(length)?).ok();
        text.and_then(|text| text.chars().next())
            .ok_or(at(start, Problem::Char))
    }

    /// Reads a `string`.
    ///
    /// # Errors
    /// If the bytes end first, or are not UTF-8.
    pub fn string(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes()?;
        let start = self.offset - bytes.len();
        std::str::from_utf8(bytes).map_err(|error| at(start + error.valid_up_to(), Problem::Utf8))
    }

    /// Reads a whole `list<u8>`.
    ///
    /// # Errors
    /// If the bytes end first.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u32()?;
        self.take(length.into())
    }

    /// Reads the length of a list whose elements take at least `element_bytes_min` bytes each; its
    /// elements follow. The caller may reserve memory for that many: they are charged, and the
    /// remaining bytes can hold them.
    ///
    /// # Errors
    /// If the remaining bytes cannot hold that many elements, or the limit does not allow them.
    pub fn list(&mut self, element_bytes_min: usize) -> Result<usize, DecodeError> {
        let start = self.offset;
        let length = self.u32()?;
        // Every type takes at least one byte; zero from a caller would lift the bound.
        let needed = (element_bytes_min.max(1) as u64).saturating_mul(length.into());
        if needed > self.left() as u64 {
            let left = self.left();
            return Err(at(self.offset, Problem::Truncated { needed, left }));
        }
        self.charge_at(start, length.into())?;
        // At most the number of remaining bytes.
        Ok(length as usize)
    }

    /// Reads the case of a `variant` or an `enum` with this many cases; the payload of the case
    /// follows.
    ///
    /// # Errors
    /// If the bytes end first, or the case does not exist.
    pub fn discriminant(&mut self, cases: u32) -> Result<u32, DecodeError> {
        let start = self.offset;
        let found = self.u32()?;
        check_case(start, found, cases)
    }

    /// Reads the case of an `option` and returns whether it is `some`; its value follows.
    ///
    /// # Errors
    /// If the byte is missing, or neither 0 nor 1.
    pub fn is_some(&mut self) -> Result<bool, DecodeError> {
        self.binary_case().map(|case| case == 1)
    }

    /// Reads the case of a `result` and returns whether it is `ok`; the value of that case, if any,
    /// follows.
    ///
    /// # Errors
    /// If the byte is missing, or neither 0 nor 1.
    pub fn is_ok(&mut self) -> Result<bool, DecodeError> {
        self.binary_case().map(|case| case == 0)
    }

    /// Reads a value of a `flags` type with this many flags.
    ///
    /// # Errors
    /// If the bytes end first, or a flag is set that the type does not have.
    pub fn flags(&mut self, count: usize) -> Result<Flags<'a>, DecodeError> {
        let bytes = self.take(count.div_ceil(8) as u64)?;
        let unused = match (bytes.last(), count % 8) {
            (Some(last), used @ 1..) => last >> used,
            _ => 0,
        };
        if unused != 0 {
            return Err(at(self.offset - 1, Problem::Flags { count }));
        }
        Ok(Flags(bytes))
    }

    /// Reads an `own` or a `borrow`, by the handle that the exporter assigned.
    ///
    /// # Errors
    /// If the bytes end first, or the handle is not four bytes long.
    pub fn handle(&mut self) -> Result<u32, DecodeError> {
        let start = self.offset;
        let bytes = self.bytes()?;
        let found = bytes.len();
        <[u8; 4]>::try_from(bytes)
            .map(u32::from_le_bytes)
            .map_err(|_| at(start, Problem::Handle { found }))
    }

    /// Reads a `stream` or a `future`, by its number within the call.
    ///
    /// # Errors
    /// If the bytes end first, or the number is larger than a `u32`.
    pub fn stream(&mut self) -> Result<u32, DecodeError> {
        self.u32()
    }

    /// Skips bytes that another reader has read.
    pub(crate) fn skip(&mut self, length: usize) -> Result<(), DecodeError> {
        self.take(length as u64).map(drop)
    }

    fn binary_case(&mut self) -> Result<u32, DecodeError> {
        let start = self.offset;
        let found = self.u8()?;
        check_case(start, found.into(), 2)
    }

    fn charge_at(&mut self, offset: usize, elements: u64) -> Result<(), DecodeError> {
        let (left, found) = (self.elements_left, elements);
        self.elements_left = left
            .checked_sub(elements)
            .ok_or(at(offset, Problem::Elements { left, found }))?;
        Ok(())
    }

    fn unsigned<T: TryFrom<u64>>(&mut self, bits: u32) -> Result<T, DecodeError> {
        let read = leb128::read_unsigned(&self.bytes[self.offset..], bits);
        self.integer(read, bits)
    }

    fn signed<T: TryFrom<i64>>(&mut self, bits: u32) -> Result<T, DecodeError> {
        let read = leb128::read_signed(&self.bytes[self.offset..], bits);
        self.integer(read, bits)
    }

    fn integer<V, T: TryFrom<V>>(&mut self, read: Read<V>, bits: u32) -> Result<T, DecodeError> {
        let too_large = at(self.offset, Problem::Integer { bits });
        match read {
            Read::Done(value, length) => {
                self.offset += length;
                T::try_from(value).map_err(|_| too_large)
            }
            Read::TooLarge => Err(too_large),
            // The length is unknown, but at least one more byte is needed.
            Read::Truncated => Err(self.truncated(self.left() as u64 + 1)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(bytes) = self.bytes[self.offset..].first_chunk() else {
            return Err(self.truncated(N as u64));
        };
        self.offset += N;
        Ok(*bytes)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let left = &self.bytes[self.offset..];
        let bytes = usize::try_from(length)
            .ok()
            .and_then(|length| left.get(..length));
        let Some(bytes) = bytes else {
            return Err(self.truncated(length));
        };
        self.offset += bytes.len();
        Ok(bytes)
    }

    fn truncated(&self, needed: u64) -> DecodeError {
        let left = self.left();
        at(self.offset, Problem::Truncated { needed, left })
    }
}

/// A value of a `flags` type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags<'a>(&'a [u8]);

impl Flags<'_> {
    /// Returns whether the flag at an index is set; false for a flag that the type does not have.
    #[must_use]
    pub fn is_set(&self, index: usize) -> bool {
        let byte = self.0.get(index / 8);
        byte.is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }
}

fn at(offset: usize, problem: Problem) -> DecodeError {
    DecodeError { offset, problem }
}

fn check_case(offset: usize, found: u32, cases: u32) -> Result<u32, DecodeError> {
    if found < cases {
        Ok(found)
    } else {
        Err(at(offset, Problem::Discriminant { cases, found }))
    }
}
