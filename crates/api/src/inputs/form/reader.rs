//! Reads a form as it arrives: whole parts up to the stream, and the stream piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use weft_json::Names;

use super::Form;
use super::values::{FormPart, FormParts};
use crate::inputs::BodyInput;
use crate::inputs::arguments::too_large;
use crate::media;
use crate::multipart::{Event, FormError, Multipart, PartHead, boundary_of, is_form};
use crate::operation::Operation;
use crate::problem::{InputError, InputPlace, Problem};
use crate::quote;

/// Reads a form up to its stream, or to its end.
pub struct FormReader {
    form: Arc<Form>,
    names: Names,
    multipart: Multipart,
    /// The part that is being read, unless it is ignored.
    current: Option<FormPart>,
    parts: FormParts,
    bytes_max: usize,
}

/// A step of [`FormReader`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormStep {
    /// More bytes are needed.
    NeedsBytes,
    /// The part that is a stream begins.
    Stream,
    /// The form is complete. Further bytes of the body are ignored.
    End,
}

/// Reads the stream of a form.
pub struct FormStream {
    multipart: Multipart,
    name: String,
}

/// A step of [`FormStream`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamStep {
    /// More bytes are needed.
    NeedsBytes,
    /// The next piece of the stream.
    Data(Bytes),
    /// The form is complete, and so is the stream. Further bytes of the body are ignored.
    End,
}

impl Operation {
    /// Begins to read the body of a request, whose parts before the stream have at most `bytes_max`
    /// bytes; `None` if the body is not a form, or the operation reads forms as any other bytes.
    ///
    /// # Errors
    /// A problem for the client if its form has no correct boundary, or if the body must be a form.
    pub fn form_reader(
        &self,
        headers: &HeaderMap,
        bytes_max: usize,
    ) -> Result<Option<FormReader>, Problem> {
        let Some(form) = &self.inputs.form else {
            return Ok(None);
        };
        if !is_form(headers) {
            return match self.inputs.body {
                BodyInput::Form => Err(media::not_a_form(headers)),
                _ => Ok(None),
            };
        }
        Ok(Some(FormReader {
            form: form.clone(),
            names: self.settings.names,
            multipart: Multipart::new(&boundary_of(headers)?),
            current: None,
            parts: FormParts::default(),
            bytes_max,
        }))
    }
}

impl FormReader {
    /// Appends bytes of the body, after [`FormStep::NeedsBytes`] or [`FormStep::End`].
    pub fn push(&mut self, bytes: &[u8]) {
        self.multipart.push(bytes);
    }

    /// Reads on, as far as the bytes go.
    ///
    /// # Errors
    /// A problem for the client if the form is malformed or too large. Parts that do not fit the
    /// operation are reported with all other errors of the request.
    pub fn step(&mut self) -> Result<FormStep, Problem> {
        while let Some(event) = self.multipart.next().map_err(FormError::problem)? {
            match event {
                Event::Part(head) => {
                    if self.begin(head) {
                        self.parts.has_stream = true;
                        return Ok(FormStep::Stream);
                    }
                }
                Event::Data(data) => self.keep(&data)?,
                Event::PartEnd => self.parts.parts.extend(self.current.take()),
            }
        }
        Ok(match self.multipart.is_complete() {
            true => FormStep::End,
            false => FormStep::NeedsBytes,
        })
    }

    /// Number of bytes of parts that were kept.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.parts.bytes
    }

    /// The problem of a body that ends before the form is complete.
    #[must_use]
    pub fn cut_off(&self) -> Problem {
        self.multipart.cut_off().problem()
    }

    /// The parts so far, and their stream after [`FormStep::Stream`].
    #[must_use]
    pub fn into_parts(self) -> (FormParts, Option<FormStream>) {
        let stream = self.form.stream.filter(|_| self.parts.has_stream);
        let stream = stream.map(|index| FormStream {
            multipart: self.multipart,
            name: self.form.key(index, self.names).to_owned(),
        });
        (self.parts, stream)
    }

    /// Begins a part. Returns true for the one that is a stream.
    fn begin(&mut self, head: PartHead) -> bool {
        let mut indexes = 0..self.form.parts.len();
        let Some(index) = indexes.find(|index| self.form.key(*index, self.names) == head.name)
        else {
            let names = indexes_of(&self.form).map(|index| self.form.key(index, self.names));
            let error = InputError::new(place(&head.name), quote::one_of(names), "an unknown part");
            self.parts.errors.push(error);
            return false;
        };
        if Some(index) == self.form.stream {
            return true;
        }
        self.current = Some(FormPart {
            index,
            media: head.media,
            bytes: Vec::new(),
        });
        false
    }

    fn keep(&mut self, data: &[u8]) -> Result<(), Problem> {
        let Some(part) = &mut self.current else {
            return Ok(());
        };
        self.parts.bytes += data.len();
        if self.parts.bytes > self.bytes_max {
            return Err(too_large(self.bytes_max));
        }
        part.bytes.extend_from_slice(data);
        Ok(())
    }
}

fn indexes_of(form: &Form) -> std::ops::Range<usize> {
    0..form.parts.len()
}

impl FormStream {
    /// Appends bytes of the body, after [`StreamStep::NeedsBytes`] or [`StreamStep::End`].
    pub fn push(&mut self, bytes: &[u8]) {
        self.multipart.push(bytes);
    }

    /// Reads on.
    ///
    /// # Errors
    /// A problem for the client if the form is malformed, or has a part after the stream.
    pub fn step(&mut self) -> Result<StreamStep, Problem> {
        loop {
            match self.multipart.next().map_err(FormError::problem)? {
                Some(Event::Data(data)) => return Ok(StreamStep::Data(data)),
                Some(Event::PartEnd) => {}
                Some(Event::Part(head)) => {
                    let expected = format!("no part after `{}`, which is a stream", self.name);
                    let error = InputError::new(place(&head.name), expected, "a part");
                    return Err(Problem::validation(vec![error]));
                }
                None if self.multipart.is_complete() => return Ok(StreamStep::End),
                None => return Ok(StreamStep::NeedsBytes),
            }
        }
    }

    /// The problem of a body that ends before the form is complete.
    #[must_use]
    pub fn cut_off(&self) -> Problem {
        self.multipart.cut_off().problem()
    }
}

/// The place of a part.
pub(super) fn place(name: &str) -> InputPlace {
    let name = quote::excerpt(name);
    InputPlace::Body(format!("/{}", name.replace('~', "~0").replace('/', "~1")))
}
