//! Budget for repeated calls, in proportion to all calls.

use std::sync::atomic::{AtomicU32, Ordering};

/// Cost of a retry, in units of [`CALL_DEPOSIT`].
const RETRY_COST: u32 = 5;

/// Deposit of a call: one retry per five calls, so that retries worsen an overload by at most a
/// fifth.
const CALL_DEPOSIT: u32 = 1;

/// Maximum of saved retries, and their number at the start: the calls in flight to a busy host when
/// it is lost, all of which are then sent elsewhere at once.
pub const RETRIES_SAVED_MAX: u32 = 256;

const MAX: u32 = RETRIES_SAVED_MAX * RETRY_COST;

/// The saved retries of one component.
#[derive(Debug)]
pub(super) struct RetryBudget {
    saved: AtomicU32,
}

impl RetryBudget {
    pub(super) const fn full() -> Self {
        Self {
            saved: AtomicU32::new(MAX),
        }
    }

    /// Adds the deposit of a call.
    pub(super) fn deposit(&self) {
        // Usually the budget is full, and skipping the write saves other cores a cache miss. A race
        // loses or gains a fifth of a retry.
        let saved = self.saved.load(Ordering::Relaxed);
        if saved < MAX {
            self.saved.fetch_add(CALL_DEPOSIT, Ordering::Relaxed);
        }
    }

    /// Takes the cost of a retry; false if the budget is used up.
    pub(super) fn withdraw(&self) -> bool {
        let withdrawn = |saved: u32| saved.checked_sub(RETRY_COST);
        let updated = self
            .saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, withdrawn);
        updated.is_ok()
    }
}
