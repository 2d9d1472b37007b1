//! A host's own connection to the bus, which decides if silence of other hosts counts.

use super::timing::{SETTLE_AFTER_RETURN, SETTLE_AFTER_START};
use crate::Moment;

/// Status of the host's own bus connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusStatus {
    /// Messages of other hosts arrive.
    Connected,
    /// No messages arrive.
    Disconnected,
    /// The bus has no other host, and never will.
    Alone,
}

/// The reason why the view of other hosts is frozen, and placement paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacementPause {
    /// The bus was never connected since the start: the view is empty.
    Unconnected,
    /// The first connection is recent; first heartbeats are still arriving.
    Joining,
    /// The connection is lost.
    Disconnected,
    /// The connection was restored, or the host was stalled; heartbeats are arriving again.
    Returning,
}

/// The state of the host's own connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// Never connected. Next: `Settling`.
    Unconnected,
    /// Connected, with a frozen view. Next: `Settled` at `until`, or `Disconnected`.
    Settling {
        pause: PlacementPause,
        until: Moment,
    },
    /// Connected for long enough that silence counts. Next: `Disconnected`, or `Settling` after a
    /// stall.
    Settled,
    /// The connection is lost. Next: `Settling`.
    Disconnected,
    /// There is no other host to receive heartbeats of. Final.
    Alone,
}

impl Connection {
    pub(super) fn on_bus(&mut self, now: Moment, status: BusStatus) {
        *self = match (*self, status) {
            (_, BusStatus::Alone) => Self::Alone,
            (Self::Unconnected, BusStatus::Connected) => Self::Settling {
                pause: PlacementPause::Joining,
                until: now + SETTLE_AFTER_START,
            },
            (Self::Disconnected, BusStatus::Connected) => Self::returning(now),
            (Self::Settling { .. } | Self::Settled, BusStatus::Disconnected) => Self::Disconnected,
            (same, _) => same,
        };
    }

    /// The host was stalled, so messages may have been lost meanwhile.
    pub(super) fn on_stall(&mut self, now: Moment) {
        if matches!(self, Self::Settling { .. } | Self::Settled) {
            *self = Self::returning(now);
        }
    }

    pub(super) fn on_time(&mut self, now: Moment) {
        if let Self::Settling { until, .. } = *self
            && until <= now
        {
            *self = Self::Settled;
        }
    }

    /// The reason for a frozen view; `None` if the view follows the heartbeats.
    pub(super) fn placement_pause(self) -> Option<PlacementPause> {
        match self {
            Self::Unconnected => Some(PlacementPause::Unconnected),
            Self::Settling { pause, .. } => Some(pause),
            Self::Settled | Self::Alone => None,
            Self::Disconnected => Some(PlacementPause::Disconnected),
        }
    }

    /// True if messages can be sent and received.
    pub(super) fn is_connected(self) -> bool {
        match self {
            Self::Settling { .. } | Self::Settled | Self::Alone => true,
            Self::Unconnected | Self::Disconnected => false,
        }
    }

    fn returning(now: Moment) -> Self {
        Self::Settling {
            pause: PlacementPause::Returning,
            until: now + SETTLE_AFTER_RETURN,
        }
    }
}
