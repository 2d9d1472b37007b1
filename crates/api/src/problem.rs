//! Problem documents, the bodies of failed responses (RFC 9457).

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::response::{Body, Response};

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Maximum number of input errors in a problem document, as many as of one body.
pub const INPUT_ERRORS_MAX: usize = weft_json::MAX_PROBLEMS;

/// The start of the types of problems. They identify, and are not addresses.
pub(crate) const TYPE_PREFIX: &str = "tag:weft.dev,2026:";

/// A failed request, as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    status: StatusCode,
    kind: String,
    title: Cow<'static, str>,
    detail: Option<String>,
    case: Option<String>,
    /// JSON.
    value: Option<String>,
    errors: Vec<InputError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A part of a request that has another form than the operation expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// The place of the part.
    pub place: InputPlace,
    /// The accepted form.
    pub expected: String,
    /// The found form.
    pub found: String,
}

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputPlace {
    /// A value of the path, by the name in the template.
    Path(String),
    /// A key of the query.
    Query(String),
    /// A header.
    Header(String),
    /// A value of the body, by its JSON Pointer (RFC 6901).
    Body(String),
}

// === impl Problem ===

impl Problem {
    /// A problem of the host itself. `name` ends the type of the problem, such as `validation`.
    #[must_use]
    pub fn of_host(status: StatusCode, name: &str, title: &'static str) -> Self {
        Self::new(status, format!("{TYPE_PREFIX}problem/{name}"), title.into())
    }

    /// An error that a function returned.
    pub(crate) fn of_guest(status: StatusCode, kind: String, title: String) -> Self {
        Self::new(status, kind, title.into())
    }

    fn new(status: StatusCode, kind: String, title: Cow<'static, str>) -> Self {
        Self(Box::new(Parts {
            status,
            kind,
            title,
            detail: None,
            case: None,
            value: None,
            errors: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// A request that does not fit the operation. Errors beyond [`INPUT_ERRORS_MAX`] are left out.
    #[must_use]
    pub fn validation(mut errors: Vec<InputError>) -> Self {
        let title = "The request does not fit the operation";
        let mut problem = Self::of_host(StatusCode::BAD_REQUEST, "validation", title);
        errors.truncate(INPUT_ERRORS_MAX);
        problem.0.errors = errors;
        problem
    }

    /// The same problem with a sentence about this request.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The same problem with a header of the response.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    pub(crate) fn with_case(mut self, case: Option<&str>) -> Self {
        self.0.case = case.map(str::to_owned);
        self
    }

    /// The same problem with a value, which is JSON.
    pub(crate) fn with_value(mut self, value: Option<String>) -> Self {
        self.0.value = value;
        self
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The sentence about all problems of its type.
    pub(crate) fn title(&self) -> &str {
        &self.0.title
    }

    /// The errors of a request that does not fit the operation.
    #[must_use]
    pub fn errors(&self) -> &[InputError] {
        &self.0.errors
    }

    /// The response with the problem as its body.
    #[must_use]
    pub fn response(&self) -> Response {
        let mut response = Response::new(self.0.status, Body::Bytes(self.json()));
        let headers = &mut response.headers;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.extend(self.0.headers.iter().cloned());
        response
    }

    /// The document.
    pub(crate) fn json(&self) -> Vec<u8> {
        let parts = &*self.0;
        let value = parts.value.as_deref();
        let document = Document {
            kind: &parts.kind,
            title: &parts.title,
            status: parts.status.as_u16(),
            detail: parts.detail.as_deref(),
            case: parts.case.as_deref(),
            value: value.and_then(|value| serde_json::from_str(value).ok()),
            errors: parts.errors.iter().map(ErrorItem::from).collect(),
        };
        // Plain data with text keys: cannot fail.
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ErrorItem<'a>>,
}

#[derive(Serialize)]
struct ErrorItem<'a> {
    #[serde(rename = "in")]
    place: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    expected: &'a str,
    found: &'a str,
}

impl<'a> From<&'a InputError> for ErrorItem<'a> {
    fn from(error: &'a InputError) -> Self {
        let (place, name, pointer) = match &error.place {
            InputPlace::Path(name) => ("path", Some(name), None),
            InputPlace::Query(name) => ("query", Some(name), None),
            InputPlace::Header(name) => ("header", Some(name), None),
            InputPlace::Body(pointer) => ("body", None, Some(pointer)),
        };
        Self {
            place,
            name: name.map(String::as_str),
            pointer: pointer.map(String::as_str),
            expected: &error.expected,
            found: &error.found,
        }
    }
}

// === impl InputError ===

impl InputError {
    /// An error about a value of a body.
    pub(crate) fn of_body(problem: weft_json::Problem) -> Self {
        Self::new(
            InputPlace::Body(problem.pointer),
            problem.expected,
            problem.found,
        )
    }

    pub(crate) fn new(
        place: InputPlace,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            place,
            expected: expected.into(),
            found: found.into(),
        }
    }
}
