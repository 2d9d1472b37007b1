//! An entry: a component at which requests and calls come in, with all that is fused to it.
//!
//! [`code`] is its machine code, [`instances`] makes and keeps instances, [`failure`] says what can go wrong with a request.

mod code;
mod failure;
mod instances;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::component::Component;

pub(crate) use self::code::Code;
pub(crate) use self::failure::{Failure, chain};
use self::instances::IdleInstances;
pub(crate) use self::instances::{Exports, Instance};
pub(crate) use self::settings::{EntrySettings, Reusable, store_limits};
use crate::guest::Shape;
use crate::linking::Protocol;

/// A component that takes requests.
pub(crate) struct Entry {
    pub(crate) shape: Arc<Shape>,
    pub(crate) settings: EntrySettings,
    /// The size of the component, without what is fused to it.
    pub(crate) bytes: u64,
    code: Code,
    idle: IdleInstances,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    in_flight: AtomicU64,
    requests: AtomicU64,
    traps: AtomicU64,
}

/// What an entry has done so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) in_flight: u64,
    pub(crate) requests: u64,
    pub(crate) traps: u64,
}

/// The right to run one request, given back on drop.
pub(crate) struct Admission(Arc<Entry>);

impl Entry {
    pub(crate) fn new(shape: Shape, settings: EntrySettings, bytes: u64, code: Code) -> Self {
        let idle = IdleInstances::new(settings.reuse);
        let shape = Arc::new(shape);
        Self {
            shape,
            settings,
            bytes,
            code,
            idle,
            counters: Counters::default(),
        }
    }

    /// Admits one more request, unless as many run as may.
    pub(crate) fn admit(self: &Arc<Self>) -> Result<Admission, Failure> {
        let before = self.counters.in_flight.fetch_add(1, Ordering::AcqRel);
        let admission = Admission(self.clone());
        if before >= u64::from(self.settings.concurrency_max) {
            return Err(Failure::Full {
                limit: self.settings.concurrency_max,
            });
        }
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        Ok(admission)
    }

    pub(crate) fn component(&self) -> &str {
        &self.shape.parts[0].component
    }

    pub(crate) fn app(&self) -> &str {
        &self.shape.app
    }

    /// None for an entry that does not handle HTTP.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        self.code.recipe.protocol
    }

    /// The entry's component, loaded if it is not.
    ///
    /// # Errors
    /// [`Failure::NotLoaded`].
    pub(crate) async fn component_code(&self) -> Result<Component, Failure> {
        Ok(self.code.get().await?.instance_pre().component().clone())
    }

    /// Whether its code is in memory.
    pub(crate) fn is_loaded(&self) -> bool {
        self.code.is_loaded()
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            in_flight: self.counters.in_flight.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
            traps: self.counters.traps.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count_trap(&self) {
        self.counters.traps.fetch_add(1, Ordering::Relaxed);
    }

    /// Drops instances, and code, that were idle for too long. Called now and then.
    pub(crate) fn drop_expired(&self) {
        self.idle.drop_expired();
        self.code.drop_if_idle();
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.counters.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
