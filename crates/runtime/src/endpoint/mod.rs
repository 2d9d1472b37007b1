//! Endpoints: deployed components that take requests and calls, each with the components fused to
//! it.
//!
//! - [`code_cache`]: the machine code of an endpoint, loaded on demand.
//! - [`instances`]: creation and reuse of instances.
//! - [`settings`]: limits of requests and stores.
//! - [`failure`]: failures of requests and calls.
//! - [`revision_set`]: the endpoints of one revision of an app.

mod code_cache;
mod failure;
mod instances;
mod revision_set;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::component::Component;
use weft_link::Protocol;

pub(crate) use self::code_cache::CodeCache;
pub(crate) use self::failure::Failure;
use self::instances::IdleInstances;
pub(crate) use self::instances::{Exports, Instance};
pub(crate) use self::revision_set::RevisionSet;
pub(crate) use self::settings::{EndpointSettings, ReusePolicy, store_limits};
use crate::engine::AppShare;
use crate::guest::StoreTemplate;
use crate::http::{ClientWaits, SharedInstances};
use crate::turns::{CoarseClock, InTurns};

/// A deployed component that takes requests and calls. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Endpoint {
    state: Arc<EndpointState>,
    /// The endpoints that its links lead to.
    revision_set: Arc<RevisionSet>,
}

/// The part of an endpoint that does not refer to other endpoints: a circle of links is not a
/// circle of references.
pub(crate) struct EndpointState {
    template: Arc<StoreTemplate>,
    settings: EndpointSettings,
    /// Size of the component's artifact, without the components fused to it.
    bytes: u64,
    code: CodeCache,
    idle: IdleInstances,
    /// The slots of the app in the instance pool.
    share: AppShare,
    /// Only if instances serve several requests at once.
    shared: Option<Arc<SharedInstances>>,
    client_waits: Arc<ClientWaits>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    in_flight: AtomicU64,
    requests: AtomicU64,
    traps: AtomicU64,
}

/// Numbers of requests and calls of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) in_flight: u64,
    pub(crate) requests: u64,
    pub(crate) traps: u64,
}

/// A permit to run one request; returned on drop.
pub(crate) struct Admission(Arc<EndpointState>);

impl EndpointState {
    pub(crate) fn new(
        template: StoreTemplate,
        settings: EndpointSettings,
        bytes: u64,
        code: CodeCache,
    ) -> Self {
        let idle = IdleInstances::new(settings.reuse);
        let shared = settings.reuse.filter(|reuse| reuse.concurrent_max > 1);
        let share = code.share(&template.app);
        let template = Arc::new(template);
        Self {
            template,
            settings,
            bytes,
            code,
            idle,
            share,
            shared: shared.map(|reuse| Arc::new(SharedInstances::new(reuse))),
            client_waits: Arc::default(),
            counters: Counters::default(),
        }
    }
}

impl Endpoint {
    /// True below the limit of concurrent requests.
    pub(crate) fn has_room(&self) -> bool {
        let in_flight = self.state.counters.in_flight.load(Ordering::Acquire);
        in_flight < u64::from(self.state.settings.concurrency_max)
    }

    /// The requests that may wait for their clients.
    pub(crate) fn client_waits(&self) -> &Arc<ClientWaits> {
        &self.state.client_waits
    }

    /// The time at the precision of the engines' epochs.
    pub(crate) fn clock(&self) -> &Arc<CoarseClock> {
        self.state.template.turns.clock()
    }

    /// Admits one more request.
    ///
    /// # Errors
    /// - [`Failure::Full`] if the limit of concurrent requests is reached.
    /// - [`Failure::MemoryFull`] if the host has no memory for another instance.
    pub(crate) fn admit(&self) -> Result<Admission, Failure> {
        let state = &self.state;
        let before = state.counters.in_flight.fetch_add(1, Ordering::AcqRel);
        let admission = Admission(state.clone());
        if before >= u64::from(state.settings.concurrency_max) {
            return Err(Failure::Full {
                limit: state.settings.concurrency_max,
            });
        }
        let memory = &state.template.memory;
        if !memory.has_room() && state.idle.is_empty() {
            return Err(Failure::MemoryFull {
                limit: memory.admission_max(),
            });
        }
        state.counters.requests.fetch_add(1, Ordering::Relaxed);
        Ok(admission)
    }

    /// The instances that serve several requests at once; `None` if none of them does.
    pub(crate) fn shared_instances(&self) -> Option<&Arc<SharedInstances>> {
        self.state.shared.as_ref()
    }

    pub(crate) fn component(&self) -> &str {
        &self.state.template.parts[0].component
    }

    pub(crate) fn app(&self) -> &str {
        &self.state.template.app
    }

    /// Runs a request or call of this endpoint in the turns of its app. For the root future of a
    /// task; what it calls in other stores counts with it.
    pub(crate) fn in_turns<F: Future>(&self, request: F) -> InTurns<F> {
        let template = &self.state.template;
        template.turns.run(&template.app, request)
    }

    pub(crate) fn template(&self) -> &Arc<StoreTemplate> {
        &self.state.template
    }

    pub(crate) fn settings(&self) -> &EndpointSettings {
        &self.state.settings
    }

    /// Size of the component's artifact, without the components fused to it.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.bytes
    }

    /// The HTTP interface that the component exports; `None` if it does not handle HTTP.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        self.state.code.recipe.protocol
    }

    /// The component; loads its code if necessary.
    ///
    /// # Errors
    /// [`Failure::NotLoaded`].
    pub(crate) async fn component_code(&self) -> Result<Component, Failure> {
        let code = self.state.code.get().await?;
        Ok(code.pre.instance_pre().component().clone())
    }

    /// True if the code is in memory.
    pub(crate) fn is_loaded(&self) -> bool {
        self.state.code.is_loaded()
    }

    pub(crate) fn counts(&self) -> Counts {
        let counters = &self.state.counters;
        Counts {
            in_flight: counters.in_flight.load(Ordering::Relaxed),
            requests: counters.requests.load(Ordering::Relaxed),
            traps: counters.traps.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count_trap(&self) {
        self.state.counters.traps.fetch_add(1, Ordering::Relaxed);
    }

    /// Drops instances and code that were idle for too long, and all idle instances if the host has
    /// no memory for others. Called about once a second.
    pub(crate) fn drop_expired(&self) {
        let idle_max = match self.state.template.memory.has_room() {
            true => None,
            false => Some(Duration::ZERO),
        };
        self.state.idle.drop_expired(idle_max);
        self.state.code.drop_if_idle();
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.counters.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
