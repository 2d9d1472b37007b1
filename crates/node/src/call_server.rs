//! The server of calls from other hosts: each frame goes to the runtime's [`CallServer`]. Arguments
//! and results that exceed a message go through [`claim_check`](crate::claim_check).

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weft_bus::{Bus, Message, Subject, Subscription};
use weft_link::{AdmittedCall, CallServer, LinkFailure, RejectReason, boxed, reply_frame};
use weft_telemetry::chain;
use weft_wire::{Envelope, FailureCode, Frame, FrameError, Held, Kind, Request};

use crate::bus_return;
use crate::claim_check::{ClaimChecks, FetchedFrame, OutgoingMessage, PendingReply};
use crate::dedup::Dedup;
use crate::host_tasks::HostTasks;
use crate::running_calls::RunningCalls;

/// The most calls from other hosts at once. Each endpoint has a limit of its own far below it and
/// replies `busy` there; this one bounds the calls whose target is not decoded yet.
const CALLS_MAX: usize = 10_000;

/// Receives calls of other hosts.
pub(super) struct CallListener {
    pub(super) bus: Bus,
    pub(super) server: Arc<dyn CallServer>,
    pub(super) claim_checks: ClaimChecks,
    pub(super) running: Arc<RunningCalls>,
    /// Owns the tasks that calls run in.
    pub(super) tasks: HostTasks,
}

impl CallListener {
    /// Serves the messages of `calls` until `stop`.
    pub(super) async fn run(self, mut calls: Subscription, stop: CancellationToken) {
        let this = Arc::new(self);
        let permits = Arc::new(Semaphore::new(CALLS_MAX));
        let mut dedup = Dedup::default();
        loop {
            let message = stop.run_until_cancelled(calls.next_message()).await;
            let Some(Some(message)) = message else { return };
            if let Some(reply) = &message.reply
                && !dedup.is_first(reply)
            {
                this.reject(RejectReason::Replayed, reply.as_str());
                continue;
            }
            let Ok(permit) = permits.clone().acquire_owned().await else {
                return;
            };
            let listener = this.clone();
            // The future takes some kilobytes, which would be moved three times on their way into
            // the task.
            let listener = boxed(move || async move {
                listener.serve(message).await;
                drop(permit);
            });
            this.tasks.spawn(Box::into_pin(listener));
        }
    }

    async fn serve(&self, message: Message) {
        let arrived = Instant::now();
        let frame = &message.payload;
        let Some(reply) = &message.reply else {
            return self.receive(frame);
        };
        match Frame::decode(frame) {
            Ok(Frame::Request(request)) => {
                let running = self.server.answer(frame);
                if let Some(answer) = self.until_cancelled(request.call, running).await {
                    let pending = PendingReply::new(&request, arrived);
                    let answer = answer.unwrap_or_default();
                    self.send_reply(&pending, reply, answer).await;
                }
            }
            // Boxed because it is rare: the task of every call would have room for it.
            Ok(Frame::Held(held)) => {
                Box::pin(self.serve_offloaded(&held, arrived, reply)).await;
            }
            Ok(_) => {
                // An empty reply still reports that the frame was processed.
                let answer = self.server.answer(frame).await.unwrap_or_default();
                let deadline = arrived + bus_return::SETTLE_TIME;
                self.publish(reply, answer.into(), deadline).await;
            }
            Err(error) => self.reject_frame(&error, reply).await,
        }
    }

    /// Runs a call until it ends or its caller cancels it, which drops it. `None` if cancelled.
    async fn until_cancelled<R>(&self, call: u64, running: impl Future<Output = R>) -> Option<R> {
        let call = self.running.start(call);
        tokio::select! {
            biased;
            ended = running => Some(ended),
            () = call.cancelled() => None,
        }
    }

    /// Handles a frame without a reply subject. A call needs one, so a call without it does not
    /// run.
    fn receive(&self, frame: &[u8]) {
        match Envelope::open(frame).map(|envelope| envelope.kind()) {
            Ok(Kind::Abandon) => {
                if let Ok(Frame::Abandon(abandon)) = Frame::decode(frame) {
                    self.running.cancel(abandon.call);
                }
            }
            Ok(kind @ (Kind::Request | Kind::Held | Kind::Drop)) => {
                self.reject(RejectReason::Unanswerable, kind.name());
            }
            _ => self.server.receive(frame),
        }
    }

    /// Serves a call whose arguments are fetched first, if the call is admitted.
    async fn serve_offloaded(&self, held: &Held<'_>, arrived: Instant, reply: &Subject) {
        let request = match held.request() {
            Ok(request) => request,
            Err(error) => return self.reject_frame(&error, reply).await,
        };
        let running = self.run_offloaded(held, &request);
        let Some(ended) = self.until_cancelled(request.call, running).await else {
            return;
        };
        let answer = ended.unwrap_or_else(|failure| reply_frame(&request, None, &Err(failure)));
        let pending = PendingReply::new(&request, arrived);
        self.send_reply(&pending, reply, answer).await;
    }

    /// # Errors
    /// The reason the call did not run.
    async fn run_offloaded(
        &self,
        held: &Held<'_>,
        head: &Request<'_>,
    ) -> Result<Vec<u8>, LinkFailure> {
        let (call, fetched) =
            admit_offloaded(&*self.server, &self.claim_checks, held, head).await?;
        Ok(call.make(&fetched_request(&fetched, head)?).await)
    }

    /// Sends the reply to a call, offloaded if it exceeds a message.
    async fn send_reply(&self, pending: &PendingReply<'_>, reply: &Subject, answer: Vec<u8>) {
        let OutgoingMessage { message, fetched } = self.claim_checks.offload_reply(pending, answer);
        self.publish(reply, message, pending.deadline()).await;
        if let Some(fetched) = fetched {
            fetched.await;
        }
    }

    /// Sends a reply, once the bus is there.
    async fn publish(&self, reply: &Subject, answer: Bytes, deadline: Instant) {
        let sent = bus_return::send_reply(&self.bus, reply, answer, deadline);
        if let Err(error) = sent.await {
            // The caller has a deadline.
            tracing::warn!(%error, "a reply was not sent to another host");
        }
    }

    /// Counts an invalid frame, and sends an empty reply to it.
    async fn reject_frame(&self, error: &FrameError, reply: &Subject) {
        self.server.rejected().count_frame(error);
        self.publish(reply, Bytes::new(), Instant::now()).await;
    }

    fn reject(&self, reason: RejectReason, detail: &str) {
        self.server.rejected().count(reason, detail);
    }
}

/// Admits a call, then fetches its arguments: a rejected call costs no transfer.
///
/// # Errors
/// The reason the call does not run.
pub(super) async fn admit_offloaded(
    server: &dyn CallServer,
    claim_checks: &ClaimChecks,
    held: &Held<'_>,
    head: &Request<'_>,
) -> Result<(Box<dyn AdmittedCall>, FetchedFrame), LinkFailure> {
    let call = server.admit(head)?;
    let fetched = claim_checks.fetcher.fetch(held, call.deadline()).await;
    let fetched = fetched.map_err(|error| {
        let to = head.target.component;
        let reason = chain(&error);
        let reason = format!("the arguments for `{to}` were not fetched: {reason}");
        LinkFailure::new(error.request_failure_code(), reason)
    })?;
    Ok((call, fetched))
}

/// The request in a fetched frame.
///
/// # Errors
/// `refused` if the frame is not a request.
pub(super) fn fetched_request<'a>(
    fetched: &'a FetchedFrame,
    head: &Request<'_>,
) -> Result<Request<'a>, LinkFailure> {
    match Frame::decode(&fetched.frame) {
        Ok(Frame::Request(request)) => Ok(request),
        _ => {
            let to = head.target.component;
            let reason = format!("the arguments for `{to}` are malformed");
            Err(LinkFailure::new(FailureCode::Refused, reason))
        }
    }
}
