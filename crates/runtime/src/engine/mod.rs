//! The two wasmtime engines of a host, their pool and their clock.
//!
//! - The **synchronous** engine runs graphs of plain functions (WASI 0.2): without the concurrent
//!   runtime, a call from the host costs about a third.
//! - The **concurrent** engine runs graphs with `async func`, `stream` or `future` (WASI 0.3).
//!
//! Each has a pooling allocator whose size depends on the machine ([`pool`]). The memory of all
//! instances has a budget ([`memory_budget`]), and apps share the slots of the pools
//! ([`pool_shares`]). One thread advances the epochs of both engines
//! ([`clock`]).

mod clock;
mod memory_budget;
mod pool;
mod pool_shares;

use std::sync::Arc;

use wasmtime::{Config, Engine, OptLevel};

use self::clock::Clock;
pub(crate) use self::memory_budget::MemoryBudget;
pub(crate) use self::pool::PoolSize;
pub use self::pool::machine_memory_bytes;
use self::pool_shares::PoolShares;
pub(crate) use self::pool_shares::{AppShare, Slots};
use crate::turns::{CoarseClock, Turns};

/// The stack of a fiber: [`WASM_STACK_BYTES`] and the need of host functions on top.
const ASYNC_STACK_BYTES: usize = 2 << 20;

/// The part of the stack that a guest may use; deeper recursion traps.
const WASM_STACK_BYTES: usize = 1 << 20;

/// The engine that a graph of components needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EngineKind {
    /// Plain functions only.
    Synchronous,
    /// `async func`, `stream` or `future` somewhere in the graph.
    Concurrent,
}

/// Both engines. Dropping this stops their clock.
#[derive(Debug)]
pub(crate) struct Engines {
    synchronous: Engine,
    concurrent: Engine,
    pool: PoolSize,
    turns: Turns,
    memory: Arc<MemoryBudget>,
    synchronous_shares: Arc<PoolShares>,
    concurrent_shares: Arc<PoolShares>,
    // For its `Drop`: the thread ends with the engines.
    _clock: Clock,
}

impl Engines {
    /// Creates both engines, each with a pool of that size.
    pub(crate) fn new(pool: PoolSize) -> wasmtime::Result<Self> {
        let synchronous = Engine::new(&config(EngineKind::Synchronous, &pool))?;
        let concurrent = Engine::new(&config(EngineKind::Concurrent, &pool))?;
        let coarse = Arc::new(CoarseClock::default());
        let clock = Clock::start([synchronous.clone(), concurrent.clone()], coarse.clone())?;
        Ok(Self {
            synchronous,
            concurrent,
            pool,
            turns: Turns::of_machine(coarse),
            memory: Arc::new(MemoryBudget::of_memory(pool.memory_bytes)),
            synchronous_shares: PoolShares::new(pool.instances),
            concurrent_shares: PoolShares::new(pool.instances),
            _clock: clock,
        })
    }

    pub(crate) fn get(&self, kind: EngineKind) -> &Engine {
        match kind {
            EngineKind::Synchronous => &self.synchronous,
            EngineKind::Concurrent => &self.concurrent,
        }
    }

    /// The turns of guests that run long.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// The slots of an app in the pool of an engine.
    pub(crate) fn share(&self, kind: EngineKind, app: &Arc<str>) -> AppShare {
        let shares = match kind {
            EngineKind::Synchronous => &self.synchronous_shares,
            EngineKind::Concurrent => &self.concurrent_shares,
        };
        shares.of_app(app)
    }

    /// The budget of the memory of all instances.
    pub(crate) fn memory(&self) -> &Arc<MemoryBudget> {
        &self.memory
    }

    pub(crate) fn pool(&self) -> &PoolSize {
        &self.pool
    }
}

fn config(kind: EngineKind, pool: &PoolSize) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(kind == EngineKind::Concurrent)
        .wasm_component_model_async(kind == EngineKind::Concurrent)
        .epoch_interruption(true)
        .async_stack_size(ASYNC_STACK_BYTES)
        .max_wasm_stack(WASM_STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // Off because guests of today do not use it, which reduces the attack surface.
        .wasm_memory64(false)
        // Two imports of one interface under two names: `import primary: shop:catalog/pricing`.
        .wasm_component_model_implements(true)
        .wasm_component_model_map(true)
        .allocation_strategy(pool.strategy());
    config
}
