//! Waiting for a state, with a bound. What is asked for is a state and not an event, so nothing is
//! missed between two looks.

use std::time::{Duration, Instant};

/// Longer than anything a test waits for takes on a slow machine that does other work as well; a test
/// that fails is the only one to wait so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks. Short, because many tests wait for something that is about to happen.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until `look` finds what it looks for.
///
/// # Panics
/// If it does not within `deadline`; with what `look` saw last.
pub fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        let seen = match look() {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        assert!(
            Instant::now() < end,
            "after {deadline:?} still not true: {what}\nlast seen: {seen}"
        );
        pause(PAUSE);
    }
}

/// Lets `moment` pass: for a blow that shall fall at no particular state. Never a way to wait for one.
pub fn after(moment: Duration) {
    pause(moment);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pause between two looks of the one bounded wait"
)]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
