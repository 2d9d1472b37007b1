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
use weft_bus::{Bus, RequestError};
use weft_link::{Away, Exchange, Hosts, LinkFailure, OutgoingCall, Told, boxed, code_of, encoded};
use weft_membership::HostId;
use weft_membership::routing::Outcome;
use weft_telemetry::chain;
use weft_wire::{Abandon, FailureCode, Frame};

use crate::call_routing::{CallRouter, RoutedCall};
use crate::claim_check::{
    ClaimChecks, ClaimFetchError, ClaimStoreError, Payload, outcome_without_claim,
};
use crate::host_tasks::HostTasks;
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
    pub(super) tasks: HostTasks,
    /// Carries streaming calls.
    pub(super) streams: StreamClient,
}

/// The end of one attempt, with the reply if the host sent one.
struct AttemptResult {
    outcome: Outcome,
    reply: Option<Bytes>,
}

#[async_trait]
impl Hosts for CallClient {
    fn exchange<'a>(&'a self, call: &'a OutgoingCall, pinned: Option<HostId>) -> Exchange<'a> {
        Box::into_pin(boxed(move || self.call(call, pinned)))
    }

    async fn converse(&self, call: OutgoingCall, away: Away, reply: Told) {
        self.streams.call(call, away, reply).await;
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
        call: &OutgoingCall,
        pinned: Option<HostId>,
    ) -> Result<(Bytes, HostId), LinkFailure> {
        let payload = self.claim_checks.payload(call.frame.clone());
        let payload =
            payload.map_err(|error| store_failure(call.target.component.as_str(), &error))?;
        if let Some(host) = pinned {
            let result = self.attempt(call, &payload, host, call.deadline).await?;
            return match (result.outcome, result.reply) {
                (Outcome::Answered | Outcome::NotRun(_), Some(reply)) => Ok((reply, host)),
                (outcome, _) => Err(failure(call, pinned_failure_code(outcome))),
            };
        }
        let mut attempts = self.router.attempts(RoutedCall {
            target: &call.target,
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

    /// Sends a call once.
    ///
    /// # Errors
    /// A failure of this host that ends the call; failures of the other host are in the outcome.
    async fn attempt(
        &self,
        call: &OutgoingCall,
        payload: &Payload,
        host: HostId,
        until: Instant,
    ) -> Result<AttemptResult, LinkFailure> {
        let announced = self.claim_checks.announce(payload);
        let (claim, message) =
            announced.map_err(|error| store_failure(call.target.component.as_str(), &error))?;
        let mut cancel = CancelOnDrop {
            client: self,
            host,
            call: call.number,
            is_armed: true,
        };
        let answer = self.request(host, message, until).await;
        // Only a host that is still there may still run the call.
        cancel.is_armed = matches!(answer, Err(Outcome::TimedOut));
        let answer = answer.map_err(|outcome| outcome_without_claim(outcome, claim));
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
        call: &OutgoingCall,
        host: HostId,
        reply: Bytes,
    ) -> Result<AttemptResult, LinkFailure> {
        let reply = self.claim_checks.reply(host, reply, call.deadline).await;
        let reply = reply.map_err(|error| fetch_failure(call.target.component.as_str(), &error))?;
        let outcome = match &reply {
            Some(reply) => code_of(reply).map_or(Outcome::Answered, Outcome::of_failure),
            None => Outcome::Lost,
        };
        Ok(AttemptResult { outcome, reply })
    }
}

/// Cancels a call at its host when dropped: its caller is gone, or does not wait any longer.
struct CancelOnDrop<'a> {
    client: &'a CallClient,
    host: HostId,
    call: u64,
    is_armed: bool,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.is_armed {
            let abandon = encoded(&Frame::Abandon(Abandon { call: self.call }));
            self.client.note(self.host, abandon);
        }
    }
}

/// The failure of a call whose result exceeds the room to fetch it.
pub(super) fn fetch_failure(to: &str, error: &ClaimFetchError) -> LinkFailure {
    let reason = format!("the result of `{to}` was not fetched: {error}");
    LinkFailure::new(FailureCode::MaybeExecuted, reason)
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
pub(super) fn store_failure(to: &str, error: &ClaimStoreError) -> LinkFailure {
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
fn failure(call: &OutgoingCall, code: FailureCode) -> LinkFailure {
    LinkFailure::new(code, failure_reason(call.target.component.as_str(), code))
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
