//! A host's own connection to the bus: when silence of others says something about them.

use super::timing::{SETTLE_AFTER_RETURN, SETTLE_AFTER_START};
use crate::Moment;

/// Whether the host's own bus is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusStatus {
    /// What others send is heard.
    Connected,
    /// Nothing is heard.
    Disconnected,
}

/// Why the view is held as it is, and placement with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// The bus was never connected since the host's start: there is no view yet.
    Unconnected,
    /// The first connection is fresh; others are being heard for the first time.
    Joining,
    /// The connection is lost.
    Away,
    /// The connection has come back, or the host itself was stopped; others are being heard again.
    Returning,
}

/// The state of the host's own connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// Never connected. Leads to `Settling`.
    Unconnected,
    /// Connected, and the view is held. Leads to `Settled` when it is time, or to `Away`.
    Settling { freeze: Freeze, until: Moment },
    /// Connected for long enough: silence counts. Leads to `Away`, or to `Settling` after a stall.
    Settled,
    /// The connection is lost. Leads to `Settling`.
    Disconnected,
}

impl Connection {
    pub(super) fn on_bus(&mut self, now: Moment, status: BusStatus) {
        *self = match (*self, status) {
            (Self::Unconnected, BusStatus::Connected) => Self::Settling {
                freeze: Freeze::Joining,
                until: now + SETTLE_AFTER_START,
            },
            (Self::Disconnected, BusStatus::Connected) => Self::returning(now),
            (Self::Settling { .. } | Self::Settled, BusStatus::Disconnected) => Self::Disconnected,
            (same, _) => same,
        };
    }

    /// The host did nothing for a while: what came meanwhile may be lost.
    pub(super) fn on_stall(&mut self, now: Moment) {
        if self.is_connected() {
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

    /// Why the view is held; nothing if it is not.
    pub(super) fn freeze(self) -> Option<Freeze> {
        match self {
            Self::Unconnected => Some(Freeze::Unconnected),
            Self::Settling { freeze, .. } => Some(freeze),
            Self::Settled => None,
            Self::Disconnected => Some(Freeze::Away),
        }
    }

    /// Whether anything can be heard and sent.
    pub(super) fn is_connected(self) -> bool {
        match self {
            Self::Settling { .. } | Self::Settled => true,
            Self::Unconnected | Self::Disconnected => false,
        }
    }

    fn returning(now: Moment) -> Self {
        Self::Settling {
            freeze: Freeze::Returning,
            until: now + SETTLE_AFTER_RETURN,
        }
    }
}
