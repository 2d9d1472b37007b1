//! From the parts of a form to the encoded arguments of a function.

use weft_json::text::{self, Bindable};
use weft_json::{DecodeError, Format, Kind, Param, decode};
use weft_wire::{EncodeError, Encoder, Limits};

use super::reader::place;
use super::{Form, is_bytes};
use crate::inputs::arguments::{STREAM, too_large};
use crate::inputs::{RequestInput, Slot};
use crate::multipart::PartMedia;
use crate::operation::Operation;
use crate::problem::{InputError, InputPlace, Problem};

/// The form of a part whose type has no text.
const JSON_PART: &str = "a part with `content-type: application/json`";

/// The parts of a form before its stream.
#[derive(Debug, Default)]
pub struct FormParts {
    pub(super) parts: Vec<FormPart>,
    /// The errors so far.
    pub(super) errors: Vec<InputError>,
    /// Number of bytes of all parts.
    pub(super) bytes: usize,
    /// True if the form has its stream.
    pub(super) has_stream: bool,
}

/// A part of a form.
#[derive(Debug)]
pub(super) struct FormPart {
    /// The index of its parameter.
    pub(super) index: usize,
    pub(super) media: PartMedia,
    pub(super) bytes: Vec<u8>,
}

/// The reason why parts have no value.
enum PartError {
    Invalid(Vec<InputError>),
    TooLarge,
}

impl From<EncodeError> for PartError {
    fn from(_: EncodeError) -> Self {
        Self::TooLarge
    }
}

impl FormParts {
    /// Number of bytes of all parts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Operation {
    /// Returns the encoded arguments of the call for a request whose body is a form; its other
    /// parts are those of `input`. A stream is the stream 0 of the call.
    ///
    /// # Errors
    /// A problem for the client, with all errors of the request, up to a bound.
    pub fn arguments_of_form(
        &self,
        input: &RequestInput<'_>,
        parts: &FormParts,
    ) -> Result<Vec<u8>, Problem> {
        let mut errors = Vec::new();
        let texts = self.inputs.texts(input, &mut errors);
        errors.extend(parts.errors.iter().cloned());
        let mut arguments = Vec::new();
        for slot in &self.inputs.slots {
            let limit = input.encoded_max.saturating_sub(arguments.len());
            let written = match (slot, &self.inputs.form) {
                (Slot::Text(index), _) => {
                    arguments.extend_from_slice(texts.bytes(*index));
                    Ok(())
                }
                (Slot::Body(index), Some(form)) => {
                    self.write_parts((form, *index), parts, limit, &mut arguments)
                }
                (Slot::Body(_), None) => Ok(()),
            };
            match written {
                Ok(()) => {}
                Err(PartError::Invalid(found)) => errors.extend(found),
                Err(PartError::TooLarge) => return Err(too_large(input.encoded_max)),
            }
        }
        match errors.is_empty() {
            true => Ok(arguments),
            false => Err(Problem::validation(errors)),
        }
    }

    /// Writes the value of the parameter with this index.
    fn write_parts(
        &self,
        (form, index): (&Form, usize),
        parts: &FormParts,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), PartError> {
        let Param { ty, .. } = &form.parts[index];
        let name = form.key(index, self.settings.names);
        let error = |expected: &str, found: &str| {
            PartError::Invalid(vec![InputError::new(place(name), expected, found)])
        };
        if Some(index) == form.stream {
            return match parts.has_stream {
                true => Ok(Encoder::new(out, limit).u32(STREAM)?),
                false => Err(error("a part with bytes, after all others", "nothing")),
            };
        }
        let found = parts.parts.iter().filter(|part| part.index == index);
        let found: Vec<_> = found.collect();
        match (&found[..], ty.kind()) {
            ([_, _, ..], _) if text::bindable(ty) != Some(Bindable::Many) => {
                let found = format!("{} parts", found.len());
                Err(error("one part", &found))
            }
            ([], Kind::Option(_)) => Ok(Encoder::new(out, limit).none()?),
            ([], _) if is_bytes(ty) => Err(error("a part with bytes", "nothing")),
            ([part], kind) if is_bytes(ty) => {
                let mut encoder = Encoder::new(out, limit);
                if let Kind::Option(_) = kind {
                    encoder.some()?;
                }
                Ok(encoder.bytes(&part.bytes)?)
            }
            ([part], _) if part.media == PartMedia::Json => {
                let limits = Limits {
                    bytes: limit,
                    ..Limits::LINK
                };
                let (format, settings) = (Format::Json, self.settings);
                let decoded = decode::value(format, &part.bytes, ty, settings, limits, out);
                decoded.map_err(|error| of_json(name, error))
            }
            (found, _) if text::bindable(ty).is_some() => {
                let texts = found.iter().map(|part| part.text());
                let texts = texts.collect::<Result<Vec<_>, _>>();
                let texts = texts.map_err(|found| error("a text in UTF-8", &found))?;
                let decoded = text::decode(ty, &texts, limit, out);
                decoded.map_err(|problem| of_value(name, problem))
            }
            ([part, ..], _) => Err(error(JSON_PART, &part.described())),
            ([], _) => Err(error(JSON_PART, "nothing")),
        }
    }
}

impl FormPart {
    /// The text, or the form that it has instead.
    fn text(&self) -> Result<&str, String> {
        match self.media {
            PartMedia::Text => {
                let text = std::str::from_utf8(&self.bytes);
                text.map_err(|_| "other bytes".to_owned())
            }
            PartMedia::Json | PartMedia::Other(_) => Err(self.described()),
        }
    }

    fn described(&self) -> String {
        match &self.media {
            PartMedia::Text => "a text".to_owned(),
            PartMedia::Json => "JSON".to_owned(),
            PartMedia::Other(media_type) => format!("`{media_type}`"),
        }
    }
}

fn of_json(name: &str, error: DecodeError) -> PartError {
    match error {
        DecodeError::Invalid(problems) => {
            let errors = problems.into_iter().map(|problem| in_part(name, problem));
            PartError::Invalid(errors.collect())
        }
        DecodeError::TooLarge { .. } => PartError::TooLarge,
        error => {
            let found = error.to_string();
            PartError::Invalid(vec![InputError::new(place(name), "JSON", found)])
        }
    }
}

fn of_value(name: &str, problem: weft_json::Problem) -> PartError {
    PartError::Invalid(vec![in_part(name, problem)])
}

/// The error of a value in a part.
fn in_part(name: &str, problem: weft_json::Problem) -> InputError {
    let mut error = InputError::of_body(problem);
    if let (InputPlace::Body(inner), InputPlace::Body(outer)) = (&mut error.place, place(name)) {
        inner.insert_str(0, &outer);
    }
    error
}
