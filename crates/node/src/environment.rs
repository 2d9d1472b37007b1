//! The inputs of a host that differ from run to run: random seeds and the wall clock. A simulation
//! replaces them.

use std::fmt;
use std::sync::Arc;

use weft_telemetry::logs::now_ms;

/// Random seeds and the wall clock. Cheap to clone.
#[derive(Clone)]
pub struct Environment {
    seed: Arc<dyn Fn() -> u64 + Send + Sync>,
    now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Environment {
    /// An environment with these sources: of seeds, and of the time in milliseconds since the Unix
    /// epoch.
    #[must_use]
    pub fn new(
        seed: impl Fn() -> u64 + Send + Sync + 'static,
        now_ms: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self {
            seed: Arc::new(seed),
            now_ms: Arc::new(now_ms),
        }
    }

    /// A seed that differs from use to use.
    pub(crate) fn seed(&self) -> u64 {
        (self.seed)()
    }

    /// The wall clock, in milliseconds since the Unix epoch.
    pub(crate) fn now_ms(&self) -> u64 {
        (self.now_ms)()
    }
}

impl Default for Environment {
    /// The system's randomness and clock.
    fn default() -> Self {
        Self::new(system_seed, now_ms)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Environment")
            .finish_non_exhaustive()
    }
}

/// Without the system's randomness, choices are spread a little worse.
fn system_seed() -> u64 {
    let mut seed = [0; 8];
    let _ = getrandom::fill(&mut seed);
    u64::from_le_bytes(seed)
}
