//! Limits of a store: linear memory and processor time. Each applies to all parts of a fused
//! component together, because a store does not distinguish its parts.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::engine::MemoryBudget;
use crate::turns::Slice;

/// Elements of one table: as many as the instance pool has room for.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// The limits of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreLimits {
    /// The most linear memory, of all memories of the store together.
    pub(crate) memory_bytes_max: u64,
    /// Processor time of one request, by the coarse clock of the engines.
    pub(crate) cpu_max: Duration,
}

/// A guest exceeded a limit. Carried in the trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitExceeded {
    #[error(
        "the component needs {requested} bytes of memory, above its limit of {limit} (`limits.memory`)"
    )]
    Memory { requested: u64, limit: u64 },
    #[error(
        "the component needs {requested} bytes of memory, and the instances of its host have nearly \
         all of their {budget} bytes together"
    )]
    HostBudget { requested: u64, budget: u64 },
    #[error(
        "the handles of the component hold {held} bytes of the host's memory, above the limit of \
         {limit}: drop requests, bodies and headers that are no longer needed"
    )]
    HostMemory { held: u64, limit: u64 },
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
    budget: Arc<MemoryBudget>,
    memory_bytes: u64,
    /// Processor time of the request, and the coarse time up to which it is counted, in
    /// milliseconds.
    used: u64,
    counted_until: u64,
    /// The last growth of memory that was denied, which explains the trap that usually follows.
    denied_growth: Option<LimitExceeded>,
}

impl Meter {
    pub(super) fn new(limits: StoreLimits, budget: Arc<MemoryBudget>) -> Self {
        Self {
            limits,
            budget,
            memory_bytes: 0,
            used: 0,
            counted_until: 0,
            denied_growth: None,
        }
    }

    /// Counts the time for which the guest runs at a tick of the engines' clock, and interrupts it
    /// at the end of its slice.
    pub(super) fn tick(&mut self, slice: Slice) -> Result<UpdateDeadline, LimitExceeded> {
        let counted_until = self.counted_until.max(slice.entered);
        self.used += slice.now.saturating_sub(counted_until);
        self.counted_until = slice.now;
        let limit = self.limits.cpu_max;
        if Duration::from_millis(self.used) > limit {
            return Err(LimitExceeded::Cpu { limit });
        }
        if !slice.is_over() {
            // The tick is of a time at which the guest waited.
            return Ok(UpdateDeadline::Continue(1));
        }
        // The sockets have their turn before the guest goes on: a guest that woke itself would be
        // polled again before them.
        let others = Box::pin(tokio::task::yield_now());
        Ok(UpdateDeadline::YieldCustom(1, others))
    }

    /// Resets the processor time, which counts per request.
    pub(super) fn start_request(&mut self) {
        self.used = 0;
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
        if !self.budget.grow(growth) {
            let budget = self.budget.growth_max();
            self.denied_growth = Some(LimitExceeded::HostBudget { requested, budget });
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

impl Drop for Meter {
    fn drop(&mut self) {
        self.budget.release(self.memory_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(limits: StoreLimits) -> Meter {
        Meter::new(limits, Arc::new(MemoryBudget::of_memory(1000)))
    }

    #[test]
    fn memory_is_bounded_over_all_memories_of_a_store() {
        let mut meter = meter(StoreLimits {
            memory_bytes_max: 100,
            cpu_max: Duration::MAX,
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
    fn memory_is_bounded_over_all_stores_of_a_host() {
        let budget = Arc::new(MemoryBudget::of_memory(800));
        let limits = StoreLimits {
            memory_bytes_max: 500,
            cpu_max: Duration::MAX,
        };
        let mut meters = [(); 2].map(|()| Meter::new(limits, budget.clone()));
        assert!(meters[0].memory_growing(0, 400, None).unwrap());
        assert!(!meters[1].memory_growing(0, 400, None).unwrap());
        let denied = LimitExceeded::HostBudget {
            requested: 400,
            budget: 700,
        };
        assert_eq!(meters[1].denied_growth(), Some(denied));
        let [first, mut second] = meters;
        drop(first);
        assert!(second.memory_growing(0, 400, None).unwrap());
    }

    #[test]
    fn processor_time_is_bounded_per_request() {
        let limit = Duration::from_millis(10);
        let mut meter = meter(StoreLimits {
            memory_bytes_max: 0,
            cpu_max: limit,
        });
        let slice = |entered, now| Slice { entered, now };
        for now in [1005, 1006, 1010] {
            assert!(meter.tick(slice(1000, now)).is_ok(), "at {now}");
        }
        let exceeded = meter.tick(slice(1000, 1011));
        assert_eq!(exceeded.err(), Some(LimitExceeded::Cpu { limit }));
        meter.start_request();
        assert!(meter.tick(slice(1011, 1020)).is_ok());
    }

    #[test]
    fn time_for_which_a_guest_waits_is_not_counted() {
        let mut meter = meter(StoreLimits {
            memory_bytes_max: 0,
            cpu_max: Duration::from_millis(10),
        });
        for entered in [0, 5_000, 90_000] {
            let tick = meter.tick(Slice {
                entered,
                now: entered,
            });
            assert!(matches!(tick, Ok(UpdateDeadline::Continue(1))), "{entered}");
        }
    }
}
