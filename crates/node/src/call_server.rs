//! Calls from other hosts: each is answered by the server that answers every frame. Arguments and results
//! that are larger than a message are fetched ([`claim_checks`](crate::claim_check)).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weft_bus::{Bus, Message, Subject, Subscription};
use weft_link::{CallServer, LinkFailure, Refusal, boxed, reply_frame};
use weft_telemetry::chain;
use weft_wire::{Envelope, FailureCode, Frame, FrameError, Held, Kind, Request};

use crate::claim_check::ClaimChecks;
use crate::dedup::Dedup;

/// The most calls from other hosts at once. Each entry has its own limit far below it, and answers `busy`
/// there; this one bounds what is held before it is known whom a call is for.
const CALLS_MAX: usize = 10_000;

/// How long a result is kept for an importer that does not fetch it, whatever it said of its deadline: longer
/// than the largest one takes over a slow way between clouds.
const REPLY_STORED_MAX: Duration = Duration::from_secs(30);

/// What answers calls from other hosts.
pub(super) struct CallListener {
    pub(super) bus: Bus,
    pub(super) server: Arc<dyn CallServer>,
    pub(super) claim_checks: ClaimChecks,
    /// Owns the tasks that calls run in.
    pub(super) tasks: TaskTracker,
}

/// What an answer is to: enough to say that there is none.
struct PendingReply<'a> {
    request: Request<'a>,
    /// Until when its importer waits.
    deadline: Instant,
}

impl CallListener {
    /// Answers what comes to `calls` until `stop`.
    pub(super) async fn run(self, mut calls: Subscription, stop: CancellationToken) {
        let this = Arc::new(self);
        let permits = Arc::new(Semaphore::new(CALLS_MAX));
        let mut dedup = Dedup::default();
        loop {
            let message = tokio::select! {
                message = calls.next_message() => message,
                () = stop.cancelled() => return,
            };
            let Some(message) = message else { return };
            if let Some(reply) = &message.reply
                && !dedup.is_first(reply)
            {
                this.reject(Refusal::Replayed, reply.as_str());
                continue;
            }
            let Ok(permit) = permits.clone().acquire_owned().await else {
                return;
            };
            let listener = this.clone();
            // Its future has some kilobytes, which would be moved three times on their way into the task.
            let listener = boxed(move || async move {
                listener.serve(message).await;
                drop(permit);
            });
            this.tasks.spawn(Box::into_pin(listener));
        }
    }

    async fn serve(&self, message: Message) {
        let arrived = Instant::now();
        let Some(reply) = &message.reply else {
            return self.note(&message.payload);
        };
        let kind = Envelope::open(&message.payload).map(|envelope| envelope.kind());
        match kind {
            // Boxed, as all that is seldom: every call's task would have room for it.
            Ok(Kind::Held) => {
                Box::pin(self.serve_offloaded(&message.payload, arrived, reply)).await
            }
            Ok(_) => {
                let answer = self.server.answer(&message.payload).await;
                // Whoever asks is told at least that it was dealt with.
                let answer = answer.unwrap_or_default();
                self.send_reply(&message.payload, arrived, reply, answer)
                    .await;
            }
            Err(error) => {
                self.server.rejected().count_frame(&error);
                self.publish(reply, Bytes::new()).await;
            }
        }
    }

    /// Takes note of what asks for no answer. A call does, so one that does not say where is not run.
    fn note(&self, frame: &[u8]) {
        match Envelope::open(frame).map(|envelope| envelope.kind()) {
            Ok(kind @ (Kind::Request | Kind::Held | Kind::Drop)) => {
                self.reject(Refusal::Unanswerable, kind.name());
            }
            _ => self.server.note(frame),
        }
    }

    /// Answers a call whose arguments are fetched first, if the call is taken at all.
    async fn serve_offloaded(&self, frame: &[u8], arrived: Instant, reply: &Subject) {
        let read = Frame::decode(frame).and_then(|frame| match frame {
            Frame::Held(held) => Ok((held, held.request()?)),
            other => Err(FrameError::Unexpected {
                expected: Kind::Held,
                found: other.kind(),
            }),
        });
        let (held, request) = match read {
            Ok(read) => read,
            Err(error) => {
                self.server.rejected().count_frame(&error);
                return self.publish(reply, Bytes::new()).await;
            }
        };
        let answer = match self.run_offloaded(&held, &request).await {
            Ok(answer) => answer,
            Err(failure) => reply_frame(&request, None, &Err(failure)),
        };
        self.send_reply(frame, arrived, reply, answer).await;
    }

    /// Fetches a call's arguments and makes it.
    ///
    /// # Errors
    /// Why it was not made.
    async fn run_offloaded(
        &self,
        held: &Held<'_>,
        head: &Request<'_>,
    ) -> Result<Vec<u8>, LinkFailure> {
        // It has its place at the target before anything is fetched for it.
        let call = self.server.admit(head)?;
        let to = head.target.component;
        let failure = |code, reason: String| LinkFailure::new(code, format!("`{to}`: {reason}"));
        let fetched = self.claim_checks.fetcher.fetch(held, call.deadline()).await;
        let fetched = fetched.map_err(|error| {
            let code = error.request_failure_code();
            failure(
                code,
                format!("its arguments were not fetched: {}", chain(&error)),
            )
        })?;
        let Ok(Frame::Request(request)) = Frame::decode(&fetched.frame) else {
            let reason = "its arguments cannot be read".to_owned();
            return Err(failure(FailureCode::Refused, reason));
        };
        Ok(call.make(&request).await)
    }

    /// Sends the answer to a frame.
    async fn send_reply(&self, frame: &[u8], arrived: Instant, reply: &Subject, answer: Vec<u8>) {
        if answer.len() > self.bus.max_payload()
            && let Some(pending) = PendingReply::of(frame, arrived)
        {
            return Box::pin(self.offload_reply(&pending, reply, answer)).await;
        }
        self.publish(reply, answer.into()).await;
    }

    /// Keeps an answer until it is fetched.
    async fn offload_reply(&self, pending: &PendingReply<'_>, reply: &Subject, answer: Vec<u8>) {
        let stored = match self.claim_checks.store.store(answer.into()) {
            Ok(stored) => stored,
            Err(error) => {
                return self
                    .publish(reply, pending.failure_frame(&chain(&error)))
                    .await;
            }
        };
        let (claim, held) = match stored.claim(&self.bus) {
            Ok(claimed) => claimed,
            Err(error) => {
                return self
                    .publish(reply, pending.failure_frame(&chain(&error)))
                    .await;
            }
        };
        self.publish(reply, held).await;
        let until = pending.deadline.min(Instant::now() + REPLY_STORED_MAX);
        if timeout_at(until, claim.all_requested()).await.is_err() {
            tracing::debug!(
                to = pending.request.target.component,
                "a result was not fetched"
            );
        }
    }

    async fn publish(&self, reply: &Subject, answer: Bytes) {
        if let Err(error) = self.bus.publish(reply, None, answer).await {
            // Whoever asked has a deadline.
            tracing::warn!(%error, "a reply to another host was not sent");
        }
    }

    fn reject(&self, refusal: Refusal, reason: &str) {
        self.server.rejected().count(refusal, reason);
    }
}

impl<'a> PendingReply<'a> {
    /// What a frame asks; none if it asks for no result.
    fn of(frame: &'a [u8], arrived: Instant) -> Option<Self> {
        let request = match Frame::decode(frame) {
            Ok(Frame::Request(request)) => request,
            Ok(Frame::Held(held)) => held.request().ok()?,
            _ => return None,
        };
        let allowed = Duration::from_millis(request.deadline_ms.into());
        Some(Self {
            request,
            deadline: arrived + allowed,
        })
    }

    /// The reply to a call whose result cannot be sent.
    fn failure_frame(&self, reason: &str) -> Bytes {
        let to = self.request.target.component;
        let reason = format!("`{to}`: its result cannot be sent: {reason}");
        let failure = LinkFailure::new(FailureCode::MaybeExecuted, reason);
        reply_frame(&self.request, None, &Err(failure)).into()
    }
}
