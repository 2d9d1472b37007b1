//! The state of a store: [`GuestState`] belongs to one instance, [`StoreTemplate`] is shared by all
//! instances of an endpoint.
//!
//! Each part of a fused component has its own environment, output and providers. The WASI context
//! of a part is created on first use, so an unused one costs nothing.

use std::sync::Arc;

use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::cli::WasiCliCtxView;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use weft_provider::config::Config;
use weft_provider::http::HttpClient;
use weft_provider::keyvalue::KeyValue;
use weft_provider::logging::Logging;
use weft_telemetry::logs::GuestStream;

use super::host_bytes;
use super::limits::{LimitExceeded, Meter, StoreLimits};
use super::outgoing::HttpHooks;
use super::output::GuestOutput;
use crate::endpoint::RevisionSet;
use crate::engine::{EngineKind, MemoryBudget};
use crate::links::Sessions;
use crate::turns::Turns;

/// The most handles of a guest at once (buckets, streams, headers …).
const HANDLES_MAX: usize = 10_000;

/// The most bytes that host functions copy from a guest in one call: limits the memory that one
/// argument makes the host allocate. No link carries more.
const HOSTCALL_FUEL: usize = 64 << 20;

/// The same for stores of the concurrent engine, where an element of a list takes 40 bytes: enough
/// for lists of two million bytes.
const CONCURRENT_HOSTCALL_FUEL: usize = 128 << 20;

/// The same for HTTP handlers without links to components or buckets, which pass headers and pieces
/// of bodies at most.
const HTTP_HOSTCALL_FUEL: usize = 4 << 20;

/// The most random bytes of one call: a larger one of WASI 0.2 traps, one of 0.3 returns as many.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// The data that the host functions of a store copy, which decides how much one call may copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostcallData {
    /// Headers, and bodies in pieces.
    Http,
    /// Values of buckets, and arguments and results of links and calls by name.
    Values,
}

/// The state that all instances of an endpoint share.
pub(crate) struct StoreTemplate {
    pub(crate) app: Arc<str>,
    /// The parts of the fused component, the endpoint's own component first.
    pub(crate) parts: Vec<PartTemplate>,
    pub(crate) limits: StoreLimits,
    pub(crate) turns: Turns,
    /// The memory of all instances of the host.
    pub(crate) memory: Arc<MemoryBudget>,
    /// The data of its host functions, while it serves HTTP requests.
    pub(crate) hostcall_data: HostcallData,
}

/// The request that an instance serves, which may have come over links.
#[derive(Clone)]
pub(crate) struct Activity {
    /// The deadline of the request; not later than that of its caller.
    pub(crate) deadline: Instant,
    /// Number of links that the request has crossed.
    pub(crate) depth: u32,
    /// The endpoints that links lead to.
    pub(crate) revision_set: Arc<RevisionSet>,
}

/// One part of a fused component.
pub(crate) struct PartTemplate {
    pub(crate) component: Arc<str>,
    pub(crate) env: Vec<(String, String)>,
    /// One per link: a component may be linked to several providers of buckets.
    pub(crate) keyvalue: Vec<Arc<dyn KeyValue>>,
    pub(crate) config: Option<Arc<dyn Config>>,
    pub(crate) logging: Option<Arc<dyn Logging>>,
    pub(crate) http: Option<Arc<dyn HttpClient>>,
}

/// The state of one store.
pub(crate) struct GuestState {
    template: Arc<StoreTemplate>,
    table: ResourceTable,
    meter: Meter,
    http: WasiHttpCtx,
    hooks: HttpHooks,
    /// One per part, created on first use.
    wasi: Vec<Option<Box<WasiCtx>>>,
    /// `None` between two requests, so that an idle instance does not keep a revision set alive.
    activity: Option<Activity>,
    sessions: Sessions,
}

impl GuestState {
    /// Creates a store for a new instance.
    pub(crate) fn store(
        engine: &wasmtime::Engine,
        kind: EngineKind,
        template: &Arc<StoreTemplate>,
        data: HostcallData,
        activity: Activity,
    ) -> Store<Self> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let state = Self {
            template: template.clone(),
            table,
            meter: Meter::new(template.limits, template.memory.clone()),
            http: WasiHttpCtx::new(),
            hooks: HttpHooks::default(),
            wasi: Vec::new(),
            activity: Some(activity),
            sessions: Sessions::default(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| Ok(context.data_mut().tick()?));
        store.set_hostcall_fuel(match (data, kind) {
            (HostcallData::Http, _) => HTTP_HOSTCALL_FUEL,
            (HostcallData::Values, EngineKind::Synchronous) => HOSTCALL_FUEL,
            (HostcallData::Values, EngineKind::Concurrent) => CONCURRENT_HOSTCALL_FUEL,
        });
        // The concurrent engine counts its own tasks as handles.
        if kind == EngineKind::Synchronous {
            store.set_max_component_handles(HANDLES_MAX);
        }
        store
    }

    /// Checks the limits at an epoch tick in which the guest was running.
    fn tick(&mut self) -> Result<UpdateDeadline, LimitExceeded> {
        host_bytes::check(&mut self.table)?;
        let slice = self.template.turns.slice();
        self.meter.tick(slice)
    }

    /// Called before each request after the first.
    pub(crate) fn start_request(&mut self, activity: Activity) {
        self.meter.start_request();
        self.activity = Some(activity);
    }

    /// Called after each completed request.
    pub(crate) fn end_request(&mut self) {
        if let Some(activity) = self.activity.take() {
            self.sessions.end_request(&activity.revision_set);
        }
    }

    /// The request that the instance serves; `None` between two requests.
    pub(crate) fn activity(&self) -> Option<&Activity> {
        self.activity.as_ref()
    }

    /// The instance's sessions with the components that it is linked to.
    pub(crate) fn sessions(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    /// The denied growth of memory that may explain a trap.
    pub(crate) fn denied_growth(&self) -> Option<LimitExceeded> {
        self.meter.denied_growth()
    }

    pub(crate) fn part(&self, part: usize) -> &PartTemplate {
        &self.template.parts[part]
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// The WASI context of a part.
    pub(crate) fn wasi(&mut self, part: usize) -> WasiCtxView<'_> {
        if self.wasi.len() <= part {
            self.wasi.resize_with(self.template.parts.len(), || None);
        }
        let template = &self.template;
        let ctx = self.wasi[part].get_or_insert_with(|| Box::new(wasi_context(template, part)));
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

    /// The `wasi:http` context of a part.
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

fn wasi_context(template: &StoreTemplate, part: usize) -> WasiCtx {
    let part = &template.parts[part];
    let output = |stream| GuestOutput::new(template.app.clone(), part.component.clone(), stream);
    let mut builder = WasiCtxBuilder::new();
    builder
        .envs(&part.env)
        .arg(&*part.component)
        .stdout(output(GuestStream::Stdout))
        .stderr(output(GuestStream::Stderr))
        .max_random_size(RANDOM_BYTES_MAX);
    builder.build()
}

// Interfaces that are the same for all parts (clocks, randomness, streams) use the first part's
// context.

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
