//! The state behind a store: what all requests of an endpoint share ([`StoreTemplate`]), and what one instance
//! has of its own ([`GuestState`]).
//!
//! A fused component has several parts, and each keeps its own environment, output and providers;
//! what the host needs for a part is made when the part first asks for it, so a part that never does
//! costs nothing.

use std::sync::Arc;

use tokio::time::Instant;
use wasmtime::Store;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::WasiCliCtxView;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use weft_provider::config::Config;
use weft_provider::http::HttpClient;
use weft_provider::keyvalue::KeyValue;
use weft_provider::logging::Logging;

use super::limits::{LimitExceeded, Meter, StoreLimits};
use super::outgoing::Hooks;
use super::output::GuestOutput;
use crate::endpoint::RevisionSet;
use crate::engine::EngineKind;
use crate::links::Sessions;
use weft_telemetry::logs::GuestStream;

/// Handles that a guest may hold at once (buckets, streams, headers …).
const HANDLES_MAX: usize = 10_000;

/// What host functions may copy out of a guest in one call, in bytes: a bound on what one argument
/// makes the host allocate.
const HOSTCALL_FUEL: usize = 64 << 20;

/// What all instances of an endpoint have in common.
pub(crate) struct StoreTemplate {
    pub(crate) app: Arc<str>,
    /// The parts of the fused component, the endpoint first.
    pub(crate) parts: Vec<PartTemplate>,
    pub(crate) limits: StoreLimits,
}

/// What an instance is doing: one request, which may have come over links.
#[derive(Clone)]
pub(crate) struct Activity {
    /// When the request must be done, whoever asked.
    pub(crate) deadline: Instant,
    /// How many links led here.
    pub(crate) depth: u32,
    /// Whom it reaches over links.
    pub(crate) revision_set: Arc<RevisionSet>,
}

/// One part of a fused component.
pub(crate) struct PartTemplate {
    pub(crate) component: Arc<str>,
    pub(crate) env: Vec<(String, String)>,
    /// One per link: two links of a component may serve two buckets.
    pub(crate) keyvalue: Vec<Arc<dyn KeyValue>>,
    pub(crate) config: Option<Arc<dyn Config>>,
    pub(crate) logging: Option<Arc<dyn Logging>>,
    pub(crate) http: Option<Arc<dyn HttpClient>>,
}

/// What a store holds.
pub(crate) struct GuestState {
    template: Arc<StoreTemplate>,
    table: ResourceTable,
    meter: Meter,
    http: WasiHttpCtx,
    hooks: Hooks,
    /// Made at first use, one per part.
    wasi: Vec<Option<Box<WasiCtx>>>,
    /// None between two requests: an idle instance keeps no revision set alive.
    activity: Option<Activity>,
    sessions: Sessions,
}

impl GuestState {
    /// A store for a new instance.
    pub(crate) fn store(
        engine: &wasmtime::Engine,
        kind: EngineKind,
        template: &Arc<StoreTemplate>,
        activity: Activity,
    ) -> Store<Self> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let state = Self {
            template: template.clone(),
            table,
            meter: Meter::new(template.limits),
            http: WasiHttpCtx::new(),
            hooks: Hooks::default(),
            wasi: Vec::new(),
            activity: Some(activity),
            sessions: Sessions::default(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| Ok(context.data_mut().meter.tick()?));
        store.set_hostcall_fuel(HOSTCALL_FUEL);
        if kind == EngineKind::Synchronous {
            // The concurrent engine counts its own tasks among the handles.
            store.set_max_component_handles(HANDLES_MAX);
        }
        store
    }

    /// Called before each further request that an instance takes.
    pub(crate) fn start_request(&mut self, activity: Activity) {
        self.meter.start_request();
        self.activity = Some(activity);
    }

    /// Called after a request that came to its end.
    pub(crate) fn end_request(&mut self) {
        if let Some(activity) = self.activity.take() {
            self.sessions.end_request(&activity.revision_set);
        }
    }

    /// What the instance is doing; none between two requests.
    pub(crate) fn activity(&self) -> Option<&Activity> {
        self.activity.as_ref()
    }

    /// The instance's sessions with those that it is linked to.
    pub(crate) fn sessions(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    /// The bound that explains a trap, if there is one.
    pub(crate) fn refused(&self) -> Option<LimitExceeded> {
        self.meter.refused()
    }

    pub(crate) fn part(&self, part: usize) -> &PartTemplate {
        &self.template.parts[part]
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// WASI as the part sees it.
    pub(crate) fn wasi(&mut self, part: usize) -> WasiCtxView<'_> {
        if self.wasi.len() <= part {
            self.wasi.resize_with(self.template.parts.len(), || None);
        }
        let template = &self.template;
        let ctx = self.wasi[part].get_or_insert_with(|| Box::new(context_of(template, part)));
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }

    pub(crate) fn cli_of(&mut self, part: usize) -> WasiCliCtxView<'_> {
        let WasiCtxView { ctx, table } = self.wasi(part);
        WasiCliCtxView {
            ctx: ctx.cli(),
            table,
        }
    }

    /// `wasi:http` as the part sees it.
    pub(crate) fn http_of(&mut self, part: usize) -> WasiHttpCtxView<'_> {
        self.hooks
            .client
            .clone_from(&self.template.parts[part].http);
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

fn context_of(template: &StoreTemplate, part: usize) -> WasiCtx {
    let part = &template.parts[part];
    let output = |stream| GuestOutput::new(template.app.clone(), part.component.clone(), stream);
    let mut builder = WasiCtxBuilder::new();
    builder
        .envs(&part.env)
        .arg(&*part.component)
        .stdout(output(GuestStream::Stdout))
        .stderr(output(GuestStream::Stderr));
    builder.build()
}

// Interfaces without an identity (clocks, randomness, streams) use the first part's context.

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi(0)
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
