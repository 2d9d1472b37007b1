//! What a store may use: linear memory and processor time. Both bound all parts of a fused
//! component together, for a store cannot tell them apart.

use std::time::Duration;

use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::engine::EPOCH_TICK;

/// Entries of one table; the pool has no room for more.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// The bounds of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreLimits {
    /// Bytes of linear memory, of all its memories together.
    pub(crate) memory_bytes_max: u64,
    /// Processor time of one request, in steps of [`EPOCH_TICK`].
    pub(crate) cpu_max: Option<Duration>,
}

/// A guest came to a bound. Carried in the trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitExceeded {
    /// More memory than allowed.
    #[error("it asked for {wanted} bytes of memory; its limit is {limit} (`limits.memory`)")]
    Memory {
        /// What it would have had.
        wanted: u64,
        /// What it may have.
        limit: u64,
    },
    /// More processor time than allowed.
    #[error("it used {} ms of processor time; its limit is `limits.cpu`", limit.as_millis())]
    Cpu {
        /// What it may use.
        limit: Duration,
    },
}

/// Counts what a store uses.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: StoreLimits,
    memory_bytes: u64,
    ticks: u32,
    /// The last growth of memory that was refused: it explains the trap that mostly follows.
    refused: Option<LimitExceeded>,
}

impl Meter {
    pub(super) fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            memory_bytes: 0,
            ticks: 0,
            refused: None,
        }
    }

    /// Called once per epoch tick in which the guest was running.
    pub(super) fn tick(&mut self) -> Result<UpdateDeadline, LimitExceeded> {
        self.ticks = self.ticks.saturating_add(1);
        match self.limits.cpu_max {
            Some(limit) if EPOCH_TICK * self.ticks > limit => Err(LimitExceeded::Cpu { limit }),
            // Yielding lets the other requests of this thread run, and the deadline be seen.
            _ => Ok(UpdateDeadline::Yield(1)),
        }
    }

    /// A reused instance starts each request with its processor time unspent.
    pub(super) fn start_request(&mut self) {
        self.ticks = 0;
        self.refused = None;
    }

    pub(crate) fn refused(&self) -> Option<LimitExceeded> {
        self.refused
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        let wanted = self.memory_bytes.saturating_add(growth);
        if wanted > self.limits.memory_bytes_max {
            let limit = self.limits.memory_bytes_max;
            self.refused = Some(LimitExceeded::Memory { wanted, limit });
            return Ok(false);
        }
        self.memory_bytes = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_over_all_memories_of_a_store() {
        let mut meter = Meter::new(StoreLimits {
            memory_bytes_max: 100,
            cpu_max: None,
        });
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.memory_growing(0, 60, None).unwrap());
        assert_eq!(
            meter.refused(),
            Some(LimitExceeded::Memory {
                wanted: 120,
                limit: 100
            })
        );
        assert!(meter.memory_growing(60, 100, None).unwrap());
    }

    #[test]
    fn processor_time_is_bounded_per_request() {
        let limit = EPOCH_TICK * 2;
        let mut meter = Meter::new(StoreLimits {
            memory_bytes_max: 0,
            cpu_max: Some(limit),
        });
        assert!(meter.tick().is_ok() && meter.tick().is_ok());
        assert_eq!(meter.tick().err(), Some(LimitExceeded::Cpu { limit }));
        meter.start_request();
        assert!(meter.tick().is_ok());
    }
}
