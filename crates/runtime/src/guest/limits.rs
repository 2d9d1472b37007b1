//! Limits of a store: linear memory and processor time. Each applies to all parts of a fused
//! component together, because a store does not distinguish its parts.

use std::time::Duration;

use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::engine::EPOCH_TICK;

/// Elements of one table: as many as the instance pool has room for.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// The limits of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreLimits {
    /// The most linear memory, of all memories of the store together.
    pub(crate) memory_bytes_max: u64,
    /// Processor time of one request, measured in steps of [`EPOCH_TICK`].
    pub(crate) cpu_max: Option<Duration>,
}

/// A guest exceeded a limit. Carried in the trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitExceeded {
    #[error(
        "the component needs {requested} bytes of memory, above its limit of {limit} (`limits.memory`)"
    )]
    Memory { requested: u64, limit: u64 },
    #[error(
        "the component exceeded its limit of {} ms of processor time (`limits.cpu`)",
        limit.as_millis()
    )]
    Cpu { limit: Duration },
}

/// Counts the memory and the processor time that a store uses.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: StoreLimits,
    memory_bytes: u64,
    ticks: u32,
    /// The last growth of memory that was denied, which explains the trap that usually follows.
    denied_growth: Option<LimitExceeded>,
}

impl Meter {
    pub(super) fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            memory_bytes: 0,
            ticks: 0,
            denied_growth: None,
        }
    }

    /// Counts an epoch tick in which the guest was running.
    pub(super) fn tick(&mut self) -> Result<UpdateDeadline, LimitExceeded> {
        self.ticks = self.ticks.saturating_add(1);
        match self.limits.cpu_max {
            Some(limit) if EPOCH_TICK * self.ticks > limit => Err(LimitExceeded::Cpu { limit }),
            // Yielding lets other requests on this thread run and the deadline take effect.
            _ => Ok(UpdateDeadline::Yield(1)),
        }
    }

    /// Resets the processor time, which counts per request.
    pub(super) fn start_request(&mut self) {
        self.ticks = 0;
        self.denied_growth = None;
    }

    pub(crate) fn denied_growth(&self) -> Option<LimitExceeded> {
        self.denied_growth
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
        let requested = self.memory_bytes.saturating_add(growth);
        if requested > self.limits.memory_bytes_max {
            let limit = self.limits.memory_bytes_max;
            self.denied_growth = Some(LimitExceeded::Memory { requested, limit });
            return Ok(false);
        }
        self.memory_bytes = requested;
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
            meter.denied_growth(),
            Some(LimitExceeded::Memory {
                requested: 120,
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
