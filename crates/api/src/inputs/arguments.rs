//! From a request to the encoded arguments of a function.

use std::ops::Range;

use http::{HeaderMap, HeaderName};
use weft_json::text::{self, Bindable};
use weft_json::{Argument, DecodeError, Format, Kind, Param, decode};
use weft_wire::{Encoder, Limits};

use super::{BodyInput, Inputs, Slot, TextInput, TextSource};
use crate::media;
use crate::operation::Operation;
use crate::problem::{InputError, InputPlace, Problem};
use crate::query::{self, Query};
use crate::routing::PathValues;

/// The number of the only stream in arguments: their streams have even numbers, from 0.
pub(super) const STREAM: u32 = 0;

/// A request for an operation.
#[derive(Debug, Clone, Copy)]
pub struct RequestInput<'a> {
    /// The values of the path.
    pub path: &'a PathValues,
    /// The raw query, without `?`.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body; empty if it is a stream.
    pub body: &'a [u8],
    /// The largest number of bytes of the encoded arguments.
    pub encoded_max: usize,
}

/// A body of JSON or CBOR.
#[derive(Clone, Copy)]
struct ValueBody<'a> {
    format: Format,
    bytes: &'a [u8],
}

impl Operation {
    /// Returns the encoded arguments of the call for a request. A stream is the stream 0 of the
    /// call.
    ///
    /// # Errors
    /// A problem for the client, with all errors of the request, up to a bound.
    pub fn arguments(&self, input: &RequestInput<'_>) -> Result<Vec<u8>, Problem> {
        let body = self.value_body(input)?;
        let mut errors = Vec::new();
        let texts = self.inputs.texts(input, &mut errors);
        let mut arguments = Vec::new();
        match self.write_arguments(input, body, &texts, &mut arguments) {
            Ok(()) => {}
            Err(DecodeError::Invalid(problems)) => {
                errors.extend(problems.into_iter().map(InputError::of_body));
            }
            Err(DecodeError::TooLarge { limit }) => return Err(too_large(limit)),
            Err(error) => return Err(unreadable(&error)),
        }
        match errors.is_empty() {
            true => Ok(arguments),
            false => Err(Problem::validation(errors)),
        }
    }

    /// The body that is a value. A missing one is an object without keys, or `null`.
    fn value_body<'a>(&self, input: &RequestInput<'a>) -> Result<ValueBody<'a>, Problem> {
        let format = Format::Json;
        let missing: &[u8] = match self.inputs.body {
            BodyInput::Object(_) => b"{}",
            BodyInput::Value(_) => b"null",
            BodyInput::None
            | BodyInput::Bytes
            | BodyInput::Stream(_)
            | BodyInput::Form
            | BodyInput::Messages(_) => {
                return Ok(ValueBody { format, bytes: b"" });
            }
        };
        let content_type = input.headers.get(http::header::CONTENT_TYPE);
        if input.body.is_empty() && content_type.is_none() {
            let bytes = missing;
            return Ok(ValueBody { format, bytes });
        }
        let format = media::body_format(content_type)?;
        let bytes = input.body;
        Ok(ValueBody { format, bytes })
    }

    fn write_arguments(
        &self,
        input: &RequestInput<'_>,
        body: ValueBody<'_>,
        texts: &Texts,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let limits = Limits {
            bytes: input.encoded_max,
            ..Limits::LINK
        };
        let ValueBody { format, bytes } = body;
        if let BodyInput::Object(parts) = &self.inputs.body {
            let slots = self.inputs.slots.iter();
            let arguments: Vec<_> = slots.map(|slot| slot.argument(texts, parts)).collect();
            return decode::arguments(format, bytes, &arguments, self.settings, limits, out);
        }
        for slot in &self.inputs.slots {
            match (slot, &self.inputs.body) {
                (Slot::Text(index), _) => out.extend_from_slice(texts.bytes(*index)),
                (Slot::Body(_), BodyInput::Value(ty)) => {
                    decode::value(format, bytes, ty, self.settings, limits, out)?;
                }
                (Slot::Body(_), BodyInput::Bytes) => {
                    let limit = limits.bytes;
                    let written = Encoder::new(out, limit).bytes(input.body);
                    written.map_err(|_| DecodeError::TooLarge { limit })?;
                }
                (Slot::Body(_), BodyInput::Stream(_) | BodyInput::Messages(_)) => {
                    let limit = limits.bytes;
                    let written = Encoder::new(out, limit).u32(STREAM);
                    written.map_err(|_| DecodeError::TooLarge { limit })?;
                }
                (Slot::Body(_), BodyInput::None | BodyInput::Object(_) | BodyInput::Form) => {}
            }
        }
        Ok(())
    }
}

/// The problem of arguments that exceed the limit.
pub(super) fn too_large(limit: usize) -> Problem {
    let title = "The request is too large";
    Problem::of_host(http::StatusCode::PAYLOAD_TOO_LARGE, "too-large", title).with_detail(format!(
        "expected at most {limit} bytes as a value (`limits.body`)"
    ))
}

/// The problem of a body that is not JSON or not CBOR.
pub(super) fn unreadable(error: &DecodeError) -> Problem {
    let title = "The body is malformed";
    Problem::of_host(http::StatusCode::BAD_REQUEST, "body", title).with_detail(error.to_string())
}

impl Slot {
    fn argument<'a>(self, texts: &'a Texts, parts: &'a [Param]) -> Argument<'a> {
        match self {
            Self::Text(index) => Argument::Encoded(texts.bytes(index)),
            Self::Body(index) => Argument::Body(&parts[index]),
        }
    }
}

/// Encoded texts, one after another, and the place of each.
#[derive(Default)]
pub(super) struct Texts {
    encoded: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Texts {
    pub(super) fn bytes(&self, index: usize) -> &[u8] {
        &self.encoded[self.ranges[index].clone()]
    }
}

impl Inputs {
    pub(super) fn texts(&self, input: &RequestInput<'_>, errors: &mut Vec<InputError>) -> Texts {
        let query = query::decode(input.query.unwrap_or_default());
        let query = query.unwrap_or_else(|error| {
            errors.push(error);
            Query::new()
        });
        self.check_keys(&query, errors);
        let mut texts = Texts::default();
        for text in &self.texts {
            let start = texts.encoded.len();
            let limit = start.saturating_add(input.encoded_max);
            let written = text.write(input, &query, limit, &mut texts.encoded);
            errors.extend(written.err());
            texts.ranges.push(start..texts.encoded.len());
        }
        texts
    }

    /// Reports keys of the query that the operation does not have.
    fn check_keys(&self, query: &Query, errors: &mut Vec<InputError>) {
        let known = self.texts.iter().filter_map(|text| match &text.source {
            TextSource::Query(key) => Some(key.as_str()),
            _ => None,
        });
        let known: Vec<_> = known.collect();
        for key in query.keys().filter(|key| !known.contains(&key.as_str())) {
            let expected = match known.is_empty() {
                true => "no query".to_owned(),
                false => crate::quote::one_of(known.iter().copied()),
            };
            let place = InputPlace::Query(crate::quote::excerpt(key));
            errors.push(InputError::new(place, expected, "an unknown key"));
        }
    }
}

impl TextInput {
    /// Appends the encoded value of the request, or the default if the request has none.
    fn write(
        &self,
        input: &RequestInput<'_>,
        query: &Query,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), InputError> {
        let texts = match &self.source {
            TextSource::Segment(index, _) => input
                .path
                .segments
                .get(*index)
                .cloned()
                .into_iter()
                .collect(),
            TextSource::Rest(_) if *self.ty.kind() == Kind::String => {
                vec![input.path.rest.join("/")]
            }
            TextSource::Rest(_) => input.path.rest.clone(),
            TextSource::Query(key) => query.get(key).cloned().unwrap_or_default(),
            TextSource::Header(name, _) => self.header(input, name)?,
        };
        let texts = match (&self.default, texts.is_empty()) {
            (Some(default), true) => vec![default.clone()],
            _ => texts,
        };
        text::decode(&self.ty, &texts, limit, out)
            .map_err(|problem| InputError::new(self.place(), problem.expected, problem.found))
    }

    /// The values of a header. Those of a list are separated by commas, too.
    fn header(
        &self,
        input: &RequestInput<'_>,
        name: &HeaderName,
    ) -> Result<Vec<String>, InputError> {
        let is_list = text::bindable(&self.ty) == Some(Bindable::Many);
        let mut texts = Vec::new();
        for value in input.headers.get_all(name) {
            let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
                return Err(InputError::new(self.place(), "UTF-8", "other bytes"));
            };
            if is_list {
                let items = text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                texts.extend(items.map(str::to_owned));
            } else {
                texts.push(text.to_owned());
            }
        }
        Ok(texts)
    }

    fn place(&self) -> InputPlace {
        match &self.source {
            TextSource::Segment(_, name) | TextSource::Rest(name) => InputPlace::Path(name.clone()),
            TextSource::Query(key) => InputPlace::Query(key.clone()),
            TextSource::Header(_, name) => InputPlace::Header(name.clone()),
        }
    }
}
