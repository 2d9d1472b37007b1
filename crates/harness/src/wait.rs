//! The bounded wait for the effects of other processes. A wait is for a state and not for an event,
//! so that nothing is missed between two checks.

use std::time::{Duration, Instant};

use crate::Error;

/// The time between two checks: short, because most states are about to be reached.
const PERIOD: Duration = Duration::from_millis(10);

/// The timeout of a wait, and the time between two checks.
#[derive(Clone, Copy, Debug)]
pub struct Polling {
    /// The time from the first check to the last.
    pub timeout: Duration,
    /// The time between two checks.
    pub period: Duration,
}

impl Polling {
    /// Short periods for this long.
    #[must_use]
    pub const fn of(timeout: Duration) -> Self {
        Self {
            timeout,
            period: PERIOD,
        }
    }
}

/// Repeats a check until it returns a value.
///
/// # Errors
/// The check fails, or returns `None` until the timeout ([`Error::Timeout`]).
pub fn until<T, E: From<Error>>(
    event: &str,
    polling: Polling,
    mut check: impl FnMut() -> Result<Option<T>, E>,
) -> Result<T, E> {
    let start = Instant::now();
    loop {
        if let Some(found) = check()? {
            return Ok(found);
        }
        if start.elapsed() > polling.timeout {
            let (event, timeout) = (event.to_owned(), polling.timeout);
            return Err(Error::Timeout { event, timeout }.into());
        }
        pause(polling.period);
    }
}

/// Lets time pass where a fault has no particular state to meet. Never a way to wait for a state.
#[expect(
    clippy::disallowed_methods,
    reason = "the pause between two checks of the one bounded wait"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
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
            Ok::<_, Error>((checks == 3).then_some(checks))
        });
        assert_eq!(found.unwrap(), 3);
        let error = until("never", polling, || Ok::<Option<()>, Error>(None)).unwrap_err();
        assert!(error.to_string().ends_with("never"), "{error}");
    }
}
