//! Calls to other hosts: what becomes of each when the host that it was sent to ([`router`](crate::call_routing)) does not
//! answer. Arguments and results that are larger than a message are fetched
//! ([`claim_checks`](crate::claim_check)).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use weft_bus::{Bus, RequestError};
use weft_link::{Exchange, Hosts, Opening, Outbound, Told, code_of};
use weft_link::{LinkFailure, boxed};
use weft_membership::HostId;
use weft_membership::routing::Outcome;
use weft_telemetry::chain;
use weft_wire::{Envelope, FailureCode, Frame, Kind};

use crate::call_routing::{CallRouter, RoutedCall};
use crate::claim_check::{ClaimChecks, ClaimFetchError, ClaimStoreError, StoredFrame};
use crate::liveness::host_death;
use crate::membership_task::MembershipSnapshot;
use crate::stream_client::StreamClient;
use crate::subjects::Subjects;

/// How long an answer is still waited for when its host is known to be gone: what it sent at its end may be
/// on its way, by another connection than the news.
const FINAL_REPLY_WAIT: Duration = Duration::from_millis(100);

/// Finds hosts for calls, and sends them there.
pub(super) struct CallClient {
    pub(super) bus: Bus,
    pub(super) subjects: Subjects,
    pub(super) router: CallRouter,
    pub(super) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    pub(super) claim_checks: ClaimChecks,
    /// Owns the tasks that send what nobody waits for.
    pub(super) tasks: TaskTracker,
    /// Calls with streams.
    pub(super) streams: StreamClient,
}

/// How the frame of a call goes.
enum Payload {
    Inline(Bytes),
    /// It is larger than a message.
    Stored(StoredFrame),
}

/// How an attempt ended. There is a reply if the host answered, whatever it said.
struct AttemptResult {
    outcome: Outcome,
    reply: Option<Bytes>,
}

#[async_trait]
impl Hosts for CallClient {
    fn exchange<'a>(&'a self, call: &'a Outbound, pinned: Option<HostId>) -> Exchange<'a> {
        Box::into_pin(boxed(move || self.call(call, pinned)))
    }

    async fn converse(&self, opening: Opening, answer: Told) {
        self.streams.call(opening, answer).await;
    }

    async fn tell(&self, host: HostId, frame: Vec<u8>, deadline: Instant) {
        if let Err(outcome) = self.request(host, frame.into(), deadline).await {
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

impl CallClient {
    /// Sends a call where it can go, until a host has answered it.
    ///
    /// # Errors
    /// If none does in time, or there is none to ask.
    async fn call(
        &self,
        call: &Outbound,
        pinned: Option<HostId>,
    ) -> Result<(Bytes, HostId), LinkFailure> {
        let payload = self.payload(call)?;
        if let Some(host) = pinned {
            let result = self.attempt(call, &payload, host, call.deadline).await?;
            return match (result.outcome, result.reply) {
                (Outcome::Answered | Outcome::NotRun(_), Some(reply)) => Ok((reply, host)),
                (outcome, _) => Err(failure(call, pinned_failure_code(outcome))),
            };
        }
        let mut attempts = self.router.attempts(RoutedCall {
            target: &call.target.id,
            deadline: call.deadline,
            is_idempotent: call.is_idempotent,
        });
        // What the last host said of it, if it was not sent on after that.
        let mut last_reply: Option<(Bytes, HostId)> = None;
        loop {
            let attempt = match attempts.next().await {
                Ok(attempt) => attempt,
                Err(code) => {
                    return last_reply
                        .filter(|(reply, _)| code_of(reply) == Some(code))
                        .ok_or_else(|| failure(call, code));
                }
            };
            let until = self.router.attempt_deadline(&attempt).min(call.deadline);
            let AttemptResult { outcome, reply } =
                self.attempt(call, &payload, attempt.host, until).await?;
            attempts.outcome(outcome);
            match (outcome, reply) {
                (Outcome::Answered, Some(reply)) => return Ok((reply, attempt.host)),
                (_, reply) => last_reply = reply.map(|reply| (reply, attempt.host)),
            }
        }
    }

    /// How a call's frame goes.
    ///
    /// # Errors
    /// `busy` if it is too large for a message, and there is no room to keep it.
    fn payload(&self, call: &Outbound) -> Result<Payload, LinkFailure> {
        if call.frame.len() <= self.bus.max_payload() {
            return Ok(Payload::Inline(call.frame.clone()));
        }
        let stored = self.claim_checks.store.store(call.frame.clone());
        stored
            .map(Payload::Stored)
            .map_err(|error| store_failure(call, &error))
    }

    /// Sends a call once.
    ///
    /// # Errors
    /// What ends the call besides, without an outcome that would be the host's.
    async fn attempt(
        &self,
        call: &Outbound,
        payload: &Payload,
        host: HostId,
        until: Instant,
    ) -> Result<AttemptResult, LinkFailure> {
        let answer = match payload {
            Payload::Inline(frame) => self.request(host, frame.clone(), until).await,
            Payload::Stored(stored) => {
                let (claim, frame) = stored
                    .claim(&self.bus)
                    .map_err(|error| store_failure(call, &error))?;
                let answer = self.request(host, frame, until).await;
                match (answer, claim.withdraw()) {
                    // A host that has not got all of it has not run it, and will not.
                    (Err(Outcome::Lost), false) => Err(Outcome::NoResponders),
                    (Err(Outcome::BusLost), false) => Err(Outcome::NotSent),
                    (answer, _) => answer,
                }
            }
        };
        match answer {
            Ok(reply) => self.receive_reply(call, host, reply).await,
            Err(outcome) => Ok(AttemptResult {
                outcome,
                reply: None,
            }),
        }
    }

    /// Sends a frame to a host, and waits for its answer for as long as the host is there.
    ///
    /// # Errors
    /// The outcome of an attempt that was not answered.
    async fn request(&self, host: HostId, frame: Bytes, until: Instant) -> Result<Bytes, Outcome> {
        let subject = self.subjects.calls_of(host).ok_or(Outcome::NoResponders)?;
        let mut request = pin!(self.bus.request(&subject, frame, until));
        let answered = tokio::select! {
            biased;
            answered = &mut request => answered,
            () = host_death(&self.membership, host) => {
                let last_reply = timeout(FINAL_REPLY_WAIT, request).await;
                last_reply.map_err(|_| Outcome::Lost)?
            }
        };
        answered.map_err(|error| outcome_of(&error))
    }

    /// Takes what a host answered, and fetches the rest if that is not all.
    ///
    /// # Errors
    /// `maybe-executed` if there is no room for it.
    async fn receive_reply(
        &self,
        call: &Outbound,
        host: HostId,
        reply: Bytes,
    ) -> Result<AttemptResult, LinkFailure> {
        let is_offloaded = Envelope::open(&reply).is_ok_and(|frame| frame.kind() == Kind::Held);
        let reply = match is_offloaded {
            true => self.fetch_reply(call, host, &reply).await?,
            false => Some(reply),
        };
        let outcome = match &reply {
            Some(reply) => code_of(reply).map_or(Outcome::Answered, Outcome::of_failure),
            None => Outcome::Lost,
        };
        Ok(AttemptResult { outcome, reply })
    }

    /// A reply that its host keeps; none if it cannot be had any more.
    async fn fetch_reply(
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
        match self.claim_checks.fetcher.fetch(&held, call.deadline).await {
            Ok(fetched) => Ok(Some(fetched.frame)),
            Err(error @ ClaimFetchError::Full { .. }) => {
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
fn store_failure(call: &Outbound, error: &ClaimStoreError) -> LinkFailure {
    let to = &call.target.name;
    let reason = format!("`{to}`: its arguments cannot be sent: {}", chain(error));
    LinkFailure::new(FailureCode::Busy, reason)
}

/// What a call to the one host that it may go to comes to.
fn pinned_failure_code(outcome: Outcome) -> FailureCode {
    match outcome {
        Outcome::Answered | Outcome::Lost | Outcome::BusLost => FailureCode::MaybeExecuted,
        Outcome::NotRun(code) => code,
        Outcome::NoResponders | Outcome::NotSent => FailureCode::Unreachable,
        Outcome::TimedOut => FailureCode::Deadline,
    }
}

/// Why a call has no reply.
fn failure(call: &Outbound, code: FailureCode) -> LinkFailure {
    LinkFailure::new(code, failure_reason(&call.target.name, code))
}

/// Why a call of `to` has no reply, in words.
pub(super) fn failure_reason(to: &str, code: FailureCode) -> String {
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
