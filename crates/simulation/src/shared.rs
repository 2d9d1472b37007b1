//! The state that the tasks of a world share: what happened, and what was found.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::call_log::CallLog;
use crate::invariants::{Checked, Violation};
use crate::rng::{Purpose, Rng};
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::truth::HostTruth;
use crate::world::Options;

/// The shared state of a world. Its tasks run on one thread, one after another.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) scenario: Scenario,
    started: Instant,
    state: Mutex<State>,
    /// Notified at the first violation.
    pub(crate) failed: Notify,
}

pub(crate) struct State {
    pub(crate) trace: Trace,
    pub(crate) violation: Option<Violation>,
    pub(crate) call_log: CallLog,
    /// By host.
    pub(crate) truths: Vec<HostTruth>,
    pub(crate) call_rng: Rng,
    /// The hosts that have left after a drain, with the number of their start.
    pub(crate) left: Vec<(usize, u64)>,
    /// The processes that were superseded, with the number of their start.
    pub(crate) superseded: Vec<(usize, u64)>,
    /// The time of convergence after the last fault.
    pub(crate) converged_at: Option<Duration>,
    /// Number of messages that arrived.
    pub(crate) deliveries: u64,
}

impl Shared {
    pub(crate) fn new(seed: u64, options: Options, scenario: Scenario) -> Arc<Self> {
        let hosts = scenario.sites.len();
        let truths = (0..hosts).map(|_| HostTruth {
            heartbeats: vec![None; hosts],
            ..HostTruth::default()
        });
        Arc::new(Self {
            options,
            started: Instant::now(),
            state: Mutex::new(State {
                trace: Trace::new(options.keeps_trace),
                violation: None,
                call_log: CallLog::default(),
                truths: truths.collect(),
                call_rng: Rng::new(seed, Purpose::Calls),
                left: Vec::new(),
                superseded: Vec::new(),
                converged_at: None,
                deliveries: 0,
            }),
            failed: Notify::new(),
            scenario,
        })
    }

    /// The time since the start of the world.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn instant(&self, time: Duration) -> Instant {
        self.started + time
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trace(&self, line: &str) {
        let now = self.now();
        self.state().trace.line(now, line);
    }

    /// Records a violation; the first one ends the world.
    pub(crate) fn check(&self, checked: Checked) {
        if let Err(violation) = checked {
            self.state().violation.get_or_insert(violation);
            self.failed.notify_one();
        }
    }
}
