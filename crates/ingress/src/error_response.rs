//! Responses of the host itself, in place of a component's: a status and a reason.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use weft_api::{ERROR_ID, RETRY_AFTER};

use crate::handler::Body;

/// A plain text response.
#[must_use]
pub fn text(status: StatusCode, reason: &str) -> Response<Body> {
    plain(status, format!("{status}: {reason}\n"))
}

/// A response with a text.
pub(crate) fn plain(status: StatusCode, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text))
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// A `504` response.
#[must_use]
pub fn late(reason: &str) -> Response<Body> {
    text(StatusCode::GATEWAY_TIMEOUT, reason)
}

/// A `500` response for a failed component. Details are in the log under `id`, and not for clients.
#[must_use]
pub fn component_failed(name: &str, id: String) -> Response<Body> {
    let reason = format!("component `{name}` failed: see error {id} in the log of its host");
    let mut response = text(StatusCode::INTERNAL_SERVER_ERROR, &reason);
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(ERROR_ID, id);
    }
    response
}

/// A `413` response.
pub(crate) fn body_too_large(bytes: u64, limit: u64) -> Response<Body> {
    let reason = format!(
        "request body too large: found {bytes} bytes, expected at most {limit} (`limits.body`)"
    );
    text(StatusCode::PAYLOAD_TOO_LARGE, &reason)
}

/// A `503` response with `retry-after`.
#[must_use]
pub fn busy(reason: &str) -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, reason);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// A new id for a log line and its response.
#[must_use]
pub fn error_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness the id is all zeros; the response is still sent.
    let _ = getrandom::fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}
