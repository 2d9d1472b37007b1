//! Calls to other hosts: to whom each goes (`lattice::routing` decides), and what becomes of it when that
//! host does not answer.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_lattice::Random;
use weft_lattice::bus::{Bus, RequestError};
use weft_lattice::membership::HostId;
use weft_lattice::membership::message::ComponentId;
use weft_lattice::routing::{Attempt, Call, Decision, Outcome, Repeat, Route, Table};
use weft_wire::FailureCode;

use super::clock::Clock;
use super::conversing::Conversing;
use super::subjects::Subjects;
use crate::links::LinkFailure;
use crate::links::wire::{Hosts, Opening, Outbound, Told, code_of};

/// Finds hosts for calls, and sends them there.
pub(super) struct Asking {
    pub(super) bus: Bus,
    pub(super) subjects: Subjects,
    pub(super) table: watch::Receiver<Arc<Table>>,
    pub(super) clock: Clock,
    /// Owns the tasks that send what nobody waits for.
    pub(super) tasks: TaskTracker,
    /// Calls with streams.
    pub(super) conversing: Conversing,
}

#[async_trait]
impl Hosts for Asking {
    async fn exchange(
        &self,
        call: &Outbound,
        pinned: Option<HostId>,
    ) -> Result<(Vec<u8>, HostId), LinkFailure> {
        let deadline = self.clock.moment(call.deadline);
        if let Some(host) = pinned {
            let until = deadline;
            return match self.attempt(call, Attempt { host, until }).await {
                (Outcome::Answered | Outcome::NotRun(_), Some(reply)) => Ok((reply, host)),
                (outcome, _) => Err(failure(call, code_of_pinned(outcome))),
            };
        }
        let Some(mut route) = self.route(call) else {
            return Err(failure(call, FailureCode::Unreachable));
        };
        // What the last host said of it, if it was not sent on after that.
        let mut last = None;
        loop {
            match route.next(self.clock.now()) {
                Decision::Send(attempt) => {
                    let (outcome, reply) = self.attempt(call, attempt).await;
                    route.outcome(outcome, self.clock.now());
                    match (outcome, reply) {
                        (Outcome::Answered, Some(reply)) => return Ok((reply, attempt.host)),
                        (_, reply) => last = reply.map(|reply| (reply, attempt.host)),
                    }
                }
                Decision::GiveUp(code) => {
                    return last
                        .filter(|(reply, _)| code_of(reply) == Some(code))
                        .ok_or_else(|| failure(call, code));
                }
            }
        }
    }

    async fn converse(&self, opening: Opening, answer: Told) {
        self.conversing.converse(opening, answer).await;
    }

    async fn tell(&self, host: HostId, frame: Vec<u8>, deadline: Instant) {
        let Some(subject) = self.subjects.calls_of(host) else {
            return;
        };
        let told = self
            .bus
            .request(&subject, Bytes::from(frame), deadline)
            .await;
        if let Err(error) = told {
            // What the handle was of goes with its session, at the latest.
            tracing::debug!(%error, "another host may not have been told something");
        }
    }

    fn note(&self, host: HostId, frame: Vec<u8>) {
        let Some(subject) = self.subjects.calls_of(host) else {
            return;
        };
        let bus = self.bus.clone();
        self.tasks.spawn(async move {
            if let Err(error) = bus.publish(&subject, None, Bytes::from(frame)).await {
                // A session ends by its lease if its end is not heard.
                tracing::debug!(%error, "a note to another host was not sent");
            }
        });
    }
}

impl Asking {
    /// The way of a call; none if nobody is known who could take it.
    fn route(&self, call: &Outbound) -> Option<Route> {
        let ends = &call.function.route.ends;
        let target = ComponentId {
            app: ends.app.parse().ok()?,
            component: ends.to.parse().ok()?,
        };
        let table = self.table.borrow().clone();
        let candidates = table.any(&target)?.clone();
        let call = Call {
            deadline: self.clock.moment(call.deadline),
            repeat: match call.function.is_idempotent {
                true => Repeat::Idempotent,
                false => Repeat::Never,
            },
        };
        Some(Route::new(
            candidates,
            call,
            Random::from_seed(random_seed()),
        ))
    }

    /// Sends a call once. A reply is there if the host answered, whatever it said.
    async fn attempt(&self, call: &Outbound, attempt: Attempt) -> (Outcome, Option<Vec<u8>>) {
        let Some(subject) = self.subjects.calls_of(attempt.host) else {
            return (Outcome::NoResponders, None);
        };
        let frame = Bytes::copy_from_slice(&call.frame);
        let until = self.clock.instant(attempt.until).min(call.deadline);
        match self.bus.request(&subject, frame, until).await {
            Ok(message) => {
                let reply = message.payload.to_vec();
                let outcome = code_of(&reply).map_or(Outcome::Answered, Outcome::of_failure);
                (outcome, Some(reply))
            }
            Err(RequestError::NoResponders { .. }) => (Outcome::NoResponders, None),
            Err(RequestError::Deadline { .. }) => (Outcome::TimedOut, None),
            Err(RequestError::ConnectionLost { .. }) => (Outcome::Lost, None),
            Err(RequestError::TooLarge { .. }) => (Outcome::NotRun(FailureCode::Refused), None),
            Err(RequestError::Disconnected | RequestError::TooMany) => (Outcome::NotSent, None),
        }
    }
}

/// What a call to the one host that it may go to comes to.
fn code_of_pinned(outcome: Outcome) -> FailureCode {
    match outcome {
        Outcome::Answered | Outcome::Lost => FailureCode::MaybeExecuted,
        Outcome::NotRun(code) => code,
        Outcome::NoResponders | Outcome::NotSent => FailureCode::Unreachable,
        Outcome::TimedOut => FailureCode::Deadline,
    }
}

/// Why a call has no reply.
fn failure(call: &Outbound, code: FailureCode) -> LinkFailure {
    LinkFailure::new(code, why(&call.function.route.ends.to, code))
}

/// Why a call of `to` has no reply, in words.
pub(super) fn why(to: &str, code: FailureCode) -> String {
    let reason = match code {
        FailureCode::Unreachable => "no host that runs it can be reached",
        FailureCode::Busy => "every host that runs it is busy",
        FailureCode::Deadline => "no host that runs it answered in time",
        FailureCode::Refused => "it cannot be sent to a host that runs it",
        FailureCode::Trapped => "it trapped",
        FailureCode::MaybeExecuted => "its host was lost before it answered",
    };
    format!("`{to}`: {reason}")
}

/// A seed that differs from call to call. Without the system's randomness, calls are spread a little worse.
pub(super) fn random_seed() -> u64 {
    let mut seed = [0; 8];
    let _ = getrandom::fill(&mut seed);
    u64::from_le_bytes(seed)
}
