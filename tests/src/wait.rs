//! Waiting for a state, with a bound.

use std::time::Duration;

use weft_harness::{Error, Polling, until};

/// Longer than anything a test waits for takes on a slow machine that does other work as well; a test
/// that fails is the only one to wait so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Repeats a check until it succeeds.
///
/// # Panics
/// If it does not within `deadline`; with its last error.
pub fn eventually<T>(
    event: &str,
    deadline: Duration,
    mut check: impl FnMut() -> Result<T, String>,
) -> T {
    let mut last = String::new();
    let found = until(event, Polling::of(deadline), || match check() {
        Ok(found) => Ok::<_, Error>(Some(found)),
        Err(seen) => {
            last = seen;
            Ok(None)
        }
    });
    found.unwrap_or_else(|error| panic!("{error}\nlast seen: {last}"))
}
