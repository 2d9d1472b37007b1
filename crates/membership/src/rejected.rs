//! What was heard and not taken, counted by the reason.

use std::fmt;

use thiserror::Error;

use super::message::MessageError;

/// Why a message changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Rejection {
    /// It is cut off, too long, or a field is not as it has to be.
    #[error("the message is malformed")]
    Malformed,
    /// It is of a version that this host does not speak.
    #[error("the message is of another version")]
    Version,
    /// It is of a kind that this host does not know.
    #[error("the message is of an unknown kind")]
    Kind,
    /// It is for another lattice.
    #[error("the message is for another lattice")]
    Lattice,
    /// It is this host's own.
    #[error("the message is this host's own")]
    Own,
    /// It is from an earlier life of its host.
    #[error("the message is from an earlier life of its host")]
    Older,
    /// It, or a later one of its kind, has been heard.
    #[error("the message, or a later one, has been heard already")]
    Replayed,
    /// It is an inventory of a host of which no heartbeat was heard.
    #[error("the inventory came before a heartbeat of its host")]
    Early,
    /// There is no room for its host or its components.
    #[error("there is no room for what the message says")]
    Full,
}

/// How many messages were not taken, by the reason.
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

impl From<&MessageError> for Rejection {
    fn from(error: &MessageError) -> Self {
        match error {
            MessageError::Version { .. } => Self::Version,
            MessageError::Kind { .. } => Self::Kind,
            MessageError::Lattice { .. } => Self::Lattice,
            MessageError::Empty | MessageError::TooLong { .. } | MessageError::Malformed { .. } => {
                Self::Malformed
            }
        }
    }
}

impl RejectionCounts {
    /// How many were not taken for this reason.
    #[must_use]
    pub fn count(&self, reason: Rejection) -> u64 {
        self.counts[reason as usize]
    }

    pub(super) fn add(&mut self, reason: Rejection) {
        let count = &mut self.counts[reason as usize];
        *count = count.saturating_add(1);
    }
}

/// The reasons that occurred, with their counts.
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
