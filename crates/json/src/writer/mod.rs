//! Bodies from values, within a limit.

mod cbor;
mod json;
mod skip;

pub(crate) use cbor::CborWriter;
pub(crate) use json::JsonWriter;
pub(crate) use skip::Skip;

/// The output exceeds its limit.
pub(crate) struct Full;

/// A body that is written value by value. Each element and each key is announced before its value.
pub(crate) trait Writer {
    fn null(&mut self) -> Result<(), Full>;
    fn bool(&mut self, value: bool) -> Result<(), Full>;

    /// Writes an integer; `is_wide` is true for types of 64 bits.
    fn integer(&mut self, value: i128, is_wide: bool) -> Result<(), Full>;
    fn single(&mut self, value: f32) -> Result<(), Full>;
    fn double(&mut self, value: f64) -> Result<(), Full>;
    fn text(&mut self, value: &str) -> Result<(), Full>;
    fn bytes(&mut self, value: &[u8]) -> Result<(), Full>;

    fn list(&mut self, length: usize) -> Result<(), Full>;
    fn element(&mut self) -> Result<(), Full>;
    fn end_list(&mut self) -> Result<(), Full>;

    /// Begins an object; its number of keys is known or not, at its end as well.
    fn object(&mut self, length: Option<usize>) -> Result<(), Full>;
    fn key(&mut self, key: &str) -> Result<(), Full>;
    fn integer_key(&mut self, key: i128) -> Result<(), Full>;
    fn bool_key(&mut self, key: bool) -> Result<(), Full>;
    fn end_object(&mut self, length: Option<usize>) -> Result<(), Full>;
}

/// Bytes of an output within a limit.
pub(crate) struct Output<'o> {
    bytes: &'o mut Vec<u8>,
    /// The largest length, including the previous content.
    end_max: usize,
}

impl<'o> Output<'o> {
    pub(crate) fn new(bytes: &'o mut Vec<u8>, limit: usize) -> Self {
        let end_max = bytes.len().saturating_add(limit);
        Self { bytes, end_max }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.check(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn check(&self, count: usize) -> Result<(), Full> {
        match count <= self.end_max - self.bytes.len() {
            true => Ok(()),
            false => Err(Full),
        }
    }
}
