//! What the host says itself, when no component does: a status, a reason, and what to do.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use weft_wire::FailureCode;

use super::Body;
use crate::entry::{Entry, Failure, chain};
use crate::logs::{self, GuestStream};

/// How long a client should wait before it tries a full host again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The header of an answer that a log line belongs to; its value stands in that line.
const ERROR_ID: &str = "weft-error-id";

/// A plain text answer of the host.
pub(super) fn text(status: StatusCode, reason: &str) -> Response<Body> {
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

/// The answer in place of the one that the entry did not give. What is the guest's own fault gets an
/// id, and the details go to the log under that id: they are not for the outside.
pub(super) fn failure(entry: &Entry, failure: &Failure) -> Response<Body> {
    let name = format!("{}/{}", entry.app(), entry.component());
    match failure {
        Failure::Full { .. } | Failure::PoolFull => busy(&format!("`{name}`: {failure}")),
        Failure::Link {
            code: FailureCode::Busy,
            ..
        } => {
            report(entry, failure);
            busy(&format!("`{name}`: what it is linked to is busy"))
        }
        Failure::Link {
            code: FailureCode::Deadline,
            ..
        } => {
            report(entry, failure);
            let reason = format!("`{name}`: what it is linked to did not answer in time");
            text(StatusCode::GATEWAY_TIMEOUT, &reason)
        }
        Failure::Deadline { .. } => {
            logs::guest_line(
                entry.app(),
                entry.component(),
                GuestStream::Host,
                &failure.to_string(),
            );
            text(StatusCode::GATEWAY_TIMEOUT, &format!("`{name}`: {failure}"))
        }
        Failure::BadRequest(reason) => text(StatusCode::BAD_REQUEST, reason),
        Failure::Limit(_)
        | Failure::Link { .. }
        | Failure::Trapped(_)
        | Failure::NotLoaded(_)
        | Failure::NoResponse
        | Failure::ErrorCode(_) => {
            let id = report(entry, failure);
            let reason = format!("component `{name}` failed; its host's log says why, under {id}");
            let mut response = text(StatusCode::INTERNAL_SERVER_ERROR, &reason);
            if let Ok(id) = HeaderValue::try_from(id) {
                response.headers_mut().insert(ERROR_ID, id);
            }
            response
        }
    }
}

/// `413`.
pub(super) fn body_too_large(bytes: u64, limit: u64) -> Response<Body> {
    let reason = format!("the body has {bytes} bytes; at most {limit} are taken (`limits.body`)");
    text(StatusCode::PAYLOAD_TOO_LARGE, &reason)
}

/// `503`, to be tried again.
pub(super) fn busy(reason: &str) -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, reason);
    response.headers_mut().insert(
        header::RETRY_AFTER,
        HeaderValue::from(RETRY_AFTER.as_secs()),
    );
    response
}

/// Logs the failure under a new id.
pub(super) fn report(entry: &Entry, failure: &Failure) -> String {
    if failure.is_guests() {
        entry.count_trap();
    }
    let id = error_id();
    let message = format!("error {id}: {}", chain(failure));
    logs::guest_line(entry.app(), entry.component(), GuestStream::Host, &message);
    id
}

fn error_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness the id is all zeros: the answer still goes out.
    let _ = getrandom::fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}
