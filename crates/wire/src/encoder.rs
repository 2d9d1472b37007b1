//! Writes values, primitive by primitive.
//!
//! The caller drives the encoder along the type: a record is its fields one after the other, a list
//! its length and then its elements, a variant its discriminant and then its payload.

use crate::error::EncodeError;
use crate::leb128;

/// Appends encoded values to a buffer, up to a limit.
///
/// After an error the buffer contains the values up to the failed one, and perhaps a part of that
/// one; the caller truncates or discards the buffer.
///
/// ```
/// use weft_wire::Encoder;
///
/// // tuple<list<u16>, option<string>>
/// let mut bytes = Vec::new();
/// let mut encoder = Encoder::new(&mut bytes, 100);
/// encoder.list(2)?;
/// encoder.u16(7)?;
/// encoder.u16(300)?;
/// encoder.some()?;
/// encoder.string("hi")?;
/// assert_eq!(bytes, [2, 7, 0xac, 2, 1, 2, b'h', b'i']);
/// # Ok::<(), weft_wire::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct Encoder<'b> {
    out: &'b mut Vec<u8>,
    /// The largest length of the buffer, including its previous content.
    end_max: usize,
    limit: usize,
}

impl<'b> Encoder<'b> {
    /// Creates an encoder that appends at most `limit` bytes.
    pub fn new(out: &'b mut Vec<u8>, limit: usize) -> Self {
        let end_max = out.len().saturating_add(limit);
        Self {
            out,
            end_max,
            limit,
        }
    }

    /// Writes a `bool`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn bool(&mut self, value: bool) -> Result<(), EncodeError> {
        self.raw(&[u8::from(value)])
    }

    /// Writes a `u8`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn u8(&mut self, value: u8) -> Result<(), EncodeError> {
        self.raw(&[value])
    }

    /// Writes an `s8`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn s8(&mut self, value: i8) -> Result<(), EncodeError> {
        self.raw(&value.to_le_bytes())
    }

    /// Writes a `u16`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn u16(&mut self, value: u16) -> Result<(), EncodeError> {
        self.unsigned(value.into())
    }

    /// Writes an `s16`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn s16(&mut self, value: i16) -> Result<(), EncodeError> {
        self.signed(value.into())
    }

    /// Writes a `u32`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn u32(&mut self, value: u32) -> Result<(), EncodeError> {
        self.unsigned(value.into())
    }

    /// Writes an `s32`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn s32(&mut self, value: i32) -> Result<(), EncodeError> {
        self.signed(value.into())
    }

    /// Writes a `u64`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn u64(&mut self, value: u64) -> Result<(), EncodeError> {
        self.unsigned(value)
    }

    /// Writes an `s64`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn s64(&mut self, value: i64) -> Result<(), EncodeError> {
        self.signed(value)
    }

    /// Writes an `f32`, with the payload of a NaN.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn f32(&mut self, value: f32) -> Result<(), EncodeError> {
        self.raw(&value.to_le_bytes())
    }

    /// Writes an `f64`, with the payload of a NaN.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn f64(&mut self, value: f64) -> Result<(), EncodeError> {
        self.raw(&value.to_le_bytes())
    }

    /// Writes a `char`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn char(&mut self, value: char) -> Result<(), EncodeError> {
        self.raw(value.encode_utf8(&mut [0; 4]).as_bytes())
    }

    /// Writes a `string`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn string(&mut self, value: &str) -> Result<(), EncodeError> {
        self.bytes(value.as_bytes())
    }

    /// Writes a whole `list<u8>`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn bytes(&mut self, value: &[u8]) -> Result<(), EncodeError> {
        self.list(value.len())?;
        self.raw(value)
    }

    /// Writes a `list<u8>`, or the bytes of a `string`, into a field that has a limit of its own.
    ///
    /// # Errors
    /// If the value is longer than that, or the limit of the encoder is exceeded.
    pub fn bytes_up_to(
        &mut self,
        limit: usize,
        field: &'static str,
        value: &[u8],
    ) -> Result<(), EncodeError> {
        self.list_up_to(limit, field, value.len())?;
        self.raw(value)
    }

    /// Writes the length of a list, in a field that has a limit of its own; the elements follow.
    ///
    /// # Errors
    /// If the list is longer than that, or the limit of the encoder is exceeded.
    pub fn list_up_to(
        &mut self,
        limit: usize,
        field: &'static str,
        length: usize,
    ) -> Result<(), EncodeError> {
        if length > limit {
            return Err(EncodeError::Field {
                field,
                limit,
                found: length,
            });
        }
        self.list(length)
    }

    /// Writes the length of a list; its elements follow.
    ///
    /// # Errors
    /// If the limit is exceeded, or the length is not a `u32`.
    pub fn list(&mut self, length: usize) -> Result<(), EncodeError> {
        let length = u32::try_from(length).map_err(|_| EncodeError::Elements { found: length })?;
        self.unsigned(length.into())
    }

    /// Writes the case of a `variant` or an `enum`; the payload of the case follows.
    ///
    /// # Errors
    /// If the limit is exceeded, or the case does not exist.
    pub fn discriminant(&mut self, found: u32, cases: u32) -> Result<(), EncodeError> {
        if found >= cases {
            return Err(EncodeError::Discriminant { cases, found });
        }
        self.unsigned(found.into())
    }

    /// Writes the case `none` of an `option`.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn none(&mut self) -> Result<(), EncodeError> {
        self.raw(&[0])
    }

    /// Writes the case `some` of an `option`; its value follows.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn some(&mut self) -> Result<(), EncodeError> {
        self.raw(&[1])
    }

    /// Writes the case `ok` of a `result`; its value, if any, follows.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn ok(&mut self) -> Result<(), EncodeError> {
        self.raw(&[0])
    }

    /// Writes the case `err` of a `result`; its value, if any, follows.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn err(&mut self) -> Result<(), EncodeError> {
        self.raw(&[1])
    }

    /// Writes a value of a `flags` type with `count` flags; `set` lists the set ones.
    ///
    /// # Errors
    /// If the limit is exceeded, or a flag does not exist.
    pub fn flags(
        &mut self,
        count: usize,
        set: impl IntoIterator<Item = usize>,
    ) -> Result<(), EncodeError> {
        let start = self.out.len();
        self.reserve(count.div_ceil(8))?;
        self.out.resize(start + count.div_ceil(8), 0);
        for found in set {
            if found >= count {
                return Err(EncodeError::Flag { count, found });
            }
            self.out[start + found / 8] |= 1 << (found % 8);
        }
        Ok(())
    }

    /// Writes an `own` or a `borrow`, by the handle that the exporter assigned.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn handle(&mut self, value: u32) -> Result<(), EncodeError> {
        self.bytes(&value.to_le_bytes())
    }

    /// Writes a `stream` or a `future`, by its number within the call.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn stream(&mut self, number: u32) -> Result<(), EncodeError> {
        self.unsigned(number.into())
    }

    /// Writes bytes that are already encoded.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.reserve(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn unsigned(&mut self, value: u64) -> Result<(), EncodeError> {
        leb128::write_unsigned(self.out, value);
        self.check_end()
    }

    fn signed(&mut self, value: i64) -> Result<(), EncodeError> {
        leb128::write_signed(self.out, value);
        self.check_end()
    }

    /// Checks that `count` bytes fit, before the buffer grows.
    fn reserve(&self, count: usize) -> Result<(), EncodeError> {
        if count > self.end_max - self.out.len() {
            return Err(EncodeError::Bytes { limit: self.limit });
        }
        Ok(())
    }

    /// Integers are short, so they are written first and removed again if they do not fit.
    fn check_end(&mut self) -> Result<(), EncodeError> {
        if self.out.len() > self.end_max {
            self.out.truncate(self.end_max);
            return Err(EncodeError::Bytes { limit: self.limit });
        }
        Ok(())
    }
}
