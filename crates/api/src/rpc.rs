//! Messages of JSON-RPC 2.0, whose methods are the functions of the operations.
//!
//! An error has the problem of the operation as its data. Its code is
//! - one of the specification for a malformed message,
//! - the status of the operation for an error that the function returned,
//! - [`CODE_OF_FAILURES`] less the number of the failure for a call without a result.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderMap, StatusCode, header};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use weft_json::Format;
use weft_wire::FailureCode;

use crate::api::Api;
use crate::inputs::BodyInput;
use crate::media;
use crate::operation::Operation;
use crate::outcome::Output;
use crate::problem::Problem;

/// Maximum number of calls in one request: they take turns, within the deadline of one.
pub const BATCH_MAX: usize = 100;

/// Maximum length of an id. It is part of the response, and clients count or draw it.
const ID_BYTES_MAX: usize = 1 << 10;

/// The code of a call that failed, less the number of its failure.
pub const CODE_OF_FAILURES: i32 = -32000;

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
pub(crate) const INVALID_PARAMS: i32 = -32602;
const INTERNAL_ERROR: i32 = -32603;

/// A call, or a notification.
#[derive(Debug, Clone)]
pub struct Message<'b> {
    /// `None` for a notification, which has no response.
    pub id: Option<Id>,
    /// The name of the function.
    pub method: Cow<'b, str>,
    /// The parameters, an object or a list; an empty object if they are missing.
    pub params: &'b [u8],
}

/// The id of a call, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id(String);

/// An error of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    code: i32,
    message: String,
    /// JSON.
    data: Option<String>,
}

/// The messages of a request.
#[derive(Debug)]
pub enum Messages<'b> {
    /// A message alone, whose response stands alone.
    One(Result<Message<'b>, Invalid>),
    /// A list of messages, whose responses are a list.
    Batch(Vec<Result<Message<'b>, Invalid>>),
}

/// A malformed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The id of the response.
    pub id: Id,
    /// The error.
    pub error: RpcError,
}

// === reading ===

/// Checks that a body is JSON by its headers.
///
/// # Errors
/// A problem for the client if it has another type.
pub fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers.get(header::CONTENT_TYPE);
    if let Ok(Format::Json) = media::body_format(content_type) {
        return Ok(());
    }
    let title = "The body has a media type that the path does not read";
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let accepted = http::HeaderValue::from_static("application/json");
    Err(Problem::of_host(status, "media-type", title)
        .with_detail("expected the header `content-type: application/json`")
        .with_header(header::ACCEPT, accepted))
}

impl<'b> Messages<'b> {
    /// Reads the messages of a body.
    ///
    /// # Errors
    /// If the body is not JSON, or a list without or with too many messages.
    pub fn read(body: &'b [u8]) -> Result<Self, RpcError> {
        if !is_list(body) {
            let text: Result<&RawValue, _> = serde_json::from_slice(body);
            let text = text.map_err(|error| RpcError::parse(&error))?;
            return Ok(Self::One(Message::read(text)));
        }
        let items: Result<Bounded<'_, BATCH_MAX>, _> = serde_json::from_slice(body);
        let items = match items {
            Ok(Bounded(items)) => items,
            Err(error) if error.is_data() => {
                let reason = format!("expected at most {BATCH_MAX} calls in a batch");
                return Err(RpcError::invalid_request(reason));
            }
            Err(error) => return Err(RpcError::parse(&error)),
        };
        if items.is_empty() {
            return Err(RpcError::invalid_request("the batch is empty"));
        }
        Ok(Self::Batch(items.into_iter().map(Message::read).collect()))
    }
}

/// True if JSON is a list, by its first character.
pub(crate) fn is_list(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'[')
}

/// The items of a list of at most `max` items. `None` for others.
pub(crate) fn bounded_list(json: &[u8], max: usize) -> Option<Vec<&RawValue>> {
    let Bounded::<'_, PARAMS_MAX>(items) = serde_json::from_slice(json).ok()?;
    (items.len() <= max).then_some(items)
}

/// Maximum number of parameters in a list. The types of WIT allow 16 in most toolchains.
const PARAMS_MAX: usize = 1024;

/// A list whose reading ends at a number of items.
struct Bounded<'b, const MAX: usize>(Vec<&'b RawValue>);

impl<'de: 'b, 'b, const MAX: usize> Deserialize<'de> for Bounded<'b, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BoundedVisitor::<MAX>)
    }
}

struct BoundedVisitor<const MAX: usize>;

impl<'de, const MAX: usize> Visitor<'de> for BoundedVisitor<MAX> {
    type Value = Bounded<'de, MAX>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            if items.len() == MAX {
                return Err(serde::de::Error::invalid_length(MAX + 1, &self));
            }
            items.push(item);
        }
        Ok(Bounded(items))
    }
}

/// The members of a message.
#[derive(Deserialize)]
struct Envelope<'b> {
    #[serde(borrow)]
    jsonrpc: Cow<'b, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'b RawValue>,
    #[serde(borrow)]
    method: Cow<'b, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'b RawValue>,
}

/// The id alone, of a message that is wrong otherwise.
#[derive(Deserialize)]
struct IdOnly<'b> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'b RawValue>,
}

/// A member that can be `null`, other than a missing one.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl<'b> Message<'b> {
    fn read(text: &'b RawValue) -> Result<Self, Invalid> {
        let invalid = |reason: &str| {
            let envelope: Option<IdOnly<'_>> = serde_json::from_str(text.get()).ok();
            let id = envelope.and_then(|it| it.id).and_then(Id::read);
            Invalid {
                id: id.unwrap_or_default(),
                error: RpcError::invalid_request(reason),
            }
        };
        let envelope: Result<Envelope<'_>, _> = serde_json::from_str(text.get());
        let Ok(envelope) = envelope else {
            return Err(invalid(
                "expected an object with `jsonrpc`, `method` and `id`",
            ));
        };
        if envelope.jsonrpc != "2.0" {
            return Err(invalid("expected `jsonrpc` to be \"2.0\""));
        }
        let id = match envelope.id {
            None => None,
            Some(id) => match Id::read(id) {
                Some(id) => Some(id),
                None => return Err(invalid("expected `id` to be a short string or a number")),
            },
        };
        let params = envelope.params.map_or("{}", RawValue::get).as_bytes();
        if !matches!(params.first(), Some(b'{' | b'[')) {
            return Err(invalid("expected `params` to be an object or a list"));
        }
        Ok(Self {
            id,
            method: envelope.method,
            params,
        })
    }
}

impl Id {
    /// `None` for values that are no ids.
    fn read(value: &RawValue) -> Option<Self> {
        let text = value.get();
        let is_id = matches!(text.as_bytes().first()?, b'"' | b'-' | b'0'..=b'9' | b'n');
        (is_id && text.len() <= ID_BYTES_MAX).then(|| Self(text.to_owned()))
    }

    /// True for `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    /// The response with a result, which is JSON.
    #[must_use]
    pub fn result(&self, json: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{},"result":{json}}}"#, self.0)
    }

    /// The response with an error.
    #[must_use]
    pub fn error(&self, error: &RpcError) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{}}}"#,
            self.0,
            error.json()
        )
    }
}

impl Default for Id {
    /// That of responses to messages whose id is unknown.
    fn default() -> Self {
        Self("null".to_owned())
    }
}

// === errors ===

#[derive(Serialize)]
struct ErrorObject<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

impl RpcError {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    fn parse(error: &serde_json::Error) -> Self {
        Self::new(PARSE_ERROR, format!("Parse error: {error}"))
    }

    pub(crate) fn invalid_request(reason: impl fmt::Display) -> Self {
        Self::new(INVALID_REQUEST, format!("Invalid Request: {reason}"))
    }

    /// The error of a method that names no operation.
    #[must_use]
    pub fn unknown_method(name: &str) -> Self {
        let name = crate::quote::excerpt(name);
        Self::new(METHOD_NOT_FOUND, format!("Method not found: `{name}`"))
    }

    /// The error of a call that was not made, because the batch took too much before.
    #[must_use]
    pub fn batch_too_large() -> Self {
        let reason = "the responses of the batch are too large; send the rest in another one";
        Self::new(INTERNAL_ERROR, reason)
    }

    /// The error of parameters that do not fit the function.
    #[must_use]
    pub fn of_params(problem: &Problem) -> Self {
        Self::with_problem(INVALID_PARAMS, problem)
    }

    /// The error of a call that failed.
    #[must_use]
    pub fn of_failure(code: FailureCode, problem: &Problem) -> Self {
        let number = i32::try_from(code as u32).unwrap_or(0);
        Self::with_problem(CODE_OF_FAILURES - number, problem)
    }

    /// The error that a function returned, or of a malformed result.
    #[must_use]
    pub fn of_result(problem: &Problem) -> Self {
        Self::with_problem(i32::from(problem.status().as_u16()), problem)
    }

    fn with_problem(code: i32, problem: &Problem) -> Self {
        Self {
            data: String::from_utf8(problem.json()).ok(),
            ..Self::new(code, problem.title())
        }
    }

    pub(crate) fn with_data(self, json: String) -> Self {
        Self {
            data: Some(json),
            ..self
        }
    }

    fn json(&self) -> String {
        let data = self.data.as_deref();
        let object = ErrorObject {
            code: self.code,
            message: &self.message,
            data: data.and_then(|data| serde_json::from_str(data).ok()),
        };
        // Plain data with text keys: cannot fail.
        serde_json::to_string(&object).unwrap_or_default()
    }
}

impl Api {
    /// The operation that a method calls: the first one of the function. Functions with streams
    /// are no methods.
    #[must_use]
    pub fn method(&self, function: &str) -> Option<&Operation> {
        self.methods().find(|it| it.function() == function)
    }

    /// The operations that are methods.
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Operation> {
        let operations = self.operations().iter();
        operations.filter(|it| {
            let is_value = !matches!(
                it.body(),
                BodyInput::Stream(_) | BodyInput::Form | BodyInput::Messages(_)
            );
            is_value && !matches!(it.output(), Output::Stream(_))
        })
    }
}
