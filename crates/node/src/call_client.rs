//! Calls to other hosts: what becomes of each when the host that it was sent to ([`ways`](crate::call_routing)) does not
//! answer. Arguments and results that are larger than a message are fetched
//! ([`large`](crate::claim_check)).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use weft_bus::{Bus, RequestError};
use weft_membership::HostId;
use weft_membership::routing::Outcome;
use weft_wire::{Envelope, FailureCode, Frame, Kind};

use crate::call_routing::{Wanted, Ways};
use crate::claim_check::{KeepError, Kept, Large, TakeError};
use crate::liveness::gone;
use crate::membership_task::Known;
use crate::stream_client::Conversing;
use crate::subjects::Subjects;
use weft_link::{Exchange, Hosts, Opening, Outbound, Told, code_of};
use weft_link::{LinkFailure, boxed};
use weft_telemetry::chain;

/// How long an answer is still waited for when its host is known to be gone: what it sent at its end may be
/// on its way, by another connection than the news.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Finds hosts for calls, and sends them there.
pub(super) struct Asking {
    pub(super) bus: Bus,
    pub(super) subjects: Subjects,
    pub(super) ways: Ways,
    pub(super) known: watch::Receiver<Arc<Known>>,
    pub(super) large: Large,
    /// Owns the tasks that send what nobody waits for.
    pub(super) tasks: TaskTracker,
    /// Calls with streams.
    pub(super) conversing: Conversing,
}

/// How the frame of a call goes.
enum Sending {
    Whole(Bytes),
    /// It is larger than a message.
    Held(Kept),
}

/// How an attempt ended. There is a reply if the host answered, whatever it said.
struct Attempted {
    outcome: Outcome,
    reply: Option<Bytes>,
}

#[async_trait]
impl Hosts for Asking {
    fn exchange<'a>(&'a self, call: &'a Outbound, pinned: Option<HostId>) -> Exchange<'a> {
        Box::into_pin(boxed(move || self.call(call, pinned)))
    }

    async fn converse(&self, opening: Opening, answer: Told) {
        self.conversing.converse(opening, answer).await;
    }

    async fn tell(&self, host: HostId, frame: Vec<u8>, deadline: Instant) {
        if let Err(outcome) = self.ask(host, frame.into(), deadline).await {
            // What the handle was of goes with its session, at the latest.
            tracing::debug!(?outcome, "another host may not have been told something");
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
    /// Sends a call where it can go, until a host has answered it.
    ///
    /// # Errors
    /// If none does in time, or there is none to ask.
    async fn call(
        &self,
        call: &Outbound,
        pinned: Option<HostId>,
    ) -> Result<(Bytes, HostId), LinkFailure> {
        let sending = self.sending(call)?;
        if let Some(host) = pinned {
            let attempted = self.attempt(call, &sending, host, call.deadline).await?;
            return match (attempted.outcome, attempted.reply) {
                (Outcome::Answered | Outcome::NotRun(_), Some(reply)) => Ok((reply, host)),
                (outcome, _) => Err(failure(call, code_of_pinned(outcome))),
            };
        }
        let mut way = self.ways.way(Wanted {
            target: &call.target.id,
            deadline: call.deadline,
            is_idempotent: call.is_idempotent,
        });
        // What the last host said of it, if it was not sent on after that.
        let mut last: Option<(Bytes, HostId)> = None;
        loop {
            let attempt = match way.next().await {
                Ok(attempt) => attempt,
                Err(code) => {
                    return last
                        .filter(|(reply, _)| code_of(reply) == Some(code))
                        .ok_or_else(|| failure(call, code));
                }
            };
            let until = self.ways.until(&attempt).min(call.deadline);
            let Attempted { outcome, reply } =
                self.attempt(call, &sending, attempt.host, until).await?;
            way.outcome(outcome);
            match (outcome, reply) {
                (Outcome::Answered, Some(reply)) => return Ok((reply, attempt.host)),
                (_, reply) => last = reply.map(|reply| (reply, attempt.host)),
            }
        }
    }

    /// How a call's frame goes.
    ///
    /// # Errors
    /// `busy` if it is too large for a message, and there is no room to keep it.
    fn sending(&self, call: &Outbound) -> Result<Sending, LinkFailure> {
        if call.frame.len() <= self.bus.max_payload() {
            return Ok(Sending::Whole(call.frame.clone()));
        }
        let kept = self.large.keeper.keep(call.frame.clone());
        kept.map(Sending::Held)
            .map_err(|error| not_kept(call, &error))
    }

    /// Sends a call once.
    ///
    /// # Errors
    /// What ends the call besides, without an outcome that would be the host's.
    async fn attempt(
        &self,
        call: &Outbound,
        sending: &Sending,
        host: HostId,
        until: Instant,
    ) -> Result<Attempted, LinkFailure> {
        let answer = match sending {
            Sending::Whole(frame) => self.ask(host, frame.clone(), until).await,
            Sending::Held(kept) => {
                let (claim, frame) = kept
                    .claim(&self.bus)
                    .map_err(|error| not_kept(call, &error))?;
                let answer = self.ask(host, frame, until).await;
                match (answer, claim.withdraw()) {
                    // A host that has not got all of it has not run it, and will not.
                    (Err(Outcome::Lost), false) => Err(Outcome::NoResponders),
                    (Err(Outcome::BusLost), false) => Err(Outcome::NotSent),
                    (answer, _) => answer,
                }
            }
        };
        match answer {
            Ok(reply) => self.take(call, host, reply).await,
            Err(outcome) => Ok(Attempted {
                outcome,
                reply: None,
            }),
        }
    }

    /// Sends a frame to a host, and waits for its answer for as long as the host is there.
    ///
    /// # Errors
    /// The outcome of an attempt that was not answered.
    async fn ask(&self, host: HostId, frame: Bytes, until: Instant) -> Result<Bytes, Outcome> {
        let subject = self.subjects.calls_of(host).ok_or(Outcome::NoResponders)?;
        let mut request = pin!(self.bus.request(&subject, frame, until));
        let answered = tokio::select! {
            biased;
            answered = &mut request => answered,
            () = gone(&self.known, host) => {
                let last = timeout(LAST_WORDS, request).await;
                last.map_err(|_| Outcome::Lost)?
            }
        };
        answered.map_err(|error| outcome_of(&error))
    }

    /// Takes what a host answered, and fetches the rest if that is not all.
    ///
    /// # Errors
    /// `maybe-executed` if there is no room for it.
    async fn take(
        &self,
        call: &Outbound,
        host: HostId,
        reply: Bytes,
    ) -> Result<Attempted, LinkFailure> {
        let is_held = Envelope::open(&reply).is_ok_and(|frame| frame.kind() == Kind::Held);
        let reply = match is_held {
            true => self.fetch(call, host, &reply).await?,
            false => Some(reply),
        };
        let outcome = match &reply {
            Some(reply) => code_of(reply).map_or(Outcome::Answered, Outcome::of_failure),
            None => Outcome::Lost,
        };
        Ok(Attempted { outcome, reply })
    }

    /// A reply that its host keeps; none if it cannot be had any more.
    async fn fetch(
        &self,
        call: &Outbound,
        host: HostId,
        reply: &[u8],
    ) -> Result<Option<Bytes>, LinkFailure> {
        let Ok(Frame::Held(held)) = Frame::decode(reply) else {
            return Ok(None);
        };
        if held.host != *host.key() {
            tracing::warn!(host = host.short(), "a reply is said to be kept elsewhere");
            return Ok(None);
        }
        match self.large.taker.take(&held, call.deadline).await {
            Ok(taken) => Ok(Some(taken.frame)),
            Err(error @ TakeError::Full { .. }) => {
                let to = &call.target.name;
                let reason = format!("`{to}`: its result was not fetched: {error}");
                Err(LinkFailure::new(FailureCode::MaybeExecuted, reason))
            }
            Err(error) => {
                let reason = chain(&error);
                tracing::debug!(host = host.short(), reason, "a result was not fetched");
                Ok(None)
            }
        }
    }
}

/// What became of a request without an answer.
fn outcome_of(error: &RequestError) -> Outcome {
    match error {
        RequestError::NoResponders { .. } => Outcome::NoResponders,
        RequestError::Deadline { .. } => Outcome::TimedOut,
        RequestError::ConnectionLost { .. } => Outcome::BusLost,
        // The bus took more when it was asked, a moment ago.
        RequestError::TooLarge { .. } => Outcome::NotRun(FailureCode::Refused),
        RequestError::Disconnected => Outcome::NotSent,
        RequestError::TooMany => Outcome::NotRun(FailureCode::Busy),
    }
}

/// What a call is told that is too large for a message, and cannot be kept to be fetched.
fn not_kept(call: &Outbound, error: &KeepError) -> LinkFailure {
    let to = &call.target.name;
    let reason = format!("`{to}`: its arguments cannot be sent: {}", chain(error));
    LinkFailure::new(FailureCode::Busy, reason)
}

/// What a call to the one host that it may go to comes to.
fn code_of_pinned(outcome: Outcome) -> FailureCode {
    match outcome {
        Outcome::Answered | Outcome::Lost | Outcome::BusLost => FailureCode::MaybeExecuted,
        Outcome::NotRun(code) => code,
        Outcome::NoResponders | Outcome::NotSent => FailureCode::Unreachable,
        Outcome::TimedOut => FailureCode::Deadline,
    }
}

/// Why a call has no reply.
fn failure(call: &Outbound, code: FailureCode) -> LinkFailure {
    LinkFailure::new(code, why(&call.target.name, code))
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
