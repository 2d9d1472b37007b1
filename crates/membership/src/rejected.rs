//! Rejected messages, counted by reason.

use std::fmt;

use thiserror::Error;

use weft_wire::FrameError;

/// The reason why a message changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Rejection {
    /// The message is truncated, too long, or has an invalid field.
    #[error("malformed message")]
    Malformed,
    /// The message has a version that this host does not support.
    #[error("message has an unsupported version")]
    Version,
    /// The message has a kind that this host does not support.
    #[error("message has an unsupported kind")]
    Kind,
    /// The message is for another lattice.
    #[error("message is for another lattice")]
    Lattice,
    /// The message was sent by this host.
    #[error("message was sent by this host itself")]
    Own,
    /// The message is from an earlier incarnation of its host.
    #[error("message is from an earlier incarnation of its host")]
    Older,
    /// This message, or a later one of its kind, has already arrived.
    #[error("message is outdated: a later one, or this one, has already arrived")]
    Replayed,
    /// The message is an inventory of a host without a heartbeat so far.
    #[error("inventory arrived before a heartbeat of its host")]
    Early,
    /// The limit of hosts or components is reached.
    #[error("limit of remembered hosts or components is reached")]
    Full,
}

/// Number of rejected messages by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RejectionCounts {
    counts: [u64; Rejection::ALL.len()],
}

impl Rejection {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::Version,
        Self::Kind,
        Self::Lattice,
        Self::Own,
        Self::Older,
        Self::Replayed,
        Self::Early,
        Self::Full,
    ];

    /// The name in metrics, in kebab case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Kind => "kind",
            Self::Lattice => "lattice",
            Self::Own => "own",
            Self::Older => "older",
            Self::Replayed => "replayed",
            Self::Early => "early",
            Self::Full => "full",
        }
    }
}

impl From<&FrameError> for Rejection {
    fn from(error: &FrameError) -> Self {
        match error {
            FrameError::Version { .. } => Self::Version,
            FrameError::Kind { .. } => Self::Kind,
            FrameError::Lattice { .. } => Self::Lattice,
            _ => Self::Malformed,
        }
    }
}

impl RejectionCounts {
    /// Number of messages rejected for this reason.
    #[must_use]
    pub fn count(&self, reason: Rejection) -> u64 {
        self.counts[reason as usize]
    }

    pub(super) fn add(&mut self, reason: Rejection) {
        let count = &mut self.counts[reason as usize];
        *count = count.saturating_add(1);
    }
}

/// The reasons with a count above zero.
impl fmt::Display for RejectionCounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let occurred = Rejection::ALL
            .into_iter()
            .filter(|reason| self.count(*reason) > 0);
        for (index, reason) in occurred.enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(
                formatter,
                "{separator}{}: {}",
                reason.name(),
                self.count(reason)
            )?;
        }
        Ok(())
    }
}
