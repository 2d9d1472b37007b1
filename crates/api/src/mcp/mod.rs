//! Messages of the Model Context Protocol, whose tools are the functions of the operations.
//!
//! Each request stands alone, and its response is JSON. Two eras of the protocol are served:
//! - Revision 2026-07-28: each request has its revision and its method in headers and in its body.
//! - Revisions before, in which a client sends `initialize` first. Its response names no session,
//!   so the requests after it need none.

mod headers;
mod tools;

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::api::Api;
use crate::problem::Problem;
use crate::response::Response;
use crate::rpc::{INVALID_PARAMS, Id, Message, Messages, RpcError};

pub use self::tools::Tools;

/// The stateless revision.
const MODERN: &str = "2026-07-28";

/// The revisions with `initialize`, the newest first.
const LEGACY: [&str; 2] = ["2025-11-25", "2025-06-18"];

/// Milliseconds for which a client need not list tools again. A deploy changes them.
const TOOLS_FRESH_MS: u32 = 60_000;

/// The next step after a message.
#[derive(Debug)]
pub enum Step<'b> {
    /// The response.
    Respond(Response),
    /// The response is the list of [`Tools`].
    List(Pending),
    /// The response is the result of a call.
    Call {
        /// The name of the function of an operation.
        function: Cow<'b, str>,
        /// The parameters, as JSON.
        arguments: &'b [u8],
        /// The response.
        pending: Pending,
    },
}

/// A response without its result.
#[derive(Debug)]
pub struct Pending {
    id: Id,
    era: Era,
    server: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    Modern,
    Legacy,
}

/// An error with the status of its response.
struct Refusal {
    status: StatusCode,
    error: RpcError,
}

/// The parameters of all methods.
#[derive(Deserialize, Default)]
struct Params<'b> {
    #[serde(borrow, default)]
    name: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    arguments: Option<&'b RawValue>,
    #[serde(default)]
    cursor: Option<serde::de::IgnoredAny>,
    #[serde(borrow, default, rename = "protocolVersion")]
    protocol_version: Option<Cow<'b, str>>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'b>>,
}

/// The metadata of a request.
#[derive(Deserialize)]
struct Meta<'b> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    protocol_version: Option<Cow<'b, str>>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'b RawValue>,
}

impl Api {
    /// Reads a message of a client.
    #[must_use]
    pub fn mcp<'b>(&self, headers: &HeaderMap, body: &'b [u8]) -> Step<'b> {
        let message = match Messages::read(body) {
            Ok(Messages::One(Ok(message))) => message,
            Ok(Messages::One(Err(invalid))) => {
                return Step::Respond(bad_request(&invalid.id, &invalid.error));
            }
            Ok(Messages::Batch(_)) => {
                let error = RpcError::invalid_request("expected one message, found a list");
                return Step::Respond(bad_request(&Id::default(), &error));
            }
            Err(error) => return Step::Respond(bad_request(&Id::default(), &error)),
        };
        let Some(id) = message.id.clone() else {
            // No notification has an effect: nothing of a client is stored.
            return Step::Respond(Response::empty(StatusCode::ACCEPTED));
        };
        if id.is_null() {
            let error = RpcError::invalid_request("expected `id` to be a string or a number");
            return Step::Respond(bad_request(&id, &error));
        }
        self.step(headers, &message, id.clone())
            .unwrap_or_else(|refusal| {
                let Refusal { status, error } = refusal;
                Step::Respond(Response::json(status, id.error(&error)))
            })
    }

    fn step<'b>(
        &self,
        headers: &HeaderMap,
        message: &Message<'b>,
        id: Id,
    ) -> Result<Step<'b>, Refusal> {
        let params: Params<'b> = match serde_json::from_slice(message.params) {
            Ok(params) if message.params.starts_with(b"{") => params,
            _ => {
                return Err(Refusal::params(format!(
                    "expected the parameters of `{}`",
                    crate::quote::excerpt(&message.method)
                )));
            }
        };
        let era = headers::era(headers, message, &params)?;
        let pending = Pending {
            id,
            era,
            server: self.server_info(),
        };
        let result = match (&*message.method, era) {
            ("tools/list", _) if params.cursor.is_some() => {
                return Err(Refusal::params("unknown cursor: the list has one page"));
            }
            ("tools/list", _) => return Ok(Step::List(pending)),
            ("tools/call", _) => return self.tool_call(params, pending),
            ("server/discover", Era::Modern) => json!({
                "supportedVersions": revisions(),
                "capabilities": { "tools": {} },
                "ttlMs": TOOLS_FRESH_MS,
                "cacheScope": "public",
            }),
            ("initialize", Era::Legacy) => self.initialized(&params),
            ("ping", Era::Legacy) => json!({}),
            (method, era) => return Err(Refusal::method(method, era)),
        };
        Ok(Step::Respond(pending.result(result)))
    }

    fn tool_call<'b>(&self, params: Params<'b>, pending: Pending) -> Result<Step<'b>, Refusal> {
        let Some(function) = params.name else {
            return Err(Refusal::params("missing `name` of a tool"));
        };
        if self.method(&function).is_none() {
            let name = crate::quote::excerpt(&function);
            let status = StatusCode::OK;
            let error = RpcError::new(INVALID_PARAMS, format!("Unknown tool: {name}"));
            return Err(Refusal { status, error });
        }
        let arguments = params.arguments.map_or("{}", RawValue::get).as_bytes();
        if !arguments.starts_with(b"{") {
            return Err(Refusal::params("expected `arguments` to be an object"));
        }
        Ok(Step::Call {
            function,
            arguments,
            pending,
        })
    }

    fn initialized(&self, params: &Params<'_>) -> Value {
        let requested = params.protocol_version.as_deref();
        let mut known = LEGACY.into_iter();
        let revision = known.find(|revision| requested == Some(*revision));
        let mut result = json!({
            "protocolVersion": revision.unwrap_or(LEGACY[0]),
            "capabilities": { "tools": {} },
            "serverInfo": self.server_info(),
        });
        if let Some(docs) = &self.interface().docs {
            result["instructions"] = (&**docs).into();
        }
        result
    }

    fn server_info(&self) -> Value {
        let name = &*self.interface().name;
        let (name, version) = name.split_once('@').unwrap_or((name, "0.0.0"));
        json!({ "name": name, "version": version })
    }
}

/// All revisions, the newest first.
fn revisions() -> Vec<&'static str> {
    std::iter::once(MODERN).chain(LEGACY).collect()
}

fn bad_request(id: &Id, error: &RpcError) -> Response {
    Response::json(StatusCode::BAD_REQUEST, id.error(error))
}

// === impl Pending ===

impl Pending {
    /// The list of tools.
    #[must_use]
    pub fn tools(self, tools: &Tools) -> Response {
        let mut result = json!({ "tools": tools.list() });
        if self.era == Era::Modern {
            result["ttlMs"] = TOOLS_FRESH_MS.into();
            result["cacheScope"] = "public".into();
        }
        self.result(result)
    }

    /// The value that a function returned, as JSON, or `None` if it returns nothing.
    #[must_use]
    pub fn value(self, tools: &Tools, function: &str, json: Option<&str>) -> Response {
        let Some(json) = json else {
            return self.result(json!({ "content": [] }));
        };
        let structured = match tools.is_wrapped(function) {
            true => format!(r#"{{"result":{json}}}"#),
            false => json.to_owned(),
        };
        let content = json!([{ "type": "text", "text": structured }]);
        // The value stays text: its numbers have digits that a value of numbers would lose.
        let members = format!(r#""content":{content},"structuredContent":{structured}"#);
        let own = self.own_members();
        let own = own.as_object().into_iter().flatten();
        let own = own.map(|(key, value)| format!(r#","{key}":{value}"#));
        let own: String = own.collect();
        Response::json(
            StatusCode::OK,
            self.id.result(&format!("{{{members}{own}}}")),
        )
    }

    /// The problem of a call: of its parameters, of the error that the function returned, or of a
    /// failure.
    #[must_use]
    pub fn problem(self, problem: &Problem) -> Response {
        let text = String::from_utf8(problem.json()).unwrap_or_default();
        let content = json!([{ "type": "text", "text": text }]);
        self.result(json!({ "content": content, "isError": true }))
    }

    fn result(self, mut result: Value) -> Response {
        if let (Value::Object(result), Value::Object(own)) = (&mut result, self.own_members()) {
            result.extend(own);
        }
        Response::json(StatusCode::OK, self.id.result(&result.to_string()))
    }

    /// The members of all results of an era.
    fn own_members(&self) -> Value {
        match self.era {
            Era::Legacy => json!({}),
            Era::Modern => json!({
                "resultType": "complete",
                "_meta": { "io.modelcontextprotocol/serverInfo": self.server },
            }),
        }
    }
}

// === impl Refusal ===

impl Refusal {
    fn params(reason: impl std::fmt::Display) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error: RpcError::new(INVALID_PARAMS, format!("Invalid params: {reason}")),
        }
    }

    fn method(method: &str, era: Era) -> Self {
        Self {
            status: match era {
                Era::Modern => StatusCode::NOT_FOUND,
                Era::Legacy => StatusCode::OK,
            },
            error: RpcError::unknown_method(method),
        }
    }
}
