//! Problems of the host itself with a request to a typed route.

use http::{StatusCode, header};
use weft_api::{Problem, RETRY_AFTER};

use crate::typed_route::Rejection;

/// The host has a defect.
pub(crate) fn host_failed(kind: &str) -> Rejection {
    let title = "The host failed";
    let problem = Problem::of_host(StatusCode::INTERNAL_SERVER_ERROR, kind, title);
    Box::new(problem.response())
}

/// A body exceeds its limit.
pub(crate) fn too_large(limit: u64) -> Rejection {
    let title = "The body is too large";
    let detail = format!("expected at most {limit} bytes (`limits.body`)");
    let problem = Problem::of_host(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title);
    Box::new(problem.with_detail(detail).response())
}

/// A body ended, or did not arrive in time.
pub(crate) fn incomplete(status: StatusCode) -> Rejection {
    let title = "The body did not arrive as a whole";
    Box::new(Problem::of_host(status, "incomplete", title).response())
}

/// The budget of bodies is used up.
pub(crate) fn full() -> Rejection {
    let title = "The host receives too many large bodies at the moment";
    let problem = Problem::of_host(StatusCode::SERVICE_UNAVAILABLE, "busy", title);
    let problem = problem.with_header(header::RETRY_AFTER, RETRY_AFTER);
    Box::new(problem.response())
}
