//! The bounds of an endpoint: what the manifest says, and what holds where it says nothing.

use std::time::Duration;

use weft_lattice_config::{ComponentSpec, Instances};

use weft_ingress::limits::{body_bytes_max, deadline};

use crate::guest::StoreLimits;

/// A web handler of some megabytes, with room; a language runtime needs a limit of its own choice.
const MEMORY_BYTES_DEFAULT: u64 = 256 << 20;

/// Requests of one endpoint at once, if the pool has room for them.
const CONCURRENCY_DEFAULT: u32 = 1000;

/// The bounds of requests that enter at one component.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndpointSettings {
    /// From the first byte of the request to the last of the answer.
    pub(crate) deadline: Duration,
    /// Requests at once.
    pub(crate) concurrency_max: u32,
    /// Bytes of a request's body.
    pub(crate) body_bytes_max: u64,
    /// Whether an instance serves more than one request.
    pub(crate) reuse: Option<Reusable>,
}

/// How long an instance is reused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reusable {
    pub(crate) requests_max: u32,
    pub(crate) idle_max: Duration,
}

impl EndpointSettings {
    /// `memories` is what one instance takes of a pool with room for `pool_memories`.
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
                Instances::Reuse(reuse) => Some(Reusable {
                    requests_max: reuse.max_requests.get(),
                    idle_max: reuse.max_idle.get(),
                }),
            },
        }
    }
}

/// The bounds of a store that a component enters.
pub(crate) fn store_limits(spec: &ComponentSpec) -> StoreLimits {
    StoreLimits {
        memory_bytes_max: spec
            .limits
            .memory
            .map_or(MEMORY_BYTES_DEFAULT, |memory| memory.bytes()),
        cpu_max: spec.limits.cpu.map(|cpu| cpu.get()),
    }
}
