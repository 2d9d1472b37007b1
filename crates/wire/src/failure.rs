//! Why a call over a link has no reply.

use std::fmt;

use thiserror::Error;

use crate::limits::MAX_MESSAGE_BYTES;

/// Why a call over a link has no reply, as far as whoever called can act on it.
///
/// The numbers are on the wire: one never changes its meaning and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum FailureCode {
    /// No host that holds the target could be reached. The call has not run.
    Unreachable = 0,
    /// The target takes no more calls at the moment. The call has not run.
    Busy = 1,
    /// The deadline passed before there was a reply.
    Deadline = 2,
    /// The target, or its host, does not take this call. It has not run.
    Refused = 3,
    /// The target trapped, or exceeded a limit, while it ran the call.
    Trapped = 4,
    /// The connection was lost after the call was sent: it may have run, or still run.
    MaybeExecuted = 5,
}

impl FailureCode {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Unreachable,
        Self::Busy,
        Self::Deadline,
        Self::Refused,
        Self::Trapped,
        Self::MaybeExecuted,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The failure behind a number.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.code() == code)
    }

    /// The name in messages, in kebab case.
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

/// Why a call over a link has no reply, as it is told to whoever called.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct Failure {
    code: FailureCode,
    message: String,
}

impl Failure {
    /// A failure. A message that is longer than [`MAX_MESSAGE_BYTES`] is cut, and ends in `…`: a failure
    /// must not fail to be told.
    #[must_use]
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES - CUT.len()));
            message.push_str(CUT);
        }
        Self { code, message }
    }

    /// What whoever called can act on.
    #[must_use]
    pub fn code(&self) -> FailureCode {
        self.code
    }

    /// What is to be read: the names of what is involved, and the reason.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The end of a message that was cut.
const CUT: &str = "…";
