//! A host as a target of calls: its load and health.
//!
//! Calls on many threads read and update endpoints without locks. Only the effects of a failure
//! take a lock, for some nanoseconds and never across an await.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outcome::Outcome;
use super::outlier_ejection::{CallFailure, Health, HealthClass};
use crate::HostId;
use crate::message::Load;
use crate::{Moment, Random};

/// A host that takes calls.
#[derive(Debug)]
pub(super) struct Endpoint {
    id: HostId,
    /// Number of calls in flight from this host.
    in_flight: AtomicU32,
    /// Number of calls from other hosts, as of its last heartbeat.
    other_calls: AtomicU32,
    /// Maximum number of calls.
    limit: AtomicU32,
    /// Copy of `health.class()`, readable without the lock.
    class: AtomicU8,
    health: Mutex<Health>,
}

/// Admission of a call to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Open to all calls.
    Open,
    /// Open to one call, as a probe.
    ProbeDue,
    /// Closed while other endpoints are available.
    Closed,
}

impl Endpoint {
    pub(super) fn new(id: HostId) -> Self {
        Self {
            id,
            in_flight: AtomicU32::new(0),
            other_calls: AtomicU32::new(0),
            limit: AtomicU32::new(0),
            class: AtomicU8::new(HealthClass::Healthy as u8),
            health: Mutex::new(Health::new()),
        }
    }

    pub(super) fn id(&self) -> HostId {
        self.id
    }

    /// Applies the published load. Calls from this host are counted more precisely here, so only
    /// the others are taken from it.
    pub(super) fn set_load(&self, load: Load) {
        let other_calls = load.running.saturating_sub(self.in_flight.load(Relaxed));
        self.other_calls.store(other_calls, Relaxed);
        self.limit.store(load.limit, Relaxed);
    }

    /// True if this endpoint is less utilized than another one, relative to their limits.
    pub(super) fn is_less_busy_than(&self, other: &Self) -> bool {
        let (own, own_limit) = self.utilization();
        let (others, other_limit) = other.utilization();
        own * other_limit < others * own_limit
    }

    pub(super) fn admission(&self, now: Moment) -> Admission {
        if self.class.load(Relaxed) != HealthClass::Ejected as u8 {
            return Admission::Open;
        }
        if self.health().is_due(now) {
            Admission::ProbeDue
        } else {
            Admission::Closed
        }
    }

    /// Reserves the single probe slot; false if it is taken.
    pub(super) fn begin_probe(&self, now: Moment) -> bool {
        self.health().begin_probe(now)
    }

    /// Releases the probe slot.
    pub(super) fn end_probe(&self) {
        self.health().end_probe();
    }

    /// Counts a sent call.
    pub(super) fn begin_call(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// Uncounts a call that has ended or was abandoned.
    pub(super) fn end_call(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Updates load and health by the outcome of a call.
    pub(super) fn on_outcome(&self, outcome: Outcome, now: Moment, random: &mut Random) {
        match outcome {
            Outcome::NoResponders => self.on_failure(now, CallFailure::NoResponders, random),
            Outcome::TimedOut => self.on_failure(now, CallFailure::TimedOut, random),
            Outcome::Answered => self.on_answer(now),
            Outcome::NotRun(code) => {
                if code == weft_wire::FailureCode::Busy {
                    // Counts as full until the next heartbeat.
                    self.other_calls.store(self.limit.load(Relaxed), Relaxed);
                }
                self.on_answer(now);
            }
            // Caused by the bus, or reported by the view more precisely than by a call.
            Outcome::NotBack | Outcome::NotSent | Outcome::BusLost | Outcome::Lost => {}
        }
    }

    fn on_answer(&self, now: Moment) {
        if self.class.load(Relaxed) == HealthClass::Healthy as u8 {
            return;
        }
        let mut health = self.health();
        health.on_answer(now);
        self.class.store(health.class() as u8, Relaxed);
    }

    fn on_failure(&self, now: Moment, failure: CallFailure, random: &mut Random) {
        let mut health = self.health();
        health.on_failure(now, failure, random);
        self.class.store(health.class() as u8, Relaxed);
    }

    /// Number of calls including one more, and their maximum.
    fn utilization(&self) -> (u64, u64) {
        let running =
            u64::from(self.in_flight.load(Relaxed)) + u64::from(self.other_calls.load(Relaxed)) + 1;
        // Below 2³⁴ and 2³², so products do not overflow.
        (running, self.limit.load(Relaxed).max(1).into())
    }

    /// Ignores poisoning: no code panics half-way through an update.
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A probe of an ejected host without a call. Releases its slot when dropped without an outcome.
#[derive(Debug)]
pub struct Probe {
    endpoint: Arc<Endpoint>,
}

impl Probe {
    /// Begins a probe of an endpoint, if one is due.
    pub(super) fn begin(endpoint: &Arc<Endpoint>, now: Moment) -> Option<Self> {
        let due = endpoint.admission(now) == Admission::ProbeDue && endpoint.begin_probe(now);
        let endpoint = endpoint.clone();
        due.then(|| Self { endpoint })
    }

    /// The host to probe.
    #[must_use]
    pub fn host(&self) -> HostId {
        self.endpoint.id()
    }

    /// Applies the outcome of the probe.
    pub fn outcome(self, outcome: Outcome, now: Moment, random: &mut Random) {
        self.endpoint.on_outcome(outcome, now, random);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.endpoint.end_probe();
    }
}
