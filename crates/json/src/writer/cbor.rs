//! A writer of CBOR, over the primitives of `cbor4ii`: the shortest forms, and a float in the width
//! of its type.

use std::fmt;

use cbor4ii::core::enc::{Encode, Error, Write};
use cbor4ii::core::types;

use super::{Full, Output, Writer};

/// Writes a body of CBOR.
pub(crate) struct CborWriter<'o> {
    out: Output<'o>,
}

impl<'o> CborWriter<'o> {
    pub(crate) fn new(out: Output<'o>) -> Self {
        Self { out }
    }

    fn encode(&mut self, value: impl Encode) -> Result<(), Full> {
        full(value.encode(&mut self.out))
    }
}

fn full(result: Result<(), Error<OutputFull>>) -> Result<(), Full> {
    result.map_err(|_| Full)
}

/// [`Full`] as an error, which `cbor4ii` needs.
#[derive(Debug)]
pub(crate) struct OutputFull;

impl fmt::Display for OutputFull {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("output exceeds its limit")
    }
}

impl std::error::Error for OutputFull {}

impl Write for Output<'_> {
    type Error = OutputFull;

    fn push(&mut self, input: &[u8]) -> Result<(), OutputFull> {
        Output::push(self, input).map_err(|Full| OutputFull)
    }
}

impl Writer for CborWriter<'_> {
    fn null(&mut self) -> Result<(), Full> {
        self.encode(types::Null)
    }

    fn bool(&mut self, value: bool) -> Result<(), Full> {
        self.encode(value)
    }

    fn integer(&mut self, value: i128, _: bool) -> Result<(), Full> {
        self.encode(value)
    }

    // A NaN has no payload, as in JSON.
    fn single(&mut self, value: f32) -> Result<(), Full> {
        self.encode(if value.is_nan() { f32::NAN } else { value })
    }

    fn double(&mut self, value: f64) -> Result<(), Full> {
        self.encode(if value.is_nan() { f64::NAN } else { value })
    }

    fn text(&mut self, value: &str) -> Result<(), Full> {
        self.encode(value)
    }

    fn bytes(&mut self, value: &[u8]) -> Result<(), Full> {
        self.encode(types::Bytes(value))
    }

    fn list(&mut self, length: usize) -> Result<(), Full> {
        full(types::Array::bounded(length, &mut self.out))
    }

    fn element(&mut self) -> Result<(), Full> {
        Ok(())
    }

    fn end_list(&mut self) -> Result<(), Full> {
        Ok(())
    }

    fn object(&mut self, length: Option<usize>) -> Result<(), Full> {
        full(match length {
            Some(length) => types::Map::bounded(length, &mut self.out),
            None => types::Map::unbounded(&mut self.out),
        })
    }

    fn key(&mut self, key: &str) -> Result<(), Full> {
        self.text(key)
    }

    fn integer_key(&mut self, key: i128) -> Result<(), Full> {
        self.encode(key)
    }

    fn bool_key(&mut self, key: bool) -> Result<(), Full> {
        self.encode(key)
    }

    fn end_object(&mut self, length: Option<usize>) -> Result<(), Full> {
        match length {
            Some(_) => Ok(()),
            None => full(types::Map::end(&mut self.out)),
        }
    }
}
