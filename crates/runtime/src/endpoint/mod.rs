//! An endpoint: a component at which requests and calls come in, with all that is fused to it.
//!
//! [`code`] is its machine code, [`instances`] makes and keeps instances, [`failure`] says what can go
//! wrong with a request, [`revision_set`] joins the endpoints of an app that were made together.

mod code_cache;
mod failure;
mod instances;
mod revision_set;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::component::Component;

pub(crate) use self::code_cache::Code;
pub(crate) use self::failure::Failure;
use self::instances::IdleInstances;
pub(crate) use self::instances::{Exports, Instance};
pub(crate) use self::revision_set::RevisionSet;
pub(crate) use self::settings::{EndpointSettings, Reusable, store_limits};
use crate::guest::StoreTemplate;
use weft_link::Protocol;

/// A component that takes requests, among the endpoints that it is linked to.
#[derive(Clone)]
pub(crate) struct Endpoint {
    core: Arc<Core>,
    revision_set: Arc<RevisionSet>,
}

/// An endpoint without those it is linked to: endpoints do not hold each other, so links in a circle keep
/// nothing alive.
pub(crate) struct Core {
    template: Arc<StoreTemplate>,
    settings: EndpointSettings,
    /// The size of the component, without what is fused to it.
    bytes: u64,
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

/// What an endpoint has done so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) in_flight: u64,
    pub(crate) requests: u64,
    pub(crate) traps: u64,
}

/// The right to run one request, given back on drop.
pub(crate) struct Admission(Arc<Core>);

impl Core {
    pub(crate) fn new(
        template: StoreTemplate,
        settings: EndpointSettings,
        bytes: u64,
        code: Code,
    ) -> Self {
        let idle = IdleInstances::new(settings.reuse);
        let template = Arc::new(template);
        Self {
            template,
            settings,
            bytes,
            code,
            idle,
            counters: Counters::default(),
        }
    }
}

impl Endpoint {
    /// Admits one more request, unless as many run as may.
    pub(crate) fn admit(&self) -> Result<Admission, Failure> {
        let core = &self.core;
        let before = core.counters.in_flight.fetch_add(1, Ordering::AcqRel);
        let admission = Admission(core.clone());
        if before >= u64::from(core.settings.concurrency_max) {
            return Err(Failure::Full {
                limit: core.settings.concurrency_max,
            });
        }
        core.counters.requests.fetch_add(1, Ordering::Relaxed);
        Ok(admission)
    }

    pub(crate) fn component(&self) -> &str {
        &self.core.template.parts[0].component
    }

    pub(crate) fn app(&self) -> &str {
        &self.core.template.app
    }

    pub(crate) fn template(&self) -> &Arc<StoreTemplate> {
        &self.core.template
    }

    pub(crate) fn settings(&self) -> &EndpointSettings {
        &self.core.settings
    }

    /// The size of the component, without what is fused to it.
    pub(crate) fn bytes(&self) -> u64 {
        self.core.bytes
    }

    /// None for an endpoint that does not handle HTTP.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        self.core.code.recipe.protocol
    }

    /// The endpoint's component, loaded if it is not.
    ///
    /// # Errors
    /// [`Failure::NotLoaded`].
    pub(crate) async fn component_code(&self) -> Result<Component, Failure> {
        let code = self.core.code.get().await?;
        Ok(code.pre.instance_pre().component().clone())
    }

    /// Whether its code is in memory.
    pub(crate) fn is_loaded(&self) -> bool {
        self.core.code.is_loaded()
    }

    pub(crate) fn counts(&self) -> Counts {
        let counters = &self.core.counters;
        Counts {
            in_flight: counters.in_flight.load(Ordering::Relaxed),
            requests: counters.requests.load(Ordering::Relaxed),
            traps: counters.traps.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count_trap(&self) {
        self.core.counters.traps.fetch_add(1, Ordering::Relaxed);
    }

    /// Drops instances, and code, that were idle for too long. Called now and then.
    pub(crate) fn drop_expired(&self) {
        self.core.idle.drop_expired();
        self.core.code.drop_if_idle();
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.counters.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
