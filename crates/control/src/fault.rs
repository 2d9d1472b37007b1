//! Faults that a drill injects into a host: to exit at once, or to hang. Its operator can forbid
//! drills.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The delay between the answer and the fault: long enough for the answer to leave, and for all
/// hosts of a drill to receive the request before the first is lost.
pub const FAULT_AFTER: Duration = Duration::from_millis(250);

/// The longest hang. A longer one shows nothing more: the host counts as dead after three seconds.
pub const HANG_MAX: Duration = Duration::from_mins(1);

/// The body of `POST /v1/fault`. With `?check=true` the host answers whether it would take the
/// fault, and does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultRequest {
    /// The process exits at once, as by `kill -9`: it drains nothing and sends nothing.
    Kill {},
    /// The process stops for a while, and then continues.
    Stop {
        /// The duration in milliseconds: 1 to that of [`HANG_MAX`].
        for_ms: u64,
    },
}

/// The answer to `POST /v1/fault`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The host's name.
    pub host: String,
    /// Milliseconds until the fault; `None` for a check.
    pub after_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_named_and_has_nothing_that_it_does_not_know() {
        let read = |text: &str| serde_json::from_str::<FaultRequest>(text).ok();
        assert_eq!(read(r#"{"fault":"kill"}"#), Some(FaultRequest::Kill {}));
        let stop = FaultRequest::Stop { for_ms: 15_000 };
        assert_eq!(read(r#"{"fault":"stop","for_ms":15000}"#), Some(stop));
        for text in [
            "{}",
            r#"{"fault":"stop"}"#,
            r#"{"fault":"stop","for_ms":-1}"#,
            r#"{"fault":"kill","for_ms":15000}"#,
            r#"{"fault":"melt"}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let written = serde_json::to_string(&stop).unwrap();
        assert_eq!(written, r#"{"fault":"stop","for_ms":15000}"#);
    }
}
