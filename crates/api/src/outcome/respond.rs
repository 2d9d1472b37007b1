//! From the encoded result of a function to a response.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use weft_json::{EncodeError, Format, Kind, Type, encode};
use weft_lattice_config::template::Method;
use weft_wire::{Decoder, Limits, MAX_VALUE_BYTES};

use super::{ErrorOutput, Output};
use crate::etag;
use crate::media::{self, OCTETS};
use crate::operation::Operation;
use crate::problem::{Problem, TYPE_PREFIX};
use crate::response::{Body, Response};
use crate::streams::StreamFormat;
use crate::type_text;

/// Maximum length of a body that is written at once, as of a value of a link.
const BODY_BYTES_MAX: usize = MAX_VALUE_BYTES;

/// Maximum length of a hidden value in the log.
const LOGGED_BYTES_MAX: usize = 4 << 10;

/// The responses that a client accepts, from the headers of its request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accept {
    format: Format,
    /// The format of a stream.
    stream: Option<StreamFormat>,
    if_none_match: Vec<HeaderValue>,
}

impl Operation {
    /// Chooses the format of a response, before the call.
    ///
    /// # Errors
    /// If the client accepts none that the operation has.
    pub fn accept(&self, headers: &HeaderMap) -> Result<Accept, Problem> {
        let format = match &self.outcome.ok {
            Output::Value(_) => media::choose_format(headers)?,
            Output::Bytes => media::choose(headers, &[OCTETS]).map(|_| Format::Json)?,
            Output::None | Output::Stream(_) => Format::Json,
        };
        let stream = match &self.outcome.ok {
            Output::Stream(element) if self.socket().is_none() => {
                Some(StreamFormat::choose(*element, headers)?)
            }
            Output::None | Output::Stream(_) | Output::Value(_) | Output::Bytes => None,
        };
        let if_none_match = match self.request.method {
            Method::Get => etag::if_none_match(headers),
            _ => Vec::new(),
        };
        Ok(Accept {
            format,
            stream,
            if_none_match,
        })
    }

    /// Returns the response for the encoded result of a call.
    #[must_use]
    pub fn response(&self, result: &[u8], accept: &Accept) -> Response {
        self.try_response(result, accept).unwrap_or_else(|error| {
            let (problem, log) = self.malformed_result(&error);
            let mut response = problem.response();
            response.log = Some(log);
            response
        })
    }

    /// The problem of a result that is not one of the function, and a line for the log.
    pub(super) fn malformed_result(&self, error: &EncodeError) -> (Problem, String) {
        let title = "The result of the component has no form in the response";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let reason = match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        let log = format!(
            "the result of `{}` has no response: {reason}",
            self.function()
        );
        (Problem::of_host(status, "result", title), log)
    }

    fn try_response(&self, result: &[u8], accept: &Accept) -> Result<Response, EncodeError> {
        let mut decoder = decoder(result)?;
        let Some(errors) = &self.outcome.errors else {
            return self.ok_response(result, accept);
        };
        let is_ok = decoder.is_ok()?;
        let value = &result[decoder.offset()..];
        match is_ok {
            true => self.ok_response(value, accept),
            false => self.error_response(errors, value),
        }
    }

    pub(super) fn written(
        &self,
        format: Format,
        ty: &Type,
        value: &[u8],
    ) -> Result<Vec<u8>, EncodeError> {
        let mut body = Vec::new();
        encode::value(format, value, ty, self.settings, BODY_BYTES_MAX, &mut body)?;
        Ok(body)
    }

    // === values ===

    fn ok_response(&self, value: &[u8], accept: &Accept) -> Result<Response, EncodeError> {
        let outcome = &self.outcome;
        let mut response = match &outcome.ok {
            Output::None => {
                decoder(value)?.finish()?;
                Response::empty(outcome.status)
            }
            Output::Value(_) if outcome.is_none_missing && value == [0] => {
                let title = "The value does not exist";
                return Ok(Problem::of_host(StatusCode::NOT_FOUND, "missing", title).response());
            }
            Output::Value(ty) => {
                let body = self.written(accept.format, ty, value)?;
                self.body_response(accept.format.media_type(), body, accept)
            }
            Output::Bytes => {
                let mut decoder = decoder(value)?;
                let body = decoder.bytes()?.to_vec();
                decoder.finish()?;
                self.body_response(OCTETS, body, accept)
            }
            Output::Stream(element) => {
                let mut decoder = decoder(value)?;
                let number = decoder.stream()?;
                decoder.finish()?;
                if self.socket().is_some() {
                    let status = StatusCode::SWITCHING_PROTOCOLS;
                    return Ok(Response::new(status, Body::Messages { number }));
                }
                let format = accept
                    .stream
                    .or(StreamFormat::of(*element).first().copied());
                self.stream_response(number, format.ok_or(EncodeError::Stream)?)
            }
        };
        self.add_location(value, &mut response)?;
        Ok(response)
    }

    fn body_response(&self, media_type: &'static str, body: Vec<u8>, accept: &Accept) -> Response {
        let tag = match self.request.method {
            Method::Get => Some(etag::of(media_type, &body)),
            _ => None,
        };
        let is_known = tag
            .as_ref()
            .is_some_and(|tag| etag::is_known(&accept.if_none_match, tag));
        let mut response = match is_known {
            true => Response::empty(StatusCode::NOT_MODIFIED),
            false => Response::new(self.outcome.status, Body::Bytes(body)),
        };
        let headers = &mut response.headers;
        if !is_known {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if let Output::Value(_) = self.outcome.ok {
            headers.insert(header::VARY, HeaderValue::from_static("accept"));
        }
        // Hexadecimal digits in quotes are valid in a header.
        if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
            headers.insert(header::ETAG, tag);
        }
        response
    }

    fn stream_response(&self, number: u32, format: StreamFormat) -> Response {
        let body = Body::Stream { number, format };
        let mut response = Response::new(self.outcome.status, body);
        let headers = &mut response.headers;
        let media_type = HeaderValue::from_static(format.media_type());
        headers.insert(header::CONTENT_TYPE, media_type);
        if format != StreamFormat::Bytes {
            headers.insert(header::VARY, HeaderValue::from_static("accept"));
            // What was current during the call is not for a later client.
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        response
    }

    fn add_location(&self, value: &[u8], response: &mut Response) -> Result<(), EncodeError> {
        let Some(location) = &self.outcome.location else {
            return Ok(());
        };
        // All but unreserved characters are escaped, so a value cannot add a header.
        let location = location.of(value)?;
        if let Some(location) = location.and_then(|text| HeaderValue::try_from(text).ok()) {
            response.headers.insert(header::LOCATION, location);
        }
        Ok(())
    }

    // === errors ===

    fn error_response(&self, errors: &ErrorOutput, value: &[u8]) -> Result<Response, EncodeError> {
        let (problem, log) = self.error_problem(errors, value)?;
        let mut response = problem.response();
        response.log = log;
        Ok(response)
    }

    /// The problem of an error that the function returned, and a hidden value for the log.
    pub(super) fn error_problem(
        &self,
        errors: &ErrorOutput,
        value: &[u8],
    ) -> Result<(Problem, Option<String>), EncodeError> {
        let Some(ty) = &errors.ty else {
            decoder(value)?.finish()?;
            let kind = guest_problem_kind(self, None, None);
            let title = title(None, "failed");
            let problem = Problem::of_guest(errors.rules.rule(0).status, kind, title);
            return Ok((problem, None));
        };
        let found = FoundError::read(ty, value)?;
        let rule = errors.rules.rule(found.index);
        let json = match found.payload {
            Some((ty, bytes)) => {
                let json = self.written(Format::Json, ty, bytes)?;
                Some(String::from_utf8_lossy(&json).into_owned())
            }
            None => None,
        };
        let kind = guest_problem_kind(self, Some(ty), found.case);
        let (shown, hidden) = match rule.is_hidden {
            true => (None, json),
            false => (json, None),
        };
        let log = hidden.map(|json| {
            let end = json.floor_char_boundary(LOGGED_BYTES_MAX);
            format!("`{}` returned {kind}: {}", self.function(), &json[..end])
        });
        let problem = Problem::of_guest(rule.status, kind, found.title)
            .with_case(found.case)
            .with_value(shown);
        Ok((problem, log))
    }
}

/// An error that a function returned.
struct FoundError<'e> {
    /// The index of the case; 0 for a type without cases.
    index: usize,
    case: Option<&'e str>,
    title: String,
    payload: Option<(&'e Type, &'e [u8])>,
}

impl<'e> FoundError<'e> {
    fn read(ty: &'e Type, value: &'e [u8]) -> Result<Self, EncodeError> {
        let docs = match ty.kind() {
            Kind::Variant(cases) => cases.iter().map(|case| case.docs.as_deref()).collect(),
            Kind::Enum(cases) => cases.iter().map(|case| case.docs.as_deref()).collect(),
            _ => Vec::new(),
        };
        if docs.is_empty() {
            return Ok(Self {
                index: 0,
                case: None,
                title: title(ty.docs(), &type_text::text(ty)),
                payload: Some((ty, value)),
            });
        }
        let count = u32::try_from(docs.len()).unwrap_or(u32::MAX);
        let mut decoder = decoder(value)?;
        let index = decoder.discriminant(count)? as usize;
        let found = encode::case(ty, value)?;
        let payload = found.and_then(|found| found.payload);
        if payload.is_none() {
            decoder.finish()?;
        }
        let name = found.map(|found| found.name);
        Ok(Self {
            index,
            case: name,
            title: title(docs[index], name.unwrap_or_default()),
            payload,
        })
    }
}

pub(super) fn decoder(bytes: &[u8]) -> Result<Decoder<'_>, weft_wire::DecodeError> {
    Decoder::new(bytes, Limits::LINK)
}

/// The type of the problem of an error: of a case, of a type without cases, or of a function whose
/// errors have no value.
pub(crate) fn guest_problem_kind(
    operation: &Operation,
    ty: Option<&Type>,
    case: Option<&str>,
) -> String {
    let interface = &operation.interface;
    match (ty.map(type_text::text), case) {
        (Some(ty), Some(case)) => format!("{TYPE_PREFIX}{interface}/{ty}#{case}"),
        (Some(ty), None) => format!("{TYPE_PREFIX}{interface}/{ty}"),
        (None, _) => format!("{TYPE_PREFIX}{interface}/{}", operation.function()),
    }
}

/// The first sentence of the prose, or the name in words.
pub(crate) fn title(docs: Option<&str>, name: &str) -> String {
    let paragraph = docs.and_then(|docs| docs.split("\n\n").next());
    let sentence = paragraph.map(|paragraph| {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.split_once(". ") {
            Some((first, _)) => first.to_owned(),
            None => line.trim_end_matches('.').to_owned(),
        }
    });
    sentence.filter(|it| !it.is_empty()).unwrap_or_else(|| {
        let mut words = name.replace('-', " ");
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        words
    })
}
