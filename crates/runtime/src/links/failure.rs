//! A call over a link that has no reply: what a callee's failure is to its importer.

use weft_link::LinkFailure;
use weft_telemetry::chain;
use weft_wire::FailureCode;

use crate::endpoint::Failure;

/// What a failure of the component `callee` is to those that call it.
pub(crate) fn of_callee(callee: &str, failure: &Failure) -> LinkFailure {
    let code = match failure {
        Failure::Full { .. } | Failure::PoolFull => FailureCode::Busy,
        Failure::Deadline { .. } => FailureCode::Deadline,
        Failure::NotLoaded(_) => FailureCode::Unreachable,
        Failure::BadRequest(_) => FailureCode::Refused,
        Failure::Limit(_)
        | Failure::Link { .. }
        | Failure::Trapped(_)
        | Failure::NoResponse
        | Failure::ErrorCode(_) => FailureCode::Trapped,
    };
    let reason = match failure {
        // The last cause says what happened; those above it say where, with a backtrace.
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
