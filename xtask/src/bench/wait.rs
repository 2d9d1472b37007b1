//! Waiting for what other processes do, with a bound.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to wait, and how often to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) bound: Duration,
    pub(super) period: Duration,
}

impl Patience {
    /// For what is not timed: looking rarely disturbs nobody.
    pub(super) const fn of(bound: Duration) -> Self {
        Self {
            bound,
            period: Duration::from_millis(20),
        }
    }
}

/// Looks until there is something, at most for the bound.
///
/// # Errors
///
/// If looking fails, or `what` did not happen in time.
pub(super) fn until<T>(
    what: &str,
    patience: Patience,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > patience.bound {
            bail!("{what}: not within {:?}", patience.bound);
        }
        pause(patience.period);
    }
}

/// Lets time pass where another process has no way to tell us.
pub(super) fn pause(duration: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    // Nothing is ever sent: only the time can run out.
    let _ = receiver.recv_timeout(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_there_is_something_or_the_bound_is_reached() {
        let patience = Patience {
            bound: Duration::from_millis(20),
            period: Duration::from_millis(1),
        };
        let mut looks = 0;
        let found = until("a third look", patience, || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(found.ok(), Some(3));
        let error = until::<()>("never", patience, || Ok(None)).expect_err("it never happens");
        assert!(error.to_string().starts_with("never"), "{error}");
    }
}
