//! Time as the state machines of this crate see it: handed in, monotonic, and each host's own.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment: how long after its own start a host is. Moments of two hosts have nothing to do with each
/// other, so none is ever sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The host's start.
    pub const START: Self = Self(Duration::ZERO);

    /// So long after the host's start.
    #[must_use]
    pub const fn after_start(duration: Duration) -> Self {
        Self(duration)
    }

    /// How long this is after the host's start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// How long this is after an earlier moment; nothing if that one is the later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Ends at the latest moment there is, instead of overflowing.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3}s", self.0.as_secs_f64())
    }
}
