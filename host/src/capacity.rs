//! The default capacity of a host for placement, from the machine that it runs on.

use std::num::NonZeroUsize;
use std::thread;

/// The memory of a replica of weight 1. A replica takes some 100 KiB while it is idle, and some
/// megabytes for each instance while it is busy; few of many are busy at once.
const BYTES_PER_WEIGHT: u64 = 2 << 20;

/// The weight that a core carries, by the same measure.
const WEIGHT_PER_CORE: u64 = 1024;

/// The capacity of this machine; the limits of a control group count as the machine's own.
pub(crate) fn of_machine() -> u64 {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    of(weft_runtime::machine_memory_bytes(), cores)
}

/// The capacity of a machine: at least 1.
fn of(memory_bytes: u64, cores: usize) -> u64 {
    let by_memory = memory_bytes / BYTES_PER_WEIGHT;
    let by_cores = WEIGHT_PER_CORE.saturating_mul(cores as u64);
    by_memory.min(by_cores).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_memory_and_cores_decides() {
        let cases = [
            ("a small pod", 256 << 20, 1, 128),
            ("a large pod of one core", 64 << 30, 1, 1024),
            ("a server", 64 << 30, 32, 32_768),
            ("hardly a machine", 1 << 20, 1, 1),
        ];
        for (machine, memory, cores, expected) in cases {
            assert_eq!(of(memory, cores), expected, "{machine}");
        }
    }
}
