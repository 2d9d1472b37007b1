//! What the host says itself, when no component does: a status, a reason, and what to do.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

use crate::handler::Body;

/// How long a client should wait before it tries a full host again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The header of an answer that a log line belongs to; its value stands in that line.
const ERROR_ID: &str = "weft-error-id";

/// A plain text answer of the host.
pub fn text(status: StatusCode, reason: &str) -> Response<Body> {
    let reason = format!("{status}: {reason}\n");
    let body = Full::new(Bytes::from(reason))
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// `504`.
pub fn late(reason: &str) -> Response<Body> {
    text(StatusCode::GATEWAY_TIMEOUT, reason)
}

/// `500`, for a component that failed: details are in the log under `id`, and are not for clients.
pub fn component_failed(name: &str, id: String) -> Response<Body> {
    let reason = format!("component `{name}` failed; its host's log says why, under {id}");
    let mut response = text(StatusCode::INTERNAL_SERVER_ERROR, &reason);
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(ERROR_ID, id);
    }
    response
}

/// `413`.
pub fn body_too_large(bytes: u64, limit: u64) -> Response<Body> {
    let reason = format!("the body has {bytes} bytes; at most {limit} are taken (`limits.body`)");
    text(StatusCode::PAYLOAD_TOO_LARGE, &reason)
}

/// `503`, to be tried again.
pub fn busy(reason: &str) -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, reason);
    response.headers_mut().insert(
        header::RETRY_AFTER,
        HeaderValue::from(RETRY_AFTER.as_secs()),
    );
    response
}

/// A new id for a log line and the response that it belongs to.
pub fn error_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness the id is all zeros: the answer still goes out.
    let _ = getrandom::fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}
