//! A fake [`Runtime`] for tests and simulations: it runs no component, and answers in its place.
//!
//! All else around it is real: a test deploys apps to it through the controller, the reconciler and
//! the in-process bus. A component answers requests with its name and the revision of its manifest,
//! so a test sees which revision serves.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_control::{CallReply, CallRequest, ErrorCode};
use weft_ingress::{Body, Handler, Overloaded, RequestBody};
use weft_lattice_config::{App, AppName};
use weft_link::{
    AdmittedCall, CallServer, LinkFailure, LinkReport, LocalComponents, Protocol, RejectedFrames,
};
use weft_provider::{ConfigProblem, LinkContext};
use weft_wire::FailureCode;

use crate::runtime::{
    BoundProviders, CallError, CodeCollection, CollectedCode, PrepareError, PrepareErrorKind,
    PreparedApp, Purpose, RunningApp, RunningComponent, Runtime,
};

/// The annotation of a manifest that the components of a [`FakeApp`] answer with.
pub const REVISION_ANNOTATION: &str = "revision";

/// The longest duration of a request, and the limits that [`FakeApp`] reports.
const DEADLINE: Duration = Duration::from_secs(30);
const BODY_BYTES_MAX: u64 = 1 << 20;
const CONCURRENCY_MAX: u32 = 100;
const INSTANCES_MAX: u32 = 1_000;

/// A runtime that runs nothing. Every app can be prepared, except for broken ones; the preparation
/// of a held one does not end.
#[derive(Debug, Default)]
pub struct FakeRuntime {
    state: Mutex<State>,
    held: watch::Sender<BTreeSet<AppName>>,
    /// Number of preparations in progress, by app.
    preparing: watch::Sender<BTreeMap<AppName, u64>>,
}

#[derive(Debug, Default)]
struct State {
    broken: BTreeSet<AppName>,
    /// Number of preparations of each app, failed ones included.
    prepared: BTreeMap<AppName, u64>,
}

/// A preparation in progress; it ends on drop.
struct Preparation<'a> {
    app: AppName,
    preparing: &'a watch::Sender<BTreeMap<AppName, u64>>,
}

/// A share of an app that a [`FakeRuntime`] has prepared.
struct FakePreparedApp {
    app: App,
    share: LocalComponents,
}

/// A share of an app that a [`FakeRuntime`] runs.
#[derive(Debug)]
pub struct FakeApp {
    app: App,
    share: LocalComponents,
    in_flight: AtomicU64,
}

/// A component that answers with its name and the revision of its manifest.
struct FakeHandler {
    name: String,
    revision: String,
}

/// A server of calls that runs no component: every call is unreachable.
#[derive(Debug, Default)]
pub struct FakeCallServer {
    rejected: Arc<RejectedFrames>,
}

// === impl FakeRuntime ===

impl FakeRuntime {
    /// Makes every further preparation of an app fail.
    pub fn break_app(&self, app: &AppName) {
        self.state().broken.insert(app.clone());
    }

    /// Ends [`break_app`](Self::break_app).
    pub fn repair_app(&self, app: &AppName) {
        self.state().broken.remove(app);
    }

    /// Keeps every further preparation of an app from ending.
    pub fn hold_app(&self, app: &AppName) {
        self.held.send_modify(|held| {
            held.insert(app.clone());
        });
    }

    /// Ends [`hold_app`](Self::hold_app).
    pub fn release_app(&self, app: &AppName) {
        self.held.send_modify(|held| {
            held.remove(app);
        });
    }

    /// Waits until a number of preparations of an app are in progress.
    pub async fn wait_for_preparations(&self, app: &AppName, number: u64) {
        let mut preparing = self.preparing.subscribe();
        let reached = preparing.wait_for(|preparing| {
            let found = preparing.get(app).copied();
            found.unwrap_or(0) == number
        });
        // The sender is in `self`.
        let _ = reached.await;
    }

    /// Number of preparations of an app, failed ones included.
    pub fn prepared(&self, app: &AppName) -> u64 {
        self.state().prepared.get(app).copied().unwrap_or(0)
    }

    fn refuse_broken(&self, app: &AppName) -> Result<(), PrepareError> {
        if self.state().broken.contains(app) {
            let reason = format!("app `{app}` is broken");
            return Err(PrepareError::new(PrepareErrorKind::Refused, reason));
        }
        Ok(())
    }

    async fn wait_until_released(&self, app: &AppName) {
        let mut held = self.held.subscribe();
        // The sender is in `self`.
        let _ = held.wait_for(|held| !held.contains(app)).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The code under the lock does not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Preparation<'a> {
    fn begin(app: &AppName, preparing: &'a watch::Sender<BTreeMap<AppName, u64>>) -> Self {
        preparing.send_modify(|preparing| *preparing.entry(app.clone()).or_default() += 1);
        let app = app.clone();
        Self { app, preparing }
    }
}

impl Drop for Preparation<'_> {
    fn drop(&mut self) {
        self.preparing.send_modify(|preparing| {
            preparing
                .entry(self.app.clone())
                .and_modify(|count| *count -= 1);
        });
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn prepare(
        &self,
        app: &App,
        share: &LocalComponents,
        _purpose: Purpose,
    ) -> Result<Box<dyn PreparedApp>, PrepareError> {
        let name = &app.metadata.name;
        *self.state().prepared.entry(name.clone()).or_default() += 1;
        let _preparation = Preparation::begin(name, &self.preparing);
        self.wait_until_released(name).await;
        self.refuse_broken(name)?;
        Ok(Box::new(FakePreparedApp {
            app: app.clone(),
            share: share.clone(),
        }))
    }

    async fn check(&self, app: &App) -> Result<(), PrepareError> {
        self.refuse_broken(&app.metadata.name)
    }

    async fn collect_code(&self, _: CodeCollection) -> io::Result<CollectedCode> {
        Ok(CollectedCode::default())
    }

    fn instances_max(&self) -> u32 {
        INSTANCES_MAX
    }

    fn compilations(&self) -> u64 {
        self.state().prepared.values().sum()
    }
}

// === impl FakePreparedApp ===

impl PreparedApp for FakePreparedApp {
    fn bind(
        self: Box<Self>,
        providers: &BoundProviders,
    ) -> Result<Arc<dyn RunningApp>, ConfigProblem> {
        let spec = &self.app.spec;
        for link in &spec.links {
            let mut components = spec.components.iter();
            let from = components.position(|component| component.name == link.from);
            let (true, Some(provider)) = (
                from.is_some_and(|from| self.share.has(from)),
                providers.get(link.to.as_str()),
            ) else {
                continue;
            };
            let interface = link.interface.to_string();
            let context = LinkContext {
                app: self.app.metadata.name.as_str(),
                component: link.from.as_str(),
                provider: link.to.as_str(),
                interface: &interface,
                link: link.name.as_ref().map(|name| name.as_str()),
            };
            provider.bind(&context, &link.config)?;
        }
        Ok(Arc::new(FakeApp {
            app: self.app,
            share: self.share,
            in_flight: AtomicU64::new(0),
        }))
    }
}

// === impl FakeApp ===

impl FakeApp {
    /// Sets the number of requests in flight that the app reports.
    pub fn set_in_flight(&self, count: u64) {
        self.in_flight.store(count, Ordering::Relaxed);
    }

    fn runs(&self, component: &str) -> bool {
        let components = self.app.spec.components.iter().enumerate();
        let mut here = components.filter(|(index, _)| self.share.has(*index));
        here.any(|(_, spec)| spec.name.as_str() == component)
    }
}

#[async_trait]
impl RunningApp for FakeApp {
    fn components(&self) -> Vec<RunningComponent> {
        let components = self.app.spec.components.iter().enumerate();
        let here = components.filter(|(index, _)| self.share.has(*index));
        let mut here: Vec<_> = here
            .map(|(_, spec)| RunningComponent {
                name: spec.name.to_string(),
                bytes: 0,
                fused: vec![spec.name.to_string()],
                is_loaded: true,
                in_flight: 0,
                requests: 0,
                traps: 0,
                memory_bytes_max: 0,
                deadline: DEADLINE,
                concurrency_max: CONCURRENCY_MAX,
            })
            .collect();
        here.sort_by(|one, other| one.name.cmp(&other.name));
        here
    }

    fn links(&self) -> &[LinkReport] {
        &[]
    }

    fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn drop_expired(&self) {}

    fn handler(&self, component: &str) -> Option<Arc<dyn Handler>> {
        let metadata = &self.app.metadata;
        let revision = metadata.annotations.get(REVISION_ANNOTATION);
        self.runs(component).then(|| {
            Arc::new(FakeHandler {
                name: format!("{}/{component}", metadata.name),
                revision: revision.cloned().unwrap_or_default(),
            }) as Arc<dyn Handler>
        })
    }

    fn protocol(&self, component: &str) -> Option<Protocol> {
        self.runs(component).then_some(Protocol::HttpP3)
    }

    async fn call(&self, request: &CallRequest) -> Result<CallReply, CallError> {
        let component = &request.component;
        if !self.runs(component) {
            return Err(CallError {
                code: ErrorCode::NotFound,
                help: None,
                source: format!("component `{component}` does not run here").into(),
            });
        }
        Ok(CallReply {
            result: Some(request.expression.clone()),
            elapsed_us: 0,
            times: None,
        })
    }
}

// === impl FakeHandler ===

impl Handler for FakeHandler {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn body_bytes_max(&self) -> u64 {
        BODY_BYTES_MAX
    }

    fn deadline(&self) -> Duration {
        DEADLINE
    }

    fn handle<'a>(
        &'a self,
        _request: Request<RequestBody>,
        _deadline: Instant,
        _tasks: &'a TaskTracker,
    ) -> BoxFuture<'a, Result<Response<Body>, Overloaded>> {
        let body = Bytes::from(format!("{} {}", self.name, self.revision));
        let body = Full::new(body).map_err(|never: Infallible| match never {});
        Box::pin(async { Ok(Response::new(body.boxed_unsync())) })
    }
}

// === impl FakeCallServer ===

#[async_trait]
impl CallServer for FakeCallServer {
    fn answer<'a>(&'a self, _frame: &'a [u8]) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(std::future::ready(None))
    }

    fn receive(&self, _frame: &[u8]) {}

    fn admit(&self, _head: &weft_wire::Request<'_>) -> Result<Box<dyn AdmittedCall>, LinkFailure> {
        Err(unreachable())
    }

    fn rejected(&self) -> &Arc<RejectedFrames> {
        &self.rejected
    }

    fn drop_expired(&self) {}
}

fn unreachable() -> LinkFailure {
    LinkFailure::new(FailureCode::Unreachable, "the fake host runs no component")
}
