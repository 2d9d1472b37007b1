//! The components of a host, which answer calls after a random time, and the runtime that starts
//! them after a random time.

use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::time::sleep;
use weft_lattice_config::App;
use weft_link::{
    AdmittedCall, CallServer, LinkFailure, LocalComponents, RejectedFrames, reply_frame,
};
use weft_node::controller::Controller;
use weft_node::fake_runtime::FakeRuntime;
use weft_node::runtime::{
    CodeCollection, CollectedCode, PrepareError, PreparedApp, Purpose, Runtime,
};
use weft_wire::{FailureCode, Frame, Request};

use super::watcher;
use crate::invariants;
use crate::mutations::Mutation;
use crate::rng::Rng;
use crate::shared::Shared;

/// The components of a host, as calls from other hosts reach them.
pub(super) struct Components {
    shared: Arc<Shared>,
    host: usize,
    /// Set once the host has started.
    controller: OnceLock<Controller>,
    executing: AtomicU32,
    rejected: Arc<RejectedFrames>,
}

/// A call that runs.
struct Executing<'a>(&'a AtomicU32);

/// A runtime that takes its time, as compiling does.
pub(super) struct SimulatedRuntime {
    shared: Arc<Shared>,
    host: usize,
    rng: Mutex<Rng>,
    fake: FakeRuntime,
}

impl Components {
    pub(super) fn new(shared: Arc<Shared>, host: usize) -> Self {
        Self {
            shared,
            host,
            controller: OnceLock::new(),
            executing: AtomicU32::new(0),
            rejected: Arc::default(),
        }
    }

    /// Serves the components that `controller` runs.
    pub(super) fn serve(&self, controller: Controller) {
        // A host has one controller.
        let _ = self.controller.set(controller);
    }

    fn runs(&self, app: &str, component: &str) -> bool {
        let snapshot = self.controller.get().map(Controller::snapshot);
        snapshot.is_some_and(|snapshot| snapshot.handler(app, component).is_some())
    }

    /// Admits a call, and returns how long it takes.
    fn admit_call(&self, request: &Request<'_>, number: u64) -> Result<Duration, FailureCode> {
        let target = &request.target;
        if !self.runs(target.app, target.component) {
            return Err(FailureCode::Unreachable);
        }
        let (shared, now) = (&self.shared, self.shared.now());
        let scenario = &shared.scenario;
        // After the last fault, no call takes longer than its deadline.
        let is_faulty = now < scenario.faults_end_at;
        let state = &mut *shared.state();
        let busy_percent = match (is_faulty, shared.options.mutation) {
            (true, _) => scenario.busy_percent,
            (false, Some(Mutation::StaysBusy)) => 50,
            (false, _) => 0,
        };
        let is_busy = state.call_rng.percent(busy_percent);
        let limit = scenario.sites[self.host].limit;
        if is_busy || self.executing.load(Ordering::Relaxed) >= limit {
            return Err(FailureCode::Busy);
        }
        let takes = state.call_rng.millis(1..=60);
        let is_slow = is_faulty && state.call_rng.percent(5);
        if shared.options.mutation == Some(Mutation::RepliesWithoutRunning) {
            return Ok(takes);
        }
        let call = state.call_log.call_mut(number);
        *call.runs.entry(self.host).or_default() += 1;
        Ok(if is_slow { takes * 20 } else { takes })
    }

    async fn run(&self, request: &Request<'_>) -> Result<Vec<u8>, LinkFailure> {
        let failure = |code| LinkFailure::new(code, "simulated");
        let number = <[u8; 8]>::try_from(request.payload);
        let number = number.map_err(|_| failure(FailureCode::Refused))?;
        let number = u64::from_le_bytes(number);
        let takes = self.admit_call(request, number).map_err(failure)?;
        self.executing.fetch_add(1, Ordering::Relaxed);
        let _executing = Executing(&self.executing);
        let checked = {
            let state = self.shared.state();
            let call = state.call_log.call(number);
            invariants::no_call_runs_twice(number, call)
                .and_then(|()| invariants::a_call_reported_not_run_did_not_run(number, call))
        };
        self.shared.check(checked);
        sleep(takes).await;
        if self.shared.options.mutation == Some(Mutation::RunsRejectedCalls) {
            return Err(failure(FailureCode::Busy));
        }
        Ok(request.payload.to_vec())
    }
}

impl Drop for Executing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl CallServer for Components {
    fn answer<'a>(&'a self, frame: &'a [u8]) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let Ok(Frame::Request(request)) = Frame::decode(frame) else {
                return None;
            };
            let outcome = self.run(&request).await;
            Some(reply_frame(&request, None, &outcome))
        })
    }

    fn receive(&self, _frame: &[u8]) {}

    fn admit(&self, _head: &Request<'_>) -> Result<Box<dyn AdmittedCall>, LinkFailure> {
        // The simulation makes small unary calls.
        let reason = "a call with streams or offloaded arguments";
        Err(LinkFailure::new(FailureCode::Refused, reason))
    }

    fn rejected(&self) -> &Arc<RejectedFrames> {
        &self.rejected
    }

    fn drop_expired(&self) {}
}

impl SimulatedRuntime {
    pub(super) fn new(shared: Arc<Shared>, host: usize, rng: Rng) -> Self {
        Self {
            shared,
            host,
            rng: Mutex::new(rng),
            fake: FakeRuntime::default(),
        }
    }

    fn pause(&self, millis: RangeInclusive<u64>) -> Duration {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        rng.millis(millis)
    }
}

#[async_trait]
impl Runtime for SimulatedRuntime {
    async fn prepare(
        &self,
        app: &App,
        share: &LocalComponents,
        purpose: Purpose,
    ) -> Result<Box<dyn PreparedApp>, PrepareError> {
        if self.shared.options.mutation == Some(Mutation::StopsBeforeHandover) {
            watcher::stops(&self.shared, self.host, &app.metadata.name);
        }
        sleep(self.pause(10..=700)).await;
        self.fake.prepare(app, share, purpose).await
    }

    async fn check(&self, app: &App) -> Result<(), PrepareError> {
        sleep(self.pause(1..=100)).await;
        self.fake.check(app).await
    }

    async fn collect_code(&self, _: CodeCollection) -> io::Result<CollectedCode> {
        Ok(CollectedCode::default())
    }

    fn instances_max(&self) -> u32 {
        self.fake.instances_max()
    }

    fn compilations(&self) -> u64 {
        self.fake.compilations()
    }

    fn prepares_ahead(&self) -> bool {
        false
    }
}
