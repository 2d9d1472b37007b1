//! The client of unary calls to other hosts: sends a call to the hosts chosen by
//! [`call_routing`](crate::call_routing) until one replies. Arguments and results that exceed a
//! message go through [`claim_check`](crate::claim_check).

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

/// The time that a reply is still waited for after its host was declared dead: its last messages
/// may be on their way, by another connection than the news.
const FINAL_REPLY_WAIT: Duration = Duration::from_millis(100);

/// Calls components on other hosts.
pub(super) struct CallClient {
    pub(super) bus: Bus,
    pub(super) subjects: Subjects,
    pub(super) router: CallRouter,
    pub(super) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    pub(super) claim_checks: ClaimChecks,
    /// Owns the tasks that send frames without a reply.
    pub(super) tasks: TaskTracker,
    /// Carries streaming calls.
    pub(super) streams: StreamClient,
}

/// The frame of a call, as it is sent.
enum Payload {
    Inline(Bytes),
    /// Exceeds a message: the callee fetches the frame.
    Stored(StoredFrame),
}

/// The end of one attempt, with the reply if the host sent one.
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
            // The session drops the handle when it ends, at the latest.
            tracing::debug!(?outcome, "a frame may not have reached another host");
        }
    }

    fn note(&self, host: HostId, frame: Vec<u8>) {
        let Some(subject) = self.subjects.calls_of(host) else {
            return;
        };
        let bus = self.bus.clone();
        self.tasks.spawn(async move {
            if let Err(error) = bus.publish(&subject, None, Bytes::from(frame)).await {
                // If the end of a session is lost, its lease ends it.
                tracing::debug!(%error, "a frame without a reply was not sent to another host");
            }
        });
    }
}

impl CallClient {
    /// Sends a call to one host after the other, until one replies.
    ///
    /// # Errors
    /// If no host replies in time, or none is available.
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
        // The reply of the last attempt, unless the call was sent again after it.
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

    /// Stores the frame of a call for the callee if it exceeds a message.
    ///
    /// # Errors
    /// `busy` if the claim store is full.
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
    /// A failure of this host that ends the call; failures of the other host are in the outcome.
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
                    // A host that did not fetch the whole frame has not run the call, and cannot
                    // any more.
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

    /// Sends a frame to a host and waits for the reply, until the host is declared dead.
    ///
    /// # Errors
    /// The outcome of an attempt without a reply.
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

    /// Classifies a reply, and fetches the rest of an offloaded one.
    ///
    /// # Errors
    /// `maybe-executed` if there is no room to fetch it.
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

    /// Fetches an offloaded reply. `None` if it is lost.
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
            tracing::warn!(
                host = host.short(),
                "an offloaded reply names another host than the one that was called"
            );
            return Ok(None);
        }
        match self.claim_checks.fetcher.fetch(&held, call.deadline).await {
            Ok(fetched) => Ok(Some(fetched.frame)),
            Err(error @ ClaimFetchError::Full { .. }) => {
                let to = &call.target.name;
                let reason = format!("the result of `{to}` was not fetched: {error}");
                Err(LinkFailure::new(FailureCode::MaybeExecuted, reason))
            }
            Err(error) => {
                let reason = chain(&error);
                tracing::debug!(
                    host = host.short(),
                    reason,
                    "the result of a call was not fetched"
                );
                Ok(None)
            }
        }
    }
}

/// The outcome of a request that failed.
fn outcome_of(error: &RequestError) -> Outcome {
    match error {
        RequestError::NoResponders { .. } => Outcome::NoResponders,
        RequestError::Deadline { .. } => Outcome::TimedOut,
        RequestError::ConnectionLost { .. } => Outcome::BusLost,
        // The limit of the bus was higher when the payload was chosen, a moment ago.
        RequestError::TooLarge { .. } => Outcome::NotRun(FailureCode::Refused),
        RequestError::Disconnected => Outcome::NotSent,
        RequestError::TooMany => Outcome::NotRun(FailureCode::Busy),
    }
}

/// The failure of a call whose frame exceeds a message and cannot be stored.
fn store_failure(call: &Outbound, error: &ClaimStoreError) -> LinkFailure {
    let to = &call.target.name;
    let reason = format!("the arguments for `{to}` cannot be sent: {}", chain(error));
    LinkFailure::new(FailureCode::Busy, reason)
}

/// The failure code of a call that may go to one host only.
fn pinned_failure_code(outcome: Outcome) -> FailureCode {
    match outcome {
        Outcome::Answered | Outcome::Lost | Outcome::BusLost => FailureCode::MaybeExecuted,
        Outcome::NotRun(code) => code,
        Outcome::NoResponders | Outcome::NotSent => FailureCode::Unreachable,
        Outcome::TimedOut => FailureCode::Deadline,
    }
}

/// The failure of a call without a reply.
fn failure(call: &Outbound, code: FailureCode) -> LinkFailure {
    LinkFailure::new(code, failure_reason(&call.target.name, code))
}

/// The message of a failure without a reply.
pub(super) fn failure_reason(to: &str, code: FailureCode) -> String {
    let reason = match code {
        FailureCode::Unreachable => "no host that runs the component can be reached",
        FailureCode::Busy => "every host that runs the component is busy",
        FailureCode::Deadline => "no host that runs the component answered in time",
        FailureCode::Refused => "the call cannot be sent to a host that runs the component",
        FailureCode::Trapped => "the component trapped",
        FailureCode::MaybeExecuted => "the host was lost before it answered; the call may have run",
    };
    format!("`{to}`: {reason}")
}
