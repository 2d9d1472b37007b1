//! The clock of this host for the clockless state machines of `weft_membership`.

use tokio::time::Instant;
use weft_membership::Moment;

/// Converts between instants and moments since the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    pub(super) fn now(self) -> Moment {
        self.moment(Instant::now())
    }

    pub(super) fn moment(self, instant: Instant) -> Moment {
        Moment::after_start(instant.saturating_duration_since(self.started))
    }

    pub(super) fn instant(self, moment: Moment) -> Instant {
        // Moments beyond the range of `Instant` do not occur: deadlines are far below.
        self.started
            .checked_add(moment.since_start())
            .unwrap_or(self.started)
    }
}
