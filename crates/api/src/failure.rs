//! Failures of calls, as clients of an API see them.

use http::{HeaderName, HeaderValue, StatusCode, header};
use weft_wire::FailureCode;

use crate::problem::Problem;

/// The header with the id of a line in the log of the host.
pub const ERROR_ID: HeaderName = HeaderName::from_static("weft-error-id");

/// Seconds after which a client should retry a request that has not run.
pub const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

impl Problem {
    /// The problem of a failed call. `error_id` is that of a line in the log of the host, where the
    /// message of the failure is: it is not for clients.
    #[must_use]
    pub fn of_failure(code: FailureCode, error_id: Option<&str>) -> Self {
        let (status, title) = match code {
            FailureCode::Trapped => (StatusCode::INTERNAL_SERVER_ERROR, "The component failed"),
            FailureCode::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The component takes no more calls at the moment",
            ),
            FailureCode::Unreachable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "No host of the component is reachable",
            ),
            FailureCode::Deadline => (
                StatusCode::GATEWAY_TIMEOUT,
                "The component did not reply in time",
            ),
            FailureCode::MaybeExecuted => (
                StatusCode::BAD_GATEWAY,
                "The host of the component was lost: the call may have run",
            ),
            FailureCode::Refused => (StatusCode::BAD_GATEWAY, "The host refused the call"),
        };
        let name = code.to_string();
        let mut problem = Self::of_host(status, &name, title).with_case(Some(&name));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            problem = problem.with_header(header::RETRY_AFTER, RETRY_AFTER);
        }
        match error_id.and_then(|id| HeaderValue::try_from(id).ok().zip(Some(id))) {
            Some((value, id)) => problem
                .with_detail(format!("see error {id} in the log of the host"))
                .with_header(ERROR_ID, value),
            None => problem,
        }
    }
}
