//! Failures of a callee, as its importer receives them.

use weft_link::LinkFailure;
use weft_telemetry::chain;
use weft_wire::FailureCode;

use crate::endpoint::Failure;

/// Converts a failure of the component `callee` into the failure that its callers receive.
pub(crate) fn of_callee(callee: &str, failure: &Failure) -> LinkFailure {
    let code = match failure {
        Failure::Full { .. } | Failure::PoolFull | Failure::MemoryFull { .. } => FailureCode::Busy,
        Failure::Deadline { .. } | Failure::SilentClient => FailureCode::Deadline,
        Failure::NotLoaded(_) => FailureCode::Unreachable,
        Failure::BadRequest(_) => FailureCode::Refused,
        Failure::OfInstance(failure) => return of_callee(callee, failure),
        Failure::Limit(_)
        | Failure::Exited(_)
        | Failure::AfterResponse { .. }
        | Failure::Unfinished
        | Failure::Link { .. }
        | Failure::Trapped(_)
        | Failure::NoResponse
        | Failure::ErrorCode(_) => FailureCode::Trapped,
    };
    let reason = match failure {
        // The innermost cause is the reason of the trap; the outer ones add its place, with a
        // backtrace.
        Failure::Trapped(source) => format!("`{callee}` trapped: {}", root(&**source)),
        Failure::Deadline { limit } => {
            format!("`{callee}` did not answer within {} ms", limit.as_millis())
        }
        other => format!("`{callee}`: {}", chain(other)),
    };
    LinkFailure::new(code, reason)
}

fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
