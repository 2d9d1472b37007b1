//! Waits for the effects of other processes, with a timeout.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The timeout of a wait, and the time between two checks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polling {
    pub(super) timeout: Duration,
    pub(super) period: Duration,
}

impl Polling {
    /// For waits that are not measured: rare checks leave the processor to others.
    pub(super) const fn of(timeout: Duration) -> Self {
        Self {
            timeout,
            period: Duration::from_millis(20),
        }
    }
}

/// Repeats a check until it returns a value.
///
/// # Errors
///
/// If the check fails, or returns `None` until the timeout.
pub(super) fn until<T>(
    event: &str,
    polling: Polling,
    mut check: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = check()? {
            return Ok(found);
        }
        if start.elapsed() > polling.timeout {
            bail!("timed out after {:?}: {event}", polling.timeout);
        }
        pause(polling.period);
    }
}

/// Sleeps where another process cannot notify this one.
pub(super) fn pause(duration: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    // The sender stays silent: only the timeout ends this.
    let _ = receiver.recv_timeout(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_a_value_or_at_the_timeout() {
        let polling = Polling {
            timeout: Duration::from_millis(20),
            period: Duration::from_millis(1),
        };
        let mut checks = 0;
        let found = until("a third check", polling, || {
            checks += 1;
            Ok((checks == 3).then_some(checks))
        });
        assert_eq!(found.ok(), Some(3));
        let error = until::<()>("never", polling, || Ok(None)).expect_err("it never happens");
        assert!(error.to_string().ends_with("never"), "{error}");
    }
}
