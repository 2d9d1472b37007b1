//! Failures of calls over a link.

use std::fmt;

use thiserror::Error;

use crate::limits::MAX_MESSAGE_BYTES;
use crate::numbered;

numbered! {
    /// The reason why a call over a link failed, by what the caller can do about it.
    pub enum FailureCode: u32 {
        /// No host with the target could be reached. The call has not run.
        Unreachable = 0, "unreachable";
        /// The target accepts no more calls at the moment. The call has not run.
        Busy = 1, "busy";
        /// The deadline passed before a reply arrived.
        Deadline = 2, "deadline";
        /// The target, or its host, rejects this call. The call has not run.
        Refused = 3, "refused";
        /// The target trapped, or exceeded a limit, while it ran the call.
        Trapped = 4, "trapped";
        /// The connection was lost after the call was sent: the call may have run, or may still be
        /// running.
        MaybeExecuted = 5, "maybe-executed";
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The failure of a call over a link, as sent to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct Failure {
    code: FailureCode,
    message: String,
}

impl Failure {
    /// Creates a failure. A message longer than [`MAX_MESSAGE_BYTES`] is cut and ends in `…`,
    /// because a failure must always be deliverable.
    #[must_use]
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES - CUT.len()));
            message.push_str(CUT);
        }
        Self { code, message }
    }

    /// The code, for the caller's program.
    #[must_use]
    pub fn code(&self) -> FailureCode {
        self.code
    }

    /// The message, for people: the involved names and the reason.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The end of a cut message.
const CUT: &str = "…";
