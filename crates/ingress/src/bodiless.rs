//! Responses that have no body by their request or status (RFC 9110, section 6.4.1), whatever their
//! component writes.

use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Body as _;
use tokio_util::task::TaskTracker;

use crate::error_response;
use crate::handler::Body;

/// Removes the body of a response to `HEAD`, or with a status that has none. The component goes on:
/// what it writes is read in `tasks`, and dropped.
///
/// The response to `HEAD` has the `content-length` that `GET` would have; `204` and `304` have
/// none. An interim status is not a response: it becomes a `500`.
pub(crate) fn finish(
    response: Response<Body>,
    is_head: bool,
    tasks: &TaskTracker,
) -> Response<Body> {
    let mut response = final_response(response);
    let has_no_body = matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    if !is_head && !has_no_body {
        return response;
    }
    let length = response.body().size_hint().exact();
    let headers = response.headers_mut();
    headers.remove(header::TRANSFER_ENCODING);
    if has_no_body {
        headers.remove(header::CONTENT_LENGTH);
    } else if let Some(length) = length.filter(|length| *length > 0) {
        let length = HeaderValue::from(length);
        headers.entry(header::CONTENT_LENGTH).or_insert(length);
    }
    let empty = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut body = std::mem::replace(response.body_mut(), empty);
    if !body.is_end_stream() {
        tasks.spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
    }
    response
}

fn final_response(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    if !status.is_informational() {
        return response;
    }
    let reason = format!(
        "the component responded with the interim status {}",
        status.as_u16()
    );
    error_response::text(StatusCode::INTERNAL_SERVER_ERROR, &reason)
}
