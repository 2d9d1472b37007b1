//! A tokenizer of CBOR (RFC 8949), over the primitives of `cbor4ii`.

use std::borrow::Cow;
use std::convert::Infallible;

use cbor4ii::core::dec::{self, Decode, Read, Reference};
use cbor4ii::core::{error, major, marker, types};

use super::{Items, Reader, Text, Token};
use crate::error::{Location, SyntaxError};
use crate::number::Number;

/// The tag of a body that describes itself as CBOR: three bytes before the value.
const SELF_DESCRIBED: &[u8] = &[0xd9, 0xd9, 0xf7];

/// Reads a body of CBOR.
pub(crate) struct CborReader<'de> {
    body: &'de [u8],
    offset: usize,
}

impl<'de> CborReader<'de> {
    pub(crate) fn new(body: &'de [u8]) -> Self {
        let offset = match body.starts_with(SELF_DESCRIBED) {
            true => SELF_DESCRIBED.len(),
            false => 0,
        };
        Self { body, offset }
    }

    fn peek(&self) -> Result<u8, SyntaxError> {
        let byte = self.body.get(self.offset).copied();
        byte.ok_or_else(|| self.error(self.offset, "a value", end()))
    }

    fn decode<T: Decode<'de>>(&mut self) -> Result<T, SyntaxError> {
        let start = self.offset;
        T::decode(self).map_err(|error| self.malformed(start, &error))
    }

    fn malformed(&self, offset: usize, error: &error::DecodeError<Infallible>) -> SyntaxError {
        match error {
            error::DecodeError::Eof { .. } => self.error(self.body.len(), "more bytes", end()),
            error::DecodeError::RequireLength { .. }
            | error::DecodeError::LengthOverflow { .. } => {
                self.error(offset, "a length within the body", "another".to_owned())
            }
            error::DecodeError::RequireUtf8 { .. } => {
                self.error(offset, "UTF-8", "other bytes".to_owned())
            }
            _ => self.other(offset, "well-formed CBOR"),
        }
    }

    /// The error at a byte that starts no value that is expected there.
    fn other(&self, offset: usize, expected: &'static str) -> SyntaxError {
        let found = match self.body.get(offset) {
            Some(byte) => format!("the byte 0x{byte:02x}"),
            None => end(),
        };
        self.error(offset, expected, found)
    }

    fn simple(&mut self, byte: u8) -> Result<Token<'de>, SyntaxError> {
        let token = match byte {
            marker::FALSE => Token::Bool(false),
            marker::TRUE => Token::Bool(true),
            marker::NULL | marker::UNDEFINED => Token::Null,
            marker::F16 => {
                let types::F16(bits) = self.decode()?;
                return Ok(float(half(bits)));
            }
            marker::F32 => return Ok(float(self.decode::<f32>()?.into())),
            marker::F64 => return Ok(float(self.decode()?)),
            _ => return Err(self.other(self.offset, "a value")),
        };
        self.offset += 1;
        Ok(token)
    }

    /// Counts the next item of a list or an object; false at its end.
    fn item(&mut self, items: &mut Items) -> Result<bool, SyntaxError> {
        match &mut items.left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None => {
                let start = self.offset;
                let is_break = dec::is_break(self).map_err(|error| self.malformed(start, &error));
                is_break.map(|is_break| !is_break)
            }
        }
    }
}

impl<'de> Reader<'de> for CborReader<'de> {
    fn token(&mut self) -> Result<Token<'de>, SyntaxError> {
        let start = self.offset;
        let byte = self.peek()?;
        Ok(match dec::if_major(byte) {
            major::UNSIGNED => Token::Number(Number::Unsigned(self.decode()?)),
            major::NEGATIVE => {
                let types::Negative(value) = self.decode()?;
                Token::Number(Number::Negative(value))
            }
            major::BYTES => {
                let types::Bytes(bytes) = self.decode()?;
                Token::Bytes(bytes)
            }
            major::STRING => Token::Text(Text {
                text: self.decode::<Cow<'de, str>>()?,
                has_lone_surrogate: false,
            }),
            major::ARRAY => {
                let length = types::Array::len(self);
                let length = length.map_err(|error| self.malformed(start, &error))?;
                Token::List(Items::counted(length))
            }
            major::MAP => {
                let length = types::Map::len(self);
                let length = length.map_err(|error| self.malformed(start, &error))?;
                Token::Object(Items::counted(length))
            }
            major::TAG => return Err(self.other(start, "a value without a tag")),
            _ => self.simple(byte)?,
        })
    }

    fn element(&mut self, items: &mut Items) -> Result<bool, SyntaxError> {
        self.item(items)
    }

    fn key(&mut self, items: &mut Items) -> Result<Option<Token<'de>>, SyntaxError> {
        if !self.item(items)? {
            return Ok(None);
        }
        let start = self.offset;
        let key = self.token()?;
        if key.is_container() {
            return Err(self.other(start, "a key that is no array or map"));
        }
        Ok(Some(key))
    }

    fn null(&mut self) -> Result<bool, SyntaxError> {
        let is_null = matches!(self.peek()?, marker::NULL | marker::UNDEFINED);
        self.offset += usize::from(is_null);
        Ok(is_null)
    }

    fn offset(&self) -> usize {
        self.offset
    }

    fn seek(&mut self, offset: usize) {
        self.offset = offset;
    }

    fn finish(&mut self) -> Result<(), SyntaxError> {
        if self.offset < self.body.len() {
            return Err(self.other(self.offset, "the end of the body"));
        }
        Ok(())
    }

    fn error(&self, offset: usize, expected: &'static str, found: String) -> SyntaxError {
        SyntaxError {
            location: Location::Byte(offset),
            expected,
            found,
        }
    }
}

impl<'de> Read<'de> for CborReader<'de> {
    type Error = Infallible;

    fn fill<'short>(&'short mut self, want: usize) -> Result<Reference<'de, 'short>, Infallible> {
        let rest = &self.body[self.offset..];
        Ok(Reference::Long(&rest[..want.min(rest.len())]))
    }

    fn advance(&mut self, length: usize) {
        self.offset = self.offset.saturating_add(length).min(self.body.len());
    }
}

impl Items {
    fn counted(length: Option<usize>) -> Self {
        Self {
            is_first: true,
            left: length.map(|length| length as u64),
        }
    }
}

/// A float; a NaN has no payload, as in JSON.
fn float(value: f64) -> Token<'static> {
    let value = if value.is_nan() { f64::NAN } else { value };
    Token::Number(Number::Float(value))
}

fn end() -> String {
    "the end of the body".to_owned()
}

/// The value of a float of 16 bits: a sign, five bits of exponent, ten of fraction.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match (bits >> 10) & 0x1f {
        0 => fraction * 2_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        exponent => (fraction + 1024.0) * 2_f64.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn floats_of_16_bits_have_their_values() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc400, -4.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x0400, 0.000_061_035_156_25),
            (0xfc00, f64::NEG_INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x8000).is_sign_negative());
        assert!(half(0x7e00).is_nan());
    }
}
