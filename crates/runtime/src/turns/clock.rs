//! The time at the precision of the engines' epochs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Milliseconds since the start of the engines, advanced by their clock thread.
#[derive(Debug, Default)]
pub(crate) struct CoarseClock {
    now: AtomicU64,
    is_precise: AtomicBool,
}

impl CoarseClock {
    /// Milliseconds since the start of the engines.
    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Advances the time. Only the clock thread does.
    pub(crate) fn set(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// Requests the precision of a slice, because a guest runs long.
    pub(super) fn request_precision(&self) {
        if !self.is_precise.load(Ordering::Relaxed) {
            self.is_precise.store(true, Ordering::Relaxed);
        }
    }

    /// True if a guest has requested precision since the last call.
    pub(crate) fn take_request(&self) -> bool {
        self.is_precise.load(Ordering::Relaxed) && self.is_precise.swap(false, Ordering::Relaxed)
    }
}
