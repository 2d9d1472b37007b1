//! The size of the instance pool, derived from the machine.

use wasmtime::{Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Assumed resident memory of a busy instance: enough for stack, data and heap of a small guest.
/// Determines the number of instances, not the memory that one may use.
const BYTES_PER_INSTANCE: u64 = 8 << 20;

/// Fewer would not be useful, even on a small machine.
const INSTANCES_MIN: u32 = 256;

/// More would exhaust the address space of 128 TiB: each memory slot reserves more than 4 GiB in
/// each of the two engines.
const INSTANCES_MAX: u32 = 4096;

/// A component built by common tools has a main module and two small ones, which resolve circular
/// imports.
const CORE_INSTANCES_PER_COMPONENT: u32 = 4;

/// Tables per component: the function table of the main module and that of the small ones.
const TABLES_PER_COMPONENT: u32 = 2;

/// Ample: the function table of a language runtime (`CPython`, `SpiderMonkey`) has some 20,000
/// elements.
const TABLE_ELEMENTS: usize = 100_000;

/// Memory of a slot that is reset by copying instead of being returned to the kernel: returning
/// costs a TLB shootdown on the other cores, some 40 % of a short request. Only touched pages are
/// reset (`PAGEMAP_SCAN`), so this bounds the resident memory of a free slot, not the cost of a
/// reset.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 4 << 20;

/// As [`MEMORY_KEEP_RESIDENT_BYTES`], for tables.
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// Number of freed slots that are returned to the kernel together: each at once. A slot that waits
/// keeps the memory of its dead instance, up to `limits.memory`, and nothing but further dead
/// instances would end the wait. Instances within [`MEMORY_KEEP_RESIDENT_BYTES`], which are those
/// of short requests, return nothing.
const DECOMMIT_BATCH: usize = 1;

/// The most free slots that stay affine to their module, so that its next instance finds warm
/// pages.
const WARM_SLOTS_MAX: u32 = 256;

/// The fewest of them, on a small machine.
const WARM_SLOTS_MIN: u32 = 16;

/// The part of the machine's memory that the free slots of one engine may keep.
const WARM_MEMORY_PART: u64 = 16;

/// Capacity of a host's instance pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolSize {
    /// Number of instances; each part of a fused component counts as one.
    pub(crate) instances: u32,
    /// The machine's memory, or the limit of the control group if that is lower.
    pub(crate) memory_bytes: u64,
}

impl PoolSize {
    /// The size for this machine.
    pub(crate) fn of_machine() -> Self {
        Self::of_memory(machine_memory_bytes())
    }

    /// The size for a machine with that much memory.
    pub(crate) fn of_memory(memory_bytes: u64) -> Self {
        let instances = u32::try_from(memory_bytes / BYTES_PER_INSTANCE).unwrap_or(u32::MAX);
        Self {
            instances: instances.clamp(INSTANCES_MIN, INSTANCES_MAX),
            memory_bytes,
        }
    }

    /// Number of tables.
    pub(crate) fn tables(self) -> u32 {
        self.instances * TABLES_PER_COMPONENT
    }

    /// Number of free slots that keep their touched pages.
    fn warm_slots(self) -> u32 {
        let slots = self.memory_bytes / WARM_MEMORY_PART / MEMORY_KEEP_RESIDENT_BYTES as u64;
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        slots.clamp(WARM_SLOTS_MIN, WARM_SLOTS_MAX)
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
            .max_unused_warm_slots(self.warm_slots())
            .decommit_batch_size(DECOMMIT_BATCH)
            .pagemap_scan(Enabled::Auto);
        InstanceAllocationStrategy::Pooling(pool)
    }
}

/// The lower of the machine's memory and the control group's limit; 2 GiB if neither can be read
/// (not Linux).
#[must_use]
pub fn machine_memory_bytes() -> u64 {
    let total = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| mem_total_bytes(&text));
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    match (total, limit) {
        (Some(total), Some(limit)) => total.min(limit),
        (Some(bytes), None) | (None, Some(bytes)) => bytes,
        (None, None) => 2 << 30,
    }
}

fn mem_total_bytes(meminfo: &str) -> Option<u64> {
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
    fn free_slots_keep_a_small_part_of_the_memory() {
        assert_eq!(PoolSize::of_memory(1 << 30).warm_slots(), WARM_SLOTS_MIN);
        assert_eq!(PoolSize::of_memory(8 << 30).warm_slots(), 128);
        assert_eq!(PoolSize::of_memory(1 << 40).warm_slots(), WARM_SLOTS_MAX);
    }

    #[test]
    fn the_total_is_read_from_meminfo() {
        assert_eq!(
            mem_total_bytes("MemTotal:       24576 kB\nMemFree: 1 kB\n"),
            Some(24576 * 1024)
        );
        assert_eq!(mem_total_bytes("nonsense"), None);
    }
}
