//! Time for the state machines of this crate: passed in, monotonic, and local to each host.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment, as the time since the host's own start. Moments of two hosts are not comparable, so
/// none is ever sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The start of the host.
    pub const START: Self = Self(Duration::ZERO);

    /// The moment this long after the host's start.
    #[must_use]
    pub const fn after_start(duration: Duration) -> Self {
        Self(duration)
    }

    /// The time since the host's start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The time since an earlier moment; zero if that moment is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates at the latest moment instead of overflowing.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3}s", self.0.as_secs_f64())
    }
}
