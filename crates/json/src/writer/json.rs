//! A writer of JSON.

use std::fmt::{Debug, Display};
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Full, Output, Writer};
use crate::number::float_text;
use crate::settings::Int64;

/// The bytes of base64 that are encoded at once.
const CHUNK_BYTES: usize = 768;

/// Writes a body of JSON, without white space.
pub(crate) struct JsonWriter<'o> {
    out: Output<'o>,
    int64: Int64,
    /// True if the next item of the list or the object follows another one.
    needs_comma: bool,
}

impl<'o> JsonWriter<'o> {
    pub(crate) fn new(out: Output<'o>, int64: Int64) -> Self {
        Self {
            out,
            int64,
            needs_comma: false,
        }
    }

    fn scalar(&mut self, text: impl Display) -> Result<(), Full> {
        // No number that a type has takes more characters.
        let mut buffer = [0; 48];
        let mut rest = &mut buffer[..];
        write!(rest, "{text}").map_err(|_| Full)?;
        let length = 48 - rest.len();
        self.needs_comma = true;
        self.out.push(&buffer[..length])
    }

    /// Writes a float: a number, or a string for one that JSON has no number for.
    fn float(&mut self, value: f64, shortest: impl Debug) -> Result<(), Full> {
        let shortest = format!("{shortest:?}");
        let text = float_text(value, &shortest);
        match value.is_finite() {
            true => self.scalar(text),
            false => self.text(text),
        }
    }

    fn comma(&mut self) -> Result<(), Full> {
        if self.needs_comma {
            self.out.push(b",")?;
        }
        Ok(())
    }

    fn quoted(&mut self, text: &str) -> Result<(), Full> {
        self.out.push(b"\"")?;
        let bytes = text.as_bytes();
        let mut plain_start = 0;
        for (index, byte) in bytes.iter().enumerate() {
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                0..=0x1f => &control(*byte),
                _ => continue,
            };
            self.out.push(&bytes[plain_start..index])?;
            self.out.push(escape)?;
            plain_start = index + 1;
        }
        self.out.push(&bytes[plain_start..])?;
        self.out.push(b"\"")
    }
}

fn control(byte: u8) -> [u8; 6] {
    let digit = |value: u8| char::from_digit(value.into(), 16).map_or(b'0', |digit| digit as u8);
    [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0xf)]
}

impl Writer for JsonWriter<'_> {
    fn null(&mut self) -> Result<(), Full> {
        self.scalar("null")
    }

    fn bool(&mut self, value: bool) -> Result<(), Full> {
        self.scalar(value)
    }

    fn integer(&mut self, value: i128, is_wide: bool) -> Result<(), Full> {
        match self.int64 {
            Int64::String if is_wide => self.scalar(format_args!("\"{value}\"")),
            _ => self.scalar(value),
        }
    }

    fn single(&mut self, value: f32) -> Result<(), Full> {
        self.float(value.into(), value)
    }

    fn double(&mut self, value: f64) -> Result<(), Full> {
        self.float(value, value)
    }

    fn text(&mut self, value: &str) -> Result<(), Full> {
        self.needs_comma = true;
        self.quoted(value)
    }

    fn bytes(&mut self, value: &[u8]) -> Result<(), Full> {
        self.needs_comma = true;
        self.out.check(value.len().div_ceil(3).saturating_mul(4))?;
        self.out.push(b"\"")?;
        let mut buffer = [0; CHUNK_BYTES / 3 * 4];
        for chunk in value.chunks(CHUNK_BYTES) {
            let length = STANDARD
                .encode_slice(chunk, &mut buffer)
                .map_err(|_| Full)?;
            self.out.push(&buffer[..length])?;
        }
        self.out.push(b"\"")
    }

    fn list(&mut self, _: usize) -> Result<(), Full> {
        self.needs_comma = false;
        self.out.push(b"[")
    }

    fn element(&mut self) -> Result<(), Full> {
        self.comma()
    }

    fn end_list(&mut self) -> Result<(), Full> {
        self.needs_comma = true;
        self.out.push(b"]")
    }

    fn object(&mut self, _: Option<usize>) -> Result<(), Full> {
        self.needs_comma = false;
        self.out.push(b"{")
    }

    fn key(&mut self, key: &str) -> Result<(), Full> {
        self.comma()?;
        self.quoted(key)?;
        self.out.push(b":")
    }

    fn integer_key(&mut self, key: i128) -> Result<(), Full> {
        self.comma()?;
        self.scalar(format_args!("\"{key}\":"))
    }

    fn bool_key(&mut self, key: bool) -> Result<(), Full> {
        self.comma()?;
        self.scalar(format_args!("\"{key}\":"))
    }

    fn end_object(&mut self, _: Option<usize>) -> Result<(), Full> {
        self.needs_comma = true;
        self.out.push(b"}")
    }
}
