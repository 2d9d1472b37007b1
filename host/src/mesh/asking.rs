//! Calls to other hosts: to whom each goes, and what becomes of it when that host does not answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use weft_lattice::bus::{Bus, RequestError};
use weft_lattice::membership::message::Readiness;
use weft_lattice::membership::{HostId, HostView, Liveness};
use weft_wire::{FailureCode, Frame};

use super::members::Known;
use super::subjects::Subjects;
use crate::links::LinkFailure;
use crate::links::wire::{Hosts, Outbound, late};

/// The most hosts that one call is offered to. What three siblings cannot take, a fourth hardly can, and the
/// importer's time runs.
const ATTEMPTS_MAX: usize = 4;

/// Finds hosts for calls, and sends them there.
pub(super) struct Asking {
    pub(super) bus: Bus,
    pub(super) subjects: Subjects,
    pub(super) known: watch::Receiver<Arc<Known>>,
    pub(super) me: HostId,
    /// Owns the tasks that send what nobody waits for.
    pub(super) tasks: TaskTracker,
}

/// What became of an attempt.
enum Attempt {
    /// The frame of a reply.
    Replied(Vec<u8>),
    /// Nothing of the call can have run there.
    NotRun(LinkFailure),
    /// It may have run.
    Unknown(LinkFailure),
}

#[async_trait]
impl Hosts for Asking {
    async fn exchange(
        &self,
        call: &Outbound,
        pinned: Option<HostId>,
    ) -> Result<(Vec<u8>, HostId), LinkFailure> {
        let to = &call.function.route.ends.to;
        if let Some(host) = pinned {
            return match self.attempt(call, host).await {
                Attempt::Replied(reply) => Ok((reply, host)),
                Attempt::NotRun(failure) | Attempt::Unknown(failure) => Err(failure),
            };
        }
        let mut tried = BTreeSet::new();
        let mut last = None;
        while tried.len() < ATTEMPTS_MAX
            && let Some(host) = self.choose(call, &tried)
        {
            tried.insert(host);
            match self.attempt(call, host).await {
                Attempt::Replied(reply) => match not_run(&reply) {
                    // A sibling may have room.
                    Some(failure) => last = Some(failure),
                    None => return Ok((reply, host)),
                },
                Attempt::NotRun(failure) => last = Some(failure),
                Attempt::Unknown(failure) => return Err(failure),
            }
        }
        Err(last.unwrap_or_else(|| {
            let reason = format!("`{to}`: no host that runs it is known");
            LinkFailure::new(FailureCode::Unreachable, reason)
        }))
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
    /// The host to try next: a live one that has the target ready, the least busy first.
    fn choose(&self, call: &Outbound, tried: &BTreeSet<HostId>) -> Option<HostId> {
        let ends = &call.function.route.ends;
        let known = self.known.borrow().clone();
        let has_target = |host: &&HostView| {
            let contents = host.contents.as_ref();
            contents.is_some_and(|contents| {
                contents.components.iter().any(|holding| {
                    *holding.component.app.as_str() == *ends.app
                        && *holding.component.component.as_str() == *ends.to
                        && holding.readiness == Readiness::Ready
                })
            })
        };
        let candidates = known.view.hosts().filter(|host| {
            host.id != self.me && host.is_alive() && !tried.contains(&host.id) && has_target(host)
        });
        let candidate = candidates.min_by_key(|host| {
            let is_suspected = host.liveness != Liveness::Live;
            (is_suspected, host.is_draining(), host.load.running)
        });
        candidate.map(|host| host.id)
    }

    async fn attempt(&self, call: &Outbound, host: HostId) -> Attempt {
        let to = &call.function.route.ends.to;
        let failed = |code, reason: &str| LinkFailure::new(code, format!("`{to}`: {reason}"));
        let Some(subject) = self.subjects.calls_of(host) else {
            return Attempt::NotRun(failed(FailureCode::Unreachable, "its host has no name"));
        };
        let frame = Bytes::copy_from_slice(&call.frame);
        match self.bus.request(&subject, frame, call.deadline).await {
            Ok(message) => Attempt::Replied(message.payload.to_vec()),
            Err(error @ RequestError::TooLarge { .. }) => {
                Attempt::NotRun(failed(FailureCode::Refused, &error.to_string()))
            }
            Err(RequestError::Deadline { .. }) if call.function.is_idempotent => {
                Attempt::NotRun(late(to))
            }
            Err(RequestError::Deadline { .. }) => Attempt::Unknown(late(to)),
            Err(error) if error.may_have_arrived() && !call.function.is_idempotent => {
                Attempt::Unknown(failed(FailureCode::MaybeExecuted, &error.to_string()))
            }
            Err(error) => Attempt::NotRun(failed(FailureCode::Unreachable, &error.to_string())),
        }
    }
}

/// The failure of a reply that says that the call did not run, and may be made elsewhere.
fn not_run(reply: &[u8]) -> Option<LinkFailure> {
    let Ok(Frame::Reply(reply)) = Frame::decode(reply) else {
        return None;
    };
    let failure = reply.outcome.err()?;
    let elsewhere = [FailureCode::Busy, FailureCode::Unreachable];
    elsewhere.contains(&failure.code()).then_some(failure)
}
