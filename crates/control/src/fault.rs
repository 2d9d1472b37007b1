//! A fault that a drill asks a host for: to end at once, or to hang. Whether a host takes it is its operator's
//! choice.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long after its answer a host breaks: the answer is on its way by then, and hosts that are to be lost
/// together are.
pub const FAULT_AFTER: Duration = Duration::from_millis(250);

/// The longest that a host hangs: longer shows nothing more, for it counts as dead after three seconds.
pub const HANG_MAX: Duration = Duration::from_mins(1);

/// What `POST /v1/fault` takes. With `?check=true` the host only says whether it would do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultRequest {
    /// The process ends at once, as by `kill -9`: nothing is drained, nothing is told to anybody.
    Kill {},
    /// The process does nothing at all for a while, and then goes on.
    Stop {
        /// For so long, in milliseconds: 1 to those of [`HANG_MAX`].
        for_ms: u64,
    },
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The host's name.
    pub host: String,
    /// In how many milliseconds it breaks; none if it was only asked whether it would.
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
