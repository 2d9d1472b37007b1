//! How often a command looks again that waits for a state of a host.

use std::time::Duration;

/// After the first look: most of what is waited for is there within a moment.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Between later looks: no person notices more, and a host that is looked at so often by many scripts has
/// time for its work.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Pauses that double.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    last: Duration,
}

impl Pauses {
    pub(crate) fn next(&mut self) -> Duration {
        self.last = self.last.saturating_mul(2).clamp(PAUSE_MIN, PAUSE_MAX);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let mut pauses = Pauses::default();
        let taken: Vec<_> = (0..6).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(taken, [100, 200, 400, 800, 1000, 1000]);
    }
}
