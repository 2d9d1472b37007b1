//! The client of calls to other hosts: sends a call to the hosts chosen by
//! [`call_routing`](crate::call_routing) until one replies, by the deadline of the call and unless
//! the host is declared dead. Arguments and results that exceed a message go through
//! [`claim_check`](crate::claim_check).
//!
//! A unary call is a streaming call whose first frame is its last; the two differ only in the
//! [`AttemptTransport`].

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use weft_bus::{Bus, RequestError};
use weft_link::{
    Exchange, Hosts, LinkFailure, OutgoingCall, RemoteSide, ReplyCallback, boxed, code_of, encoded,
    number_call, renumbered,
};
use weft_membership::HostId;
use weft_membership::message::ComponentId;
use weft_membership::routing::Outcome;
use weft_telemetry::chain;
use weft_wire::{Abandon, FailureCode, Frame};

use crate::bus_channel::BusChannels;
use crate::bus_return::LATE_REPLY_WAIT_MAX;
use crate::call_routing::{CallRouter, RoutedCall};
use crate::claim_check::{
    ClaimChecks, ClaimFetchError, ClaimStoreError, Payload, outcome_without_claim,
};
use crate::host_tasks::HostTasks;
use crate::liveness::HostLife;
use crate::membership_task::MembershipSnapshot;
use crate::stream_client::ChannelTransport;
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
    /// Carries the frames of streaming calls.
    pub(super) channels: BusChannels,
    /// Owns the tasks that send frames without a reply.
    pub(super) tasks: HostTasks,
}

/// The transport of a call's attempts, one after the other.
pub(super) trait AttemptTransport: Send {
    /// Sends the message of an attempt, and waits for the message of the reply. Dropping the future
    /// cancels the attempt at its host.
    fn send(
        &mut self,
        attempt: &CallAttempt,
        message: Bytes,
    ) -> impl Future<Output = Result<Bytes, Outcome>> + Send;

    /// False once a host has read a part of the caller's streams, which another one would miss.
    fn is_repeatable(&self) -> bool;
}

/// One attempt of a call.
pub(super) struct CallAttempt {
    /// The call number in the frames of this attempt.
    pub(super) number: u64,
    pub(super) host: HostId,
    pub(super) until: Instant,
}

/// The reply of a host.
struct HostReply {
    frame: Bytes,
    host: HostLife,
}

/// The transport of unary calls: a request and its reply.
struct RequestTransport<'a> {
    client: &'a CallClient,
    /// True if the call may run twice.
    is_idempotent: bool,
}

#[async_trait]
impl Hosts for CallClient {
    fn exchange<'a>(&'a self, call: &'a OutgoingCall, pinned: Option<HostId>) -> Exchange<'a> {
        Box::into_pin(boxed(move || async move {
            let is_idempotent = call.is_idempotent;
            let mut transport = RequestTransport {
                client: self,
                is_idempotent,
            };
            let reply = match pinned {
                Some(host) => self.call_pinned(call, host, &mut transport).await?,
                None => self.call(call, &mut transport).await?,
            };
            Ok((reply.frame, reply.host.host()))
        }))
    }

    async fn call_streaming(&self, call: OutgoingCall, remote: RemoteSide, reply: ReplyCallback) {
        remote.limit_messages(self.bus.max_payload());
        let mut transport = ChannelTransport::new(&self.channels, remote, call.is_idempotent);
        match self.call(&call, &mut transport).await {
            Ok(HostReply { frame, host }) => {
                reply(Ok(frame.into()));
                transport.forward(host).await;
            }
            Err(failure) => reply(Err(failure)),
        }
    }

    async fn send_and_wait(&self, host: HostId, frame: Vec<u8>, deadline: Instant) {
        let Some(subject) = self.subjects.calls_of(host) else {
            return;
        };
        let sent = self.bus.request(&subject, frame.into(), deadline);
        let mut life = HostLife::new(&self.membership, host);
        let sent = unless_dead(&mut life, async {
            sent.await.map_err(|error| outcome_of(&error))
        });
        if let Err(outcome) = sent.await {
            // The session drops the handle when it ends, at the latest.
            tracing::debug!(?outcome, "a frame may not have reached another host");
        }
    }

    fn message_bytes_max(&self) -> usize {
        self.bus.max_payload()
    }

    fn unplaceable(&self, target: &ComponentId) -> Option<String> {
        self.router.unplaceable(target)
    }

    fn send(&self, host: HostId, frame: Vec<u8>) {
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
        transport: &mut impl AttemptTransport,
    ) -> Result<HostReply, LinkFailure> {
        let mut first = Some((call.number, self.payload(call, call.frame.clone())?));
        let mut attempts = self.router.attempts(RoutedCall {
            target: &call.target,
            deadline: call.deadline,
            is_idempotent: call.is_idempotent,
        });
        // The reply of the last attempt, unless the call was sent again after it.
        let mut last_reply: Option<HostReply> = None;
        loop {
            let routed = match attempts.next().await {
                Ok(routed) => routed,
                Err(code) => {
                    return last_reply
                        .filter(|reply| code_of(&reply.frame) == Some(code))
                        .ok_or_else(|| self.unrouted(call, code));
                }
            };
            let (number, payload) = match first.take() {
                Some(first) => first,
                None => self.renumber(call)?,
            };
            let attempt = CallAttempt {
                number,
                host: routed.host,
                until: self.router.attempt_deadline(&routed).min(call.deadline),
            };
            let (outcome, reply) = self.attempt(call, &payload, &attempt, transport).await?;
            attempts.outcome(outcome);
            match reply {
                Some(reply) if outcome == Outcome::Answered => return Ok(reply),
                _ if !transport.is_repeatable() => {
                    return Err(failure(call, FailureCode::MaybeExecuted));
                }
                reply => last_reply = reply,
            }
        }
    }

    /// The failure of a call that found no host.
    fn unrouted(&self, call: &OutgoingCall, code: FailureCode) -> LinkFailure {
        let unplaceable = self.router.unplaceable(&call.target);
        match unplaceable.filter(|_| code == FailureCode::Unreachable) {
            Some(reason) => {
                let to = &call.target.component;
                LinkFailure::new(
                    code,
                    format!("`{to}`: no host may run the component: {reason}"),
                )
            }
            None => failure(call, code),
        }
    }

    /// Sends a call to one host only, once the bus and that host are back on it.
    ///
    /// # Errors
    /// If the host does not reply in time.
    async fn call_pinned(
        &self,
        call: &OutgoingCall,
        host: HostId,
        transport: &mut impl AttemptTransport,
    ) -> Result<HostReply, LinkFailure> {
        let payload = self.payload(call, call.frame.clone())?;
        let attempt = CallAttempt {
            number: call.number,
            host,
            until: call.deadline,
        };
        let mut bus_wait = self.router.bus_wait(call.deadline);
        loop {
            let (outcome, reply) = self.attempt(call, &payload, &attempt, transport).await?;
            let is_waiting = matches!(outcome, Outcome::NotSent | Outcome::NotBack);
            if !is_waiting || bus_wait.next().await.is_none() {
                return reply.ok_or_else(|| failure(call, pinned_failure_code(outcome)));
            }
        }
    }

    /// Sends a call once, and classifies the reply.
    ///
    /// # Errors
    /// A failure of this host that ends the call; failures of the other host are in the outcome.
    async fn attempt(
        &self,
        call: &OutgoingCall,
        payload: &Payload,
        attempt: &CallAttempt,
        transport: &mut impl AttemptTransport,
    ) -> Result<(Outcome, Option<HostReply>), LinkFailure> {
        if !self.router.is_bus_up() {
            return Ok((Outcome::NotSent, None));
        }
        let announced = self.claim_checks.announce(payload);
        let (claim, message) = announced.map_err(|error| store_failure(call, &error))?;
        let mut host = HostLife::new(&self.membership, attempt.host);
        let sent = transport.send(attempt, message);
        let message = match unless_dead(&mut host, sent).await {
            Ok(message) => message,
            Err(outcome) => {
                let outcome = self.router.after_return(outcome);
                return Ok((outcome_without_claim(outcome, claim), None));
            }
        };
        drop(claim);
        let reply = self
            .claim_checks
            .reply(attempt.host, message, call.deadline);
        let frame = reply.await.map_err(|error| fetch_failure(call, &error))?;
        Ok(match frame {
            Some(frame) => {
                let outcome = code_of(&frame).map_or(Outcome::Answered, Outcome::of_failure);
                (outcome, Some(HostReply { frame, host }))
            }
            None => (Outcome::Lost, None),
        })
    }

    /// The number and the payload of a further attempt. It has a number of its own, so that a late
    /// `abandon` of an earlier attempt does not cancel it.
    fn renumber(&self, call: &OutgoingCall) -> Result<(u64, Payload), LinkFailure> {
        let number = number_call();
        let frame = renumbered(&call.frame, number);
        let frame = frame.ok_or_else(|| failure(call, FailureCode::Refused))?;
        Ok((number, self.payload(call, frame.into())?))
    }

    fn payload(&self, call: &OutgoingCall, frame: Bytes) -> Result<Payload, LinkFailure> {
        let payload = self.claim_checks.payload(frame);
        payload.map_err(|error| store_failure(call, &error))
    }
}

// === impl RequestTransport ===

impl AttemptTransport for RequestTransport<'_> {
    async fn send(&mut self, attempt: &CallAttempt, message: Bytes) -> Result<Bytes, Outcome> {
        let client = self.client;
        let subject = client.subjects.calls_of(attempt.host);
        let subject = subject.ok_or(Outcome::NoResponders)?;
        let mut cancel = CancelOnDrop {
            client,
            attempt,
            is_armed: true,
        };
        let reply = match self.is_idempotent {
            // Sent again after a loss of the bus.
            true => client.bus.request(&subject, message, attempt.until).await,
            false => {
                let (until, wait) = (attempt.until, LATE_REPLY_WAIT_MAX);
                let reply = client
                    .bus
                    .request_across_losses(&subject, message, until, wait);
                reply.await
            }
        };
        let reply = reply.map_err(|error| outcome_of(&error));
        cancel.is_armed = reply.as_ref().is_err_and(|outcome| outcome.may_have_run());
        reply
    }

    fn is_repeatable(&self) -> bool {
        true
    }
}

/// Cancels an attempt at its host when dropped: its caller is gone, or does not wait any longer.
struct CancelOnDrop<'a> {
    client: &'a CallClient,
    attempt: &'a CallAttempt,
    is_armed: bool,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.is_armed {
            let call = self.attempt.number;
            let abandon = encoded(&Frame::Abandon(Abandon { call }));
            self.client.send(self.attempt.host, abandon);
        }
    }
}

/// Waits for the reply of a host until the host is declared dead.
///
/// # Errors
/// The outcome of an attempt without a reply.
async fn unless_dead(
    host: &mut HostLife,
    reply: impl Future<Output = Result<Bytes, Outcome>>,
) -> Result<Bytes, Outcome> {
    let mut reply = pin!(reply);
    tokio::select! {
        biased;
        reply = &mut reply => reply,
        () = host.death() => {
            timeout(FINAL_REPLY_WAIT, reply).await.unwrap_or(Err(Outcome::Lost))
        }
    }
}

/// The failure of a call whose result exceeds the room to fetch it.
fn fetch_failure(call: &OutgoingCall, error: &ClaimFetchError) -> LinkFailure {
    let to = &call.target.component;
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
fn store_failure(call: &OutgoingCall, error: &ClaimStoreError) -> LinkFailure {
    let to = &call.target.component;
    let reason = format!("the arguments for `{to}` cannot be sent: {}", chain(error));
    LinkFailure::new(FailureCode::Busy, reason)
}

/// The failure code of a call that may go to one host only.
fn pinned_failure_code(outcome: Outcome) -> FailureCode {
    match outcome {
        Outcome::Answered | Outcome::Lost | Outcome::BusLost => FailureCode::MaybeExecuted,
        Outcome::NotRun(code) => code,
        Outcome::NoResponders | Outcome::NotBack | Outcome::NotSent => FailureCode::Unreachable,
        Outcome::TimedOut => FailureCode::Deadline,
    }
}

/// The failure of a call without a reply.
fn failure(call: &OutgoingCall, code: FailureCode) -> LinkFailure {
    let reason = match code {
        FailureCode::Unreachable => "no host that runs the component can be reached",
        FailureCode::Busy => "every host that runs the component is busy",
        FailureCode::Deadline => "no host that runs the component answered in time",
        FailureCode::Refused => "the call cannot be sent to a host that runs the component",
        FailureCode::Trapped => "the component trapped",
        FailureCode::MaybeExecuted => "the host was lost before it answered; the call may have run",
    };
    let to = &call.target.component;
    LinkFailure::new(code, format!("`{to}`: {reason}"))
}
