//! Runs of many worlds, one per seed, on all cores.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

use crate::world::{Options, Outcome, Size, run};

/// The outcomes of many worlds.
#[derive(Debug, Default)]
pub struct Summary {
    /// Number of worlds.
    pub worlds: u64,
    /// The outcomes with a violated invariant, by seed.
    pub failed: Vec<Outcome>,
    /// The sum of all sizes; of the times, the longest.
    pub total: Size,
}

/// The number of failures after which no further seeds run.
const FAILURES_MAX: usize = 20;

/// Runs the world of each seed.
///
/// # Errors
/// An error of the operating system, if no runtime or directory can be created.
pub fn run_all(seeds: Range<u64>, options: Options) -> Result<Summary> {
    let next = AtomicU64::new(seeds.start);
    let summary = Mutex::new(Ok(Summary::default()));
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || !add_outcome(&summary, run(seed, options)) {
                        return;
                    }
                }
            });
        }
    });
    let summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.map(|mut summary| {
        summary.failed.sort_by_key(|outcome| outcome.seed);
        summary
    })
}

/// Adds an outcome. Returns whether to continue.
fn add_outcome(summary: &Mutex<Result<Summary>>, outcome: Result<Outcome>) -> bool {
    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            *summary = Err(error);
            return false;
        }
    };
    let Ok(summary) = &mut *summary else {
        return false;
    };
    summary.worlds += 1;
    let (total, size) = (&mut summary.total, outcome.size);
    total.hosts += size.hosts;
    total.faults += size.faults;
    total.calls += size.calls;
    total.messages += size.messages;
    total.lasted = total.lasted.max(size.lasted);
    total.converged_after = total.converged_after.max(size.converged_after);
    if outcome.violation.is_some() {
        summary.failed.push(outcome);
    }
    summary.failed.len() < FAILURES_MAX
}
