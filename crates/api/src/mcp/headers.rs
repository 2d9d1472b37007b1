//! The headers of a message: its revision, and what they repeat of its body.

use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{Era, LEGACY, MODERN, Params, Refusal, revisions};
use crate::rpc::{Message, RpcError};

const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// The code of headers that do not fit the body.
const HEADER_MISMATCH: i32 = -32020;

/// The code of a revision that is not served.
const UNSUPPORTED_REVISION: i32 = -32022;

/// Finds the era of a message, and checks the headers of the modern one. A message without a
/// revision is a legacy one.
pub(super) fn era(
    headers: &HeaderMap,
    message: &Message<'_>,
    params: &Params<'_>,
) -> Result<Era, Refusal> {
    let header = text(headers, VERSION)?;
    let meta = params.meta.as_ref();
    let of_body = meta.and_then(|meta| meta.protocol_version.as_deref());
    let is_modern =
        of_body.is_some() || header == Some(MODERN) || *message.method == *"server/discover";
    if !is_modern {
        return match header {
            Some(revision) if !LEGACY.contains(&revision) => Err(unsupported(revision)),
            _ => Ok(Era::Legacy),
        };
    }
    let Some(revision) = of_body else {
        return Err(Refusal::params(
            "missing `_meta` with `io.modelcontextprotocol/protocolVersion`",
        ));
    };
    same(VERSION, header, revision)?;
    if revision != MODERN {
        return Err(unsupported(revision));
    }
    same(METHOD, text(headers, METHOD)?, &message.method)?;
    if let ("tools/call", Some(name)) = (&*message.method, &params.name) {
        same(NAME, text(headers, NAME)?, name)?;
    }
    if meta.is_none_or(|meta| meta.capabilities.is_none()) {
        return Err(Refusal::params(
            "missing `_meta` with `io.modelcontextprotocol/clientCapabilities`",
        ));
    }
    Ok(Era::Modern)
}

/// A header as text.
fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    let text = value.map(|value| value.to_str());
    match (text, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text)),
        (Some(_), _) => Err(mismatch(&format!(
            "expected one header `{name}` of plain text"
        ))),
    }
}

fn same(name: &str, header: Option<&str>, body: &str) -> Result<(), Refusal> {
    let shown = crate::quote::excerpt(body);
    match header {
        Some(header) if header == body => Ok(()),
        Some(header) => {
            let header = crate::quote::excerpt(header);
            let reason = format!("`{name}` is `{header}`, and in the body `{shown}`");
            Err(mismatch(&reason))
        }
        None => Err(mismatch(&format!(
            "missing `{name}`, in the body `{shown}`"
        ))),
    }
}

fn mismatch(reason: &str) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        error: RpcError::new(HEADER_MISMATCH, format!("Header mismatch: {reason}")),
    }
}

fn unsupported(revision: &str) -> Refusal {
    let requested = crate::quote::excerpt(revision);
    let data = json!({ "supported": revisions(), "requested": requested });
    let error = RpcError::new(UNSUPPORTED_REVISION, "Unsupported protocol version");
    Refusal {
        status: StatusCode::BAD_REQUEST,
        error: error.with_data(data.to_string()),
    }
}
