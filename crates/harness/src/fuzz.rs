//! Checks over thousands of seeds: a stable replacement for a fuzzer.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Checks one input for each seed: those that once failed, and a fixed series.
///
/// With `WEFT_FUZZ_SECONDS` set, it continues with other seeds for that time. A failure prints its
/// seed, which belongs into `found`.
///
/// # Panics
/// If a check panics, or the variable is not a number.
pub fn for_each_seed(found: &[u64], count: u64, check: impl Fn(u64)) {
    let run = |seed: u64| {
        let printed = PrintedOnPanic(seed);
        check(seed);
        drop(printed);
    };
    found.iter().copied().chain(0..count).for_each(run);

    let Some(duration) = extra() else { return };
    let start = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let first = now.expect("after 1970").as_nanos() as u64;
    (first..)
        .take_while(|_| start.elapsed() < duration)
        .for_each(run);
}

/// The duration after the fixed series.
fn extra() -> Option<Duration> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads this variable"
    )]
    let seconds = std::env::var("WEFT_FUZZ_SECONDS").ok()?;
    let seconds = seconds.parse().expect("WEFT_FUZZ_SECONDS is a number");
    Some(Duration::from_secs(seconds))
}

struct PrintedOnPanic(u64);

impl Drop for PrintedOnPanic {
    #[expect(clippy::print_stderr, reason = "a failed test prints its seed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}: add it to FOUND", self.0);
        }
    }
}
