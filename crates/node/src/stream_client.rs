//! The client of streaming calls to other hosts: each is a [channel](crate::bus_channel) whose
//! first frame is the request; a later one is the reply.

use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout_at;
use weft_bus::PublishError;
use weft_link::{Away, LinkFailure, OutgoingCall, Told, code_of};
use weft_membership::HostId;
use weft_membership::routing::Outcome;
use weft_wire::{FailureCode, Frame};

use crate::bus_channel::{BusChannels, Channel, Received};
use crate::call_client::{failure_reason, fetch_failure, store_failure};
use crate::call_routing::{CallRouter, RoutedCall};
use crate::claim_check::{ClaimChecks, ClaimStoreError, Payload, outcome_without_claim};
use crate::liveness::host_death;
use crate::membership_task::MembershipSnapshot;

/// Makes streaming calls. Cheap to clone.
#[derive(Clone)]
pub(super) struct StreamClient {
    pub(super) channels: BusChannels,
    pub(super) router: CallRouter,
    pub(super) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    pub(super) claim_checks: ClaimChecks,
}

/// The end of one attempt.
enum AttemptResult {
    /// With a reply, on a channel that may go on.
    Replied {
        frame: Bytes,
        channel: Box<Channel>,
        is_last: bool,
    },
    /// Without a reply.
    Failed(Outcome),
}

impl StreamClient {
    /// Makes a call at a host that runs its target, and carries the frames of its caller until the
    /// call is over.
    pub(super) async fn call(&self, call: OutgoingCall, mut away: Away, told: Told) {
        let OutgoingCall {
            target,
            frame,
            deadline,
            is_idempotent,
            ..
        } = call;
        let failed = |code| LinkFailure::new(code, failure_reason(target.component.as_str(), code));
        let to = target.component.as_str();
        let payload = match self.claim_checks.payload(frame) {
            Ok(payload) => payload,
            Err(error) => return told(Err(store_failure(to, &error))),
        };
        let mut attempts = self.router.attempts(RoutedCall {
            target: &target,
            deadline,
            is_idempotent,
        });
        // The reply of the last attempt, unless the call was sent again after it.
        let mut last_reply: Option<Bytes> = None;
        loop {
            let attempt = match attempts.next().await {
                Ok(attempt) => attempt,
                Err(code) => {
                    let last_reply = last_reply.filter(|reply| code_of(reply) == Some(code));
                    return told(last_reply.map(Vec::from).ok_or_else(|| failed(code)));
                }
            };
            let mut lost = pin!(host_death(&self.membership, attempt.host));
            let attempt_reply = self.attempt(attempt.host, &payload, &mut away, lost.as_mut());
            let until = self.router.attempt_deadline(&attempt).min(deadline);
            let result = timeout_at(until, attempt_reply).await;
            let result = match result.unwrap_or(Ok(AttemptResult::Failed(Outcome::TimedOut))) {
                Ok(result) => result,
                Err(error) => return told(Err(store_failure(to, &error))),
            };
            let outcome = match result {
                AttemptResult::Replied {
                    frame,
                    channel,
                    is_last,
                } => {
                    let frame = match self.claim_checks.reply(attempt.host, frame, deadline).await {
                        Ok(frame) => frame,
                        Err(error) => return told(Err(fetch_failure(to, &error))),
                    };
                    let Some(frame) = frame else {
                        return told(Err(failed(FailureCode::MaybeExecuted)));
                    };
                    let outcome = code_of(&frame).map_or(Outcome::Answered, Outcome::of_failure);
                    if outcome == Outcome::Answered {
                        attempts.outcome(outcome);
                        told(Ok(frame.into()));
                        if !is_last {
                            forward_frames(*channel, away, lost).await;
                        }
                        return;
                    }
                    last_reply = Some(frame);
                    outcome
                }
                AttemptResult::Failed(outcome) => outcome,
            };
            attempts.outcome(outcome);
            if !away.is_untouched() {
                // The callee has read a part of the caller's streams, which another host would
                // miss.
                return told(Err(failed(FailureCode::MaybeExecuted)));
            }
        }
    }

    /// Sends a call to a host once, and waits for the reply until the host is declared dead.
    ///
    /// # Errors
    /// If the call exceeds a message and cannot be announced.
    async fn attempt(
        &self,
        host: HostId,
        payload: &Payload,
        away: &mut Away,
        lost: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<AttemptResult, ClaimStoreError> {
        let (claim, message) = self.claim_checks.announce(payload)?;
        Ok(match self.send(host, message, away, lost).await {
            AttemptResult::Failed(outcome) => {
                AttemptResult::Failed(outcome_without_claim(outcome, claim))
            }
            replied @ AttemptResult::Replied { .. } => replied,
        })
    }

    /// Opens a channel with the message of a call, and waits for the message of the reply.
    async fn send(
        &self,
        host: HostId,
        message: Bytes,
        away: &mut Away,
        mut lost: Pin<&mut impl Future<Output = ()>>,
    ) -> AttemptResult {
        let Some(mut channel) = self.channels.open(host, away.call()) else {
            return AttemptResult::Failed(Outcome::NotRun(FailureCode::Busy));
        };
        if let Err(error) = channel.send(message).await {
            channel.abandon_on_drop(None);
            return AttemptResult::Failed(outcome_of(&error));
        }
        let mut has_sent_all = false;
        loop {
            tokio::select! {
                received = channel.receive() => match received {
                    Received::NoListener => return AttemptResult::Failed(Outcome::NoResponders),
                    Received::Gap => return AttemptResult::Failed(Outcome::BusLost),
                    Received::Frame { bytes, is_last } => match Frame::decode(&bytes) {
                        Ok(Frame::Reply(_) | Frame::HttpReply(_) | Frame::Held(_)) => {
                            let channel = Box::new(channel);
                            return AttemptResult::Replied { frame: bytes, channel, is_last };
                        }
                        Ok(other) => away.hear(&other),
                        Err(error) => tracing::warn!(%error, "rejected a malformed frame"),
                    },
                },
                outgoing = away.next(), if !has_sent_all => match outgoing {
                    Some(outgoing) => if channel.send(outgoing).await.is_err() {
                        return AttemptResult::Failed(Outcome::BusLost);
                    },
                    None => has_sent_all = true,
                },
                () = lost.as_mut() => return AttemptResult::Failed(Outcome::Lost),
            }
        }
    }
}

/// The outcome of a call whose first frame was not sent.
fn outcome_of(error: &PublishError) -> Outcome {
    match error {
        PublishError::Disconnected | PublishError::Stalled => Outcome::NotSent,
        PublishError::TooLarge { .. } => Outcome::NotRun(FailureCode::Refused),
    }
}

/// Carries the frames after the reply, until the caller's side is done.
async fn forward_frames(
    mut channel: Channel,
    mut away: Away,
    mut lost: Pin<&mut impl Future<Output = ()>>,
) {
    loop {
        tokio::select! {
            received = channel.receive() => if !receive_frame(&received, &mut away) {
                channel.abandon_on_drop(None);
                return;
            },
            outgoing = away.next() => match outgoing {
                Some(outgoing) => if channel.send(outgoing).await.is_err() {
                    return away.lose();
                },
                None => return,
            },
            () = lost.as_mut() => return away.lose(),
        }
    }
}

/// Handles an event after the reply. Returns whether more may follow.
pub(crate) fn receive_frame(received: &Received, away: &mut Away) -> bool {
    match received {
        Received::NoListener | Received::Gap => {
            away.lose();
            false
        }
        Received::Frame { bytes, .. } => {
            match Frame::decode(bytes) {
                Ok(Frame::Abandon(_)) => {
                    away.lose();
                    return false;
                }
                Ok(frame) => away.hear(&frame),
                Err(error) => {
                    tracing::warn!(%error, "rejected a malformed frame")
                }
            }
            true
        }
    }
}
