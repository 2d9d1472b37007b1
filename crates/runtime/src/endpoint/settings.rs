//! Limits of an endpoint: the manifest's values, or their defaults.

use std::time::Duration;

use weft_ingress::limits::{body_bytes_max, deadline};
use weft_lattice_config::{ComponentSpec, Instances};

use crate::guest::StoreLimits;

/// Ample for a web handler of some megabytes. A component with a language runtime may need a higher
/// `limits.memory`.
const MEMORY_BYTES_DEFAULT: u64 = 256 << 20;

/// Processor time of one request: far above that of a request whose client waits for the response,
/// and a third of the deadline by default.
const CPU_DEFAULT: Duration = Duration::from_secs(10);

/// Concurrent requests of one endpoint, unless the instance pool has room for fewer.
const CONCURRENCY_DEFAULT: u32 = 1000;

/// Limits of the requests to one endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndpointSettings {
    /// From the first byte of the request to the last byte of the response.
    pub(crate) deadline: Duration,
    /// Concurrent requests.
    pub(crate) concurrency_max: u32,
    pub(crate) body_bytes_max: u64,
    /// `None` if each request gets a new instance.
    pub(crate) reuse: Option<ReusePolicy>,
}

/// Limits on the reuse of an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReusePolicy {
    pub(crate) requests_max: u32,
    pub(crate) idle_max: Duration,
    /// The most requests that an instance serves at once.
    pub(crate) concurrent_max: u32,
}

impl EndpointSettings {
    /// The settings of `spec`, where one instance takes `memories` of the `pool_memories` memories
    /// in the instance pool.
    pub(crate) fn of(spec: &ComponentSpec, memories: u32, pool_memories: u32) -> Self {
        let room = (pool_memories / memories.max(1)).clamp(1, CONCURRENCY_DEFAULT);
        Self {
            deadline: deadline(spec),
            concurrency_max: spec
                .limits
                .concurrency
                .map_or(room, std::num::NonZeroU32::get),
            body_bytes_max: body_bytes_max(spec),
            reuse: match spec.instances {
                Instances::PerRequest => None,
                Instances::Reuse(reuse) => Some(ReusePolicy {
                    requests_max: reuse.max_requests.get(),
                    idle_max: reuse.max_idle.get(),
                    concurrent_max: reuse.concurrent.get(),
                }),
            },
        }
    }
}

/// The limits of the component's store.
pub(crate) fn store_limits(spec: &ComponentSpec) -> StoreLimits {
    StoreLimits {
        memory_bytes_max: spec
            .limits
            .memory
            .map_or(MEMORY_BYTES_DEFAULT, |memory| memory.bytes()),
        cpu_max: spec.limits.cpu.map_or(CPU_DEFAULT, |cpu| cpu.get()),
    }
}
