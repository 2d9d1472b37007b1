//! Scalars and byte strings of a body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weft_wire::{Encoder, Scalar};

use super::{Decoder, LENGTH_BYTES_MAX, Stop};
use crate::number::{Integer, Number, is_wide, plain_integer, range};
use crate::problem::Path;
use crate::reader::{Reader, Text, Token};
use crate::types::Type;

impl<'de, R: Reader<'de>> Decoder<'_, R> {
    pub(super) fn number(
        &mut self,
        scalar: Scalar,
        number: Number<'_>,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        match scalar {
            Scalar::F64 => {
                if let Some(value) = number.double_in_range() {
                    return Ok(self.encoder().f64(value)?);
                }
            }
            Scalar::F32 => {
                if let Some(value) = number.single_in_range() {
                    return Ok(self.encoder().f32(value)?);
                }
            }
            Scalar::Bool | Scalar::Char => {}
            integer => {
                if let Some(value) = in_range(integer, number.integer()) {
                    return self.integer(integer, value);
                }
            }
        }
        let start = self.reader.offset();
        self.mismatch(start, &Token::Number(number), ty, path)
    }

    fn integer(&mut self, scalar: Scalar, value: i128) -> Result<(), Stop> {
        Ok(encode_integer(scalar, value, &mut self.encoder())?)
    }

    /// Reads a scalar that is a string: a character, a special float, an integer of 64 bits.
    pub(super) fn word(
        &mut self,
        scalar: Scalar,
        text: &Text<'_>,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        let word = &*text.text;
        match scalar {
            Scalar::Char => {
                if let Some(value) = char_of(word).filter(|_| !text.has_lone_surrogate) {
                    return Ok(self.encoder().char(value)?);
                }
            }
            Scalar::F64 => {
                if let Some(value) = float_word(word) {
                    return Ok(self.encoder().f64(value)?);
                }
            }
            Scalar::F32 => {
                if let Some(value) = float_word(word) {
                    return Ok(self.encoder().f32(value as f32)?);
                }
            }
            wide if is_wide(wide) => {
                let value = plain_integer(word);
                if let Some(value) = value.and_then(|value| in_range(wide, value)) {
                    return self.integer(wide, value);
                }
            }
            _ => {}
        }
        self.problem_of_text(text, ty, path)
    }

    pub(super) fn base64(
        &mut self,
        text: &Text<'_>,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        let text_bytes = text.text.as_bytes();
        let padding = text_bytes.iter().rev().take_while(|byte| **byte == b'=');
        let padding = padding.count().min(2);
        let length = (text_bytes.len() / 4 * 3).saturating_sub(padding);
        self.encoder().list(length)?;
        let used = self.out.len() - self.start;
        if length > self.limits.bytes.saturating_sub(used) {
            return Err(Stop::TooLarge);
        }
        self.make_room(length + 2);
        let start = self.out.len();
        // The decoder of base64 needs room for whole groups, padding included.
        self.out.resize(start + text_bytes.len().div_ceil(4) * 3, 0);
        let decoded = STANDARD.decode_slice(text_bytes, &mut self.out[start..]);
        self.out.truncate(start + length);
        match decoded {
            Ok(decoded) if decoded == length => Ok(()),
            _ => self.problem_of_text(text, ty, path),
        }
    }

    fn problem_of_text(&mut self, text: &Text<'_>, ty: &Type, path: &Path<'_>) -> Result<(), Stop> {
        let token = Token::Text(Text {
            text: (&*text.text).into(),
            has_lone_surrogate: text.has_lone_surrogate,
        });
        let start = self.reader.offset();
        self.mismatch(start, &token, ty, path)
    }

    /// Reads a key of a map: a string, or in CBOR a scalar. Returns false after a problem.
    pub(super) fn map_key(
        &mut self,
        key: &Token<'_>,
        scalar: Option<Scalar>,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<bool, Stop> {
        match (scalar, key) {
            (None, Token::Text(text)) if !text.has_lone_surrogate => {
                self.make_room(text.text.len() + LENGTH_BYTES_MAX);
                self.encoder().string(&text.text)?;
                return Ok(true);
            }
            (Some(Scalar::Bool), Token::Bool(value)) => {
                self.encoder().bool(*value)?;
                return Ok(true);
            }
            (Some(Scalar::Bool), Token::Text(text)) => {
                if let Some(value) = bool_key(&text.text) {
                    self.encoder().bool(value)?;
                    return Ok(true);
                }
            }
            (Some(Scalar::Char), Token::Text(text)) if !text.has_lone_surrogate => {
                if let Some(value) = char_of(&text.text) {
                    self.encoder().char(value)?;
                    return Ok(true);
                }
            }
            (Some(integer), Token::Number(number)) => {
                if let Some(value) = in_range(integer, number.integer()) {
                    self.integer(integer, value)?;
                    return Ok(true);
                }
            }
            (Some(integer), Token::Text(text)) => {
                let value = plain_integer(&text.text);
                if let Some(value) = value.and_then(|value| in_range(integer, value)) {
                    self.integer(integer, value)?;
                    return Ok(true);
                }
            }
            _ => {}
        }
        let expected = format!("a key that is {}", super::expected(ty, self.settings));
        self.problem(path, expected, key.found())?;
        Ok(false)
    }
}

/// The integer, if the type has it.
pub(crate) fn in_range(scalar: Scalar, value: Integer) -> Option<i128> {
    let Integer::Exact(value) = value else {
        return None;
    };
    let (min, max) = range(scalar)?;
    (min <= value && value <= max).then_some(value)
}

/// Writes an integer that is within the range of its type, so that the casts keep it.
pub(crate) fn encode_integer(
    scalar: Scalar,
    value: i128,
    encoder: &mut Encoder<'_>,
) -> Result<(), weft_wire::EncodeError> {
    match scalar {
        Scalar::U8 => encoder.u8(value as u8),
        Scalar::S8 => encoder.s8(value as i8),
        signed if signed.is_signed() => encoder.s64(value as i64),
        _ => encoder.u64(value as u64),
    }
}

/// The only character of a text.
pub(crate) fn char_of(text: &str) -> Option<char> {
    let mut letters = text.chars();
    let letter = letters.next()?;
    letters.next().is_none().then_some(letter)
}

pub(crate) fn bool_key(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A float that JSON has no number for.
pub(crate) fn float_word(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
