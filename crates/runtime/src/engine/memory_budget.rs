//! The linear memory of all instances of a host together.
//!
//! The limit of one component, times its concurrency, is several times the memory of a machine
//! (256 MiB times 1,000 by default), and most instances use little of it. So no component reserves
//! memory: what instances have is counted, requests are turned away while it is nearly all, and no
//! instance grows beyond the rest.

use std::sync::atomic::{AtomicU64, Ordering};

/// The part of the machine's memory, in eighths, up to which requests are admitted.
const ADMISSION_EIGHTHS: u64 = 6;

/// The part of the machine's memory, in eighths, up to which instances grow. The rest is for the
/// host itself: code, buffers, providers in memory.
const GROWTH_EIGHTHS: u64 = 7;

/// The memory that instances have and may have.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    used: AtomicU64,
    admission_max: u64,
    growth_max: u64,
}

impl MemoryBudget {
    /// The budget of a machine with that much memory.
    pub(crate) fn of_memory(bytes: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            admission_max: bytes / 8 * ADMISSION_EIGHTHS,
            growth_max: bytes / 8 * GROWTH_EIGHTHS,
        }
    }

    /// True if a further instance may be created.
    pub(crate) fn has_room(&self) -> bool {
        self.used.load(Ordering::Relaxed) < self.admission_max
    }

    /// Bytes up to which requests are admitted.
    pub(crate) fn admission_max(&self) -> u64 {
        self.admission_max
    }

    /// Bytes up to which instances grow.
    pub(crate) fn growth_max(&self) -> u64 {
        self.growth_max
    }

    /// Counts the growth of an instance; false if there is no room for it.
    pub(crate) fn grow(&self, bytes: u64) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.growth_max;
        if !fits {
            self.release(bytes);
        }
        fits
    }

    /// Returns the memory of an instance.
    pub(crate) fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_turned_away_before_growth_is_denied() {
        let budget = MemoryBudget::of_memory(800);
        assert!(budget.grow(599) && budget.has_room());
        assert!(budget.grow(100) && !budget.has_room());
        assert!(!budget.grow(2), "only one byte is left");
        assert!(budget.grow(1));
        budget.release(700);
        assert!(budget.has_room() && budget.grow(700));
    }
}
