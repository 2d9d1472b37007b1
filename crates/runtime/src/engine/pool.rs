//! The size of the instance pool, from the machine.

use wasmtime::{Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// What one running instance is assumed to keep resident when it is busy: enough for a small guest's
/// stack, data and heap. It decides how many may run at once, not how much one may use.
const BYTES_PER_INSTANCE: u64 = 8 << 20;

/// Fewer would make a laptop useless.
const INSTANCES_MIN: u32 = 256;

/// More would exhaust the address space: each memory slot reserves more than 4 GiB of it, in each
/// of two engines, of 128 TiB.
const INSTANCES_MAX: u32 = 4096;

/// A component has a main module and, as tools make it, two small ones that tie knots.
const CORE_INSTANCES_PER_COMPONENT: u32 = 4;

/// Tables per component: its function table, and the one of the knot.
const TABLES_PER_COMPONENT: u32 = 2;

/// The function table of a language runtime (`CPython`, `SpiderMonkey`) has some 20,000 entries.
const TABLE_ELEMENTS: usize = 100_000;

/// Memory that is reset by copying instead of being given back to the kernel: giving back costs a
/// shootdown of the other cores' address caches, some 40 % of a short request. Only pages that were
/// touched are reset (`PAGEMAP_SCAN`), so this bounds what a free slot keeps, not what a reset costs.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 4 << 20;

/// The same for tables.
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// How many freed slots are given back to the kernel together.
const DECOMMIT_BATCH: usize = 32;

/// A free slot stays affine to its module so that the next instance of it finds its pages warm.
const WARM_SLOTS_MAX: u32 = 256;

/// How many instances a host has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolSize {
    /// Component parts that may be instantiated at once (a fused component counts its parts).
    pub(crate) instances: u32,
    /// The machine's memory, or the limit of the control group if that is lower; in bytes.
    pub(crate) memory_bytes: u64,
}

impl PoolSize {
    /// From the machine's memory and the limit of this process's control group.
    pub(crate) fn of_machine() -> Self {
        Self::of_memory(machine_memory_bytes())
    }

    /// For a machine with that much memory.
    pub(crate) fn of_memory(memory_bytes: u64) -> Self {
        let wanted = u32::try_from(memory_bytes / BYTES_PER_INSTANCE).unwrap_or(u32::MAX);
        Self {
            instances: wanted.clamp(INSTANCES_MIN, INSTANCES_MAX),
            memory_bytes,
        }
    }

    /// Tables there is room for.
    pub(crate) fn tables(self) -> u32 {
        self.instances * TABLES_PER_COMPONENT
    }

    pub(super) fn strategy(self) -> InstanceAllocationStrategy {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(self.instances)
            .total_core_instances(self.instances * CORE_INSTANCES_PER_COMPONENT)
            .total_memories(self.instances)
            .total_tables(self.tables())
            .total_stacks(self.instances)
            .table_elements(TABLE_ELEMENTS)
            .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES)
            .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
            .max_unused_warm_slots(WARM_SLOTS_MAX)
            .decommit_batch_size(DECOMMIT_BATCH)
            .pagemap_scan(Enabled::Auto);
        InstanceAllocationStrategy::Pooling(pool)
    }
}

/// The lower of the machine's memory and the control group's limit; a guess of 2 GiB if neither can
/// be read (not Linux).
fn machine_memory_bytes() -> u64 {
    let total = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total_of(&text));
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    match (total, limit) {
        (Some(total), Some(limit)) => total.min(limit),
        (Some(bytes), None) | (None, Some(bytes)) => bytes,
        (None, None) => 2 << 30,
    }
}

fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_grows_with_the_machine_between_its_bounds() {
        assert_eq!(PoolSize::of_memory(1 << 30).instances, INSTANCES_MIN);
        assert_eq!(PoolSize::of_memory(8 << 30).instances, 1024);
        assert_eq!(PoolSize::of_memory(1 << 40).instances, INSTANCES_MAX);
    }

    #[test]
    fn the_total_is_read_from_meminfo() {
        assert_eq!(
            total_of("MemTotal:       24576 kB\nMemFree: 1 kB\n"),
            Some(24576 * 1024)
        );
        assert_eq!(total_of("nonsense"), None);
    }
}
