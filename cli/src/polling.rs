//! How a command looks again and again that waits for a state of a host.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};
use weft_lattice_config::DurationText;

use crate::failure::Failure;

/// After the first look: most of what is waited for is there within a moment.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Between later looks: no person notices more, and a host that is looked at so often by many scripts has
/// time for its work.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a command waits that has `--wait`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AtMost {
    /// How long to wait at most
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        requires = "wait"
    )]
    timeout: DurationText,
}

impl AtMost {
    pub(crate) fn get(&self) -> Duration {
        self.timeout.get()
    }
}

/// Pauses that double.
#[derive(Debug, Default)]
struct Pauses {
    last: Duration,
}

/// Looks until what is seen is what is waited for, or the time is over, and answers what was seen last.
///
/// # Errors
/// If `look` fails.
pub(crate) async fn until<T>(
    wait: Duration,
    mut look: impl AsyncFnMut() -> Result<T, Failure>,
    is_done: impl Fn(&T) -> bool,
) -> Result<T, Failure> {
    let until = Instant::now() + wait;
    let mut pauses = Pauses::default();
    loop {
        let seen = look().await?;
        let left = until.saturating_duration_since(Instant::now());
        if is_done(&seen) || left.is_zero() {
            return Ok(seen);
        }
        sleep(pauses.next().min(left)).await;
    }
}

impl Pauses {
    fn next(&mut self) -> Duration {
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

    #[tokio::test(start_paused = true)]
    async fn a_command_looks_until_it_sees_what_it_waits_for_or_the_time_is_over() {
        let look_for = async |wanted: u32, wait: Duration| {
            let mut looks = 0;
            let look = async || {
                looks += 1;
                Ok(looks)
            };
            until(wait, look, |seen| *seen == wanted).await.unwrap()
        };
        assert_eq!(look_for(3, Duration::from_secs(60)).await, 3);
        assert_eq!(look_for(1, Duration::ZERO).await, 1);
        assert_eq!(look_for(0, Duration::ZERO).await, 1, "once in any case");
        assert_eq!(look_for(0, Duration::from_millis(700)).await, 4);
    }
}
