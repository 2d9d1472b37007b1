//! The host's own time, as the state machines of the lattice see it.

use tokio::time::Instant;
use weft_membership::Moment;

/// Moments of one host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    /// Time from now on.
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
        // Beyond any deadline there is.
        self.started
            .checked_add(moment.since_start())
            .unwrap_or(self.started)
    }
}
