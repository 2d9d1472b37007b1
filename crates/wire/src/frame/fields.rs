//! Bounded fields over the value encoding, of which all bodies of frames consist. The lists in a
//! frame have their own limits, far below the elements of a link.

use std::fmt::Display;
use std::str::FromStr;

use super::error::FieldError;
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::{DecodeError, EncodeError};
use crate::numbered::Numbered;

/// The body of one kind of frame.
pub(super) trait Body<'a>: Sized {
    /// Appends the fields in order.
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Reads the fields in order.
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError>;
}

/// Implements [`Body`] for frames that are their fields in order, each with the method that writes
/// and reads it.
macro_rules! bodies {
    ($($body:ty { $($field:ident: $method:ident),* })*) => {
        $(impl<'a> Body<'a> for $body {
            fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
                $(encoder.$method(self.$field)?;)*
                Ok(())
            }

            fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
                Ok(Self { $($field: decoder.$method()?),* })
            }
        })*
    };
}

pub(super) use bodies;

impl Encoder<'_> {
    /// Writes an `option`, with `write` for the value.
    ///
    /// # Errors
    /// If the limit is exceeded, or `write` fails.
    pub fn option<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        match value {
            None => self.none(),
            Some(value) => {
                self.some()?;
                write(self, value)
            }
        }
    }

    /// Writes a case of an `enum` whose numbers are its discriminants.
    ///
    /// # Errors
    /// If the limit is exceeded.
    pub fn case<T: Numbered>(&mut self, case: T) -> Result<(), EncodeError> {
        self.u32(case.number())
    }
}

impl<'a> Decoder<'a> {
    /// Reads a `list<u8>` into a field that has a limit of its own.
    ///
    /// # Errors
    /// If the bytes end first, or the list is longer than that.
    pub fn bytes_up_to(
        &mut self,
        limit: usize,
        field: &'static str,
    ) -> Result<&'a [u8], FieldError> {
        let bytes = self.bytes()?;
        check_length(limit, field, bytes.len())?;
        Ok(bytes)
    }

    /// Reads a `list<u8>` of a fixed length.
    ///
    /// # Errors
    /// If the bytes end first, or the list has another length.
    pub fn fixed_bytes<const LENGTH: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; LENGTH], FieldError> {
        let bytes = self.bytes()?;
        bytes.try_into().map_err(|_| FieldError::Length {
            field,
            expected: LENGTH,
            found: bytes.len(),
        })
    }

    /// Reads a `string` into a field that has a limit of its own.
    ///
    /// # Errors
    /// If the bytes end first, or the string is longer than that or not UTF-8.
    pub fn text_up_to(&mut self, limit: usize, field: &'static str) -> Result<&'a str, FieldError> {
        let text = self.string()?;
        check_length(limit, field, text.len())?;
        Ok(text)
    }

    /// Reads a `string` into a field that has a limit of its own, and parses it.
    ///
    /// # Errors
    /// As [`text_up_to`](Self::text_up_to), or if the text is invalid.
    pub fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        limit: usize,
        field: &'static str,
    ) -> Result<T, FieldError> {
        let text = self.text_up_to(limit, field)?;
        text.parse()
            .map_err(|error| FieldError::invalid(field, &error))
    }

    /// Reads the length of a list of at most `limit` elements of at least `element_bytes_min` bytes
    /// each; its elements follow.
    ///
    /// # Errors
    /// If the remaining bytes cannot hold that many elements, or the list is longer than the limit.
    pub fn list_up_to(
        &mut self,
        limit: usize,
        field: &'static str,
        element_bytes_min: usize,
    ) -> Result<usize, FieldError> {
        let found = self.list(element_bytes_min)?;
        if found > limit {
            return Err(FieldError::TooMany {
                field,
                limit,
                found,
            });
        }
        Ok(found)
    }

    /// Reads a list as [`list_up_to`](Self::list_up_to), with `read` for each element. The elements
    /// must ascend, without duplicates, or the encoding would not be unique.
    ///
    /// # Errors
    /// As [`list_up_to`](Self::list_up_to), or if `read` fails, or an element is not above the one
    /// before it.
    pub fn ascending<T>(
        &mut self,
        (limit, field, element_bytes_min): (usize, &'static str, usize),
        read: impl Fn(&mut Self) -> Result<T, FieldError>,
        is_before: impl Fn(&T, &T) -> bool,
    ) -> Result<Vec<T>, FieldError> {
        let mut elements: Vec<T> = Vec::new();
        for _ in 0..self.list_up_to(limit, field, element_bytes_min)? {
            let next = read(self)?;
            if elements.last().is_some_and(|last| !is_before(last, &next)) {
                return Err(FieldError::Order { field });
            }
            elements.push(next);
        }
        Ok(elements)
    }

    /// Reads an `option`, with `read` for the value.
    ///
    /// # Errors
    /// If the case is neither `none` nor `some`, or `read` fails.
    pub fn option<T, E: From<DecodeError>>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if self.is_some()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Reads a case of an `enum` whose numbers are its discriminants.
    ///
    /// # Errors
    /// If the bytes end first, or the case does not exist.
    pub fn case<T: Numbered>(&mut self) -> Result<T, DecodeError> {
        let count = u32::try_from(T::CASES.len()).unwrap_or(u32::MAX);
        // Below the count, hence an index.
        let index = self.discriminant(count)?;
        Ok(T::CASES[index as usize])
    }
}

fn check_length(limit: usize, field: &'static str, found: usize) -> Result<(), FieldError> {
    if found > limit {
        return Err(FieldError::TooLong {
            field,
            limit,
            found,
        });
    }
    Ok(())
}
