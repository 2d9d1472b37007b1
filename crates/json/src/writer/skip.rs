//! A writer without output, for values that are read to reach those after them.

use super::{Full, Writer};

/// Discards values.
pub(crate) struct Skip;

impl Writer for Skip {
    fn null(&mut self) -> Result<(), Full> {
        Ok(())
    }

    fn bool(&mut self, _: bool) -> Result<(), Full> {
        Ok(())
    }

    fn integer(&mut self, _: i128, _: bool) -> Result<(), Full> {
        Ok(())
    }

    fn single(&mut self, _: f32) -> Result<(), Full> {
        Ok(())
    }

    fn double(&mut self, _: f64) -> Result<(), Full> {
        Ok(())
    }

    fn text(&mut self, _: &str) -> Result<(), Full> {
        Ok(())
    }

    fn bytes(&mut self, _: &[u8]) -> Result<(), Full> {
        Ok(())
    }

    fn list(&mut self, _: usize) -> Result<(), Full> {
        Ok(())
    }

    fn element(&mut self) -> Result<(), Full> {
        Ok(())
    }

    fn end_list(&mut self) -> Result<(), Full> {
        Ok(())
    }

    fn object(&mut self, _: Option<usize>) -> Result<(), Full> {
        Ok(())
    }

    fn key(&mut self, _: &str) -> Result<(), Full> {
        Ok(())
    }

    fn integer_key(&mut self, _: i128) -> Result<(), Full> {
        Ok(())
    }

    fn bool_key(&mut self, _: bool) -> Result<(), Full> {
        Ok(())
    }

    fn end_object(&mut self, _: Option<usize>) -> Result<(), Full> {
        Ok(())
    }
}
