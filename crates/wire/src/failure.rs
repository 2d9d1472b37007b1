//! Failures of calls over a link.

use std::fmt;

use thiserror::Error;

use crate::limits::MAX_MESSAGE_BYTES;

/// The reason why a call over a link failed, by what the caller can do about it.
///
/// The numbers are on the wire: a number never changes its meaning and is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum FailureCode {
    /// No host with the target could be reached. The call has not run.
    Unreachable = 0,
    /// The target accepts no more calls at the moment. The call has not run.
    Busy = 1,
    /// The deadline passed before a reply arrived.
    Deadline = 2,
    /// The target, or its host, rejects this call. The call has not run.
    Refused = 3,
    /// The target trapped, or exceeded a limit, while it ran the call.
    Trapped = 4,
    /// The connection was lost after the call was sent: the call may have run, or may still be
    /// running.
    MaybeExecuted = 5,
}

impl FailureCode {
    /// All codes, ordered by number.
    pub const ALL: [Self; 6] = [
        Self::Unreachable,
        Self::Busy,
        Self::Deadline,
        Self::Refused,
        Self::Trapped,
        Self::MaybeExecuted,
    ];

    /// Returns the number on the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// Returns the code with a number.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.code() == code)
    }

    /// The name for messages, in kebab case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::Deadline => "deadline",
            Self::Refused => "refused",
            Self::Trapped => "trapped",
            Self::MaybeExecuted => "maybe-executed",
        }
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
