//! How many calls may be sent a second time, in relation to those that are sent at all.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a retry costs, in the unit that calls pay in.
const RETRY_COST: u32 = 5;

/// What a call pays in: one retry for five calls, so that an overload is made a fifth worse at most.
const CALL_DEPOSIT: u32 = 1;

/// How many retries are saved up at most, and there at the start: as many as calls are in flight to a busy
/// host when it is lost, all of which want to go elsewhere at once.
pub const RETRIES_SAVED_MAX: u32 = 256;

const MAX: u32 = RETRIES_SAVED_MAX * RETRY_COST;

/// The retries that calls of one component have saved up.
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

    /// A call is made.
    pub(super) fn deposit(&self) {
        // Mostly it is full, and then nothing is written that other cores would have to read again. A race
        // loses or gains a fifth of a retry.
        let saved = self.saved.load(Ordering::Relaxed);
        if saved < MAX {
            self.saved.fetch_add(CALL_DEPOSIT, Ordering::Relaxed);
        }
    }

    /// A call is to be made again; says whether it may.
    pub(super) fn withdraw(&self) -> bool {
        let withdrawn = |saved: u32| saved.checked_sub(RETRY_COST);
        let updated = self
            .saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, withdrawn);
        updated.is_ok()
    }
}
