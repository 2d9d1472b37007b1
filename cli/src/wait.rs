//! Polling for commands with `--wait`.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};
use weft_lattice_config::DurationText;

use crate::failure::Failure;

/// The pause after the first poll: most conditions hold within a moment.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause between polls: short enough for people, and long enough for a host that many
/// scripts poll.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The option for the timeout of `--wait`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WaitTimeout {
    /// Wait at most this long
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        requires = "wait"
    )]
    timeout: DurationText,
}

impl WaitTimeout {
    pub(crate) fn get(&self) -> Duration {
        self.timeout.get()
    }
}

/// Pauses between polls, each twice as long as the one before.
#[derive(Debug, Default)]
struct Backoff {
    last: Duration,
}

/// Polls until the result is done or the timeout expires, and returns the last result.
///
/// # Errors
/// The error of a failed `poll`.
pub(crate) async fn until<T>(
    timeout: Duration,
    mut poll: impl AsyncFnMut() -> Result<T, Failure>,
    is_done: impl Fn(&T) -> bool,
) -> Result<T, Failure> {
    let deadline = Instant::now() + timeout;
    let mut backoff = Backoff::default();
    loop {
        let result = poll().await?;
        let left = deadline.saturating_duration_since(Instant::now());
        if is_done(&result) || left.is_zero() {
            return Ok(result);
        }
        sleep(backoff.next().min(left)).await;
    }
}

impl Backoff {
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
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..6).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn polling_ends_when_the_result_is_done_or_the_timeout_expires() {
        let poll_for = async |expected: u32, timeout: Duration| {
            let mut polls = 0;
            let poll = async || {
                polls += 1;
                Ok(polls)
            };
            until(timeout, poll, |count| *count == expected)
                .await
                .unwrap()
        };
        assert_eq!(poll_for(3, Duration::from_secs(60)).await, 3);
        assert_eq!(poll_for(1, Duration::ZERO).await, 1);
        assert_eq!(poll_for(0, Duration::ZERO).await, 1, "at least once");
        assert_eq!(poll_for(0, Duration::from_millis(700)).await, 4);
    }
}
