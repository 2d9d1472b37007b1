//! A host as calls see it: how busy it is, and whether it answers.
//!
//! Calls on many threads read and change peers without waiting for each other; only what follows a failure
//! takes a lock, for some nanoseconds and never across anything that waits.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outcome::Outcome;
use super::outlier_ejection::{CallFailure, Health, HealthClass};
use crate::HostId;
use crate::message::Load;
use crate::{Moment, Random};

/// A host that calls can be sent to.
#[derive(Debug)]
pub(super) struct Endpoint {
    id: HostId,
    /// How many calls of this host it has.
    in_flight: AtomicU32,
    /// How many others it had at its last heartbeat.
    other_calls: AtomicU32,
    /// How many it takes.
    limit: AtomicU32,
    /// A copy of the health's class, to be read without the lock.
    class: AtomicU8,
    health: Mutex<Health>,
}

/// Whether a call may go to a endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Open,
    /// It may as a probe.
    ProbeDue,
    /// It may not, while there is another way.
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

    /// Takes note of what the host said of its load. What it runs for this host is known better here.
    pub(super) fn set_load(&self, load: Load) {
        let other_calls = load.running.saturating_sub(self.in_flight.load(Relaxed));
        self.other_calls.store(other_calls, Relaxed);
        self.limit.store(load.limit, Relaxed);
    }

    /// Whether this is less busy than another one, each in relation to what it takes.
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

    /// Takes the one place for a probe; says whether it was free.
    pub(super) fn begin_probe(&self, now: Moment) -> bool {
        self.health().begin_probe(now)
    }

    /// Gives the place for a probe back.
    pub(super) fn end_probe(&self) {
        self.health().end_probe();
    }

    /// A call is sent there.
    pub(super) fn begin_call(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// A call that was sent there has ended, or nobody waits for it any more.
    pub(super) fn end_call(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Learns from how a call ended.
    pub(super) fn on_outcome(&self, outcome: Outcome, now: Moment, random: &mut Random) {
        match outcome {
            Outcome::NoResponders => self.on_failure(now, CallFailure::NoResponders, random),
            Outcome::TimedOut => self.on_failure(now, CallFailure::TimedOut, random),
            Outcome::Answered => self.on_answer(now),
            Outcome::NotRun(code) => {
                if code == weft_wire::FailureCode::Busy {
                    // Until its next heartbeat it counts as full.
                    self.other_calls.store(self.limit.load(Relaxed), Relaxed);
                }
                self.on_answer(now);
            }
            // The bus is at fault, or the view tells more of it than a call.
            Outcome::NotSent | Outcome::BusLost | Outcome::Lost => {}
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

    /// How many calls it would have with one more, and how many it takes.
    fn utilization(&self) -> (u64, u64) {
        let running =
            u64::from(self.in_flight.load(Relaxed)) + u64::from(self.other_calls.load(Relaxed)) + 1;
        // Below 2³⁴ and 2³², so products do not overflow.
        (running, self.limit.load(Relaxed).max(1).into())
    }

    /// Nothing that holds the lock can panic half-way, so a poisoned one holds a whole value.
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question to an ejected host whether it answers, instead of a call. Dropped without an outcome, it was not
/// asked.
#[derive(Debug)]
pub struct Probe {
    endpoint: Arc<Endpoint>,
}

impl Probe {
    /// A probe of a endpoint, if one is due.
    pub(super) fn begin(endpoint: &Arc<Endpoint>, now: Moment) -> Option<Self> {
        let due = endpoint.admission(now) == Admission::ProbeDue && endpoint.begin_probe(now);
        let endpoint = endpoint.clone();
        due.then(|| Self { endpoint })
    }

    /// Who is to be asked.
    #[must_use]
    pub fn host(&self) -> HostId {
        self.endpoint.id()
    }

    /// Whether it answered.
    pub fn outcome(self, outcome: Outcome, now: Moment, random: &mut Random) {
        self.endpoint.on_outcome(outcome, now, random);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.endpoint.end_probe();
    }
}
