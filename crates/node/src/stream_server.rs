//! The server of streaming calls and forwarded requests from other hosts: each is a
//! [channel](crate::bus_channel) whose first frame is the request.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;
use weft_ingress::ForwardedRequests;
use weft_link::{Answer, Away, CallEnd, CallServer, LinkFailure, Role, Side, reply_frame};
use weft_telemetry::chain;
use weft_wire::{FailureCode, Frame, Held, Request};

use crate::bus_channel::{Accepted, Channel};
use crate::claim_check::{ClaimChecks, PendingReply};
use crate::stream_client::receive_frame;

/// Serves streaming calls and forwarded requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct StreamServer {
    pub(super) server: Arc<dyn CallServer>,
    pub(super) http: ForwardedRequests,
    pub(super) claim_checks: ClaimChecks,
}

/// Where the reply of a call goes.
type ReplySender = oneshot::Sender<Answer<CallEnd>>;

impl StreamServer {
    /// Serves a channel until its call is over.
    pub(super) async fn serve(self, accepted: Accepted) {
        let Accepted { channel, frame } = accepted;
        let arrived = Instant::now();
        match Frame::decode(&frame) {
            Ok(Frame::Request(request)) => {
                let (side, away) = Side::away(Role::Exporter, request.call);
                let (sender, reply) = oneshot::channel();
                let work = self.server.serve_streams(side, &frame, sender);
                let pending = Some(PendingReply::new(&request, arrived));
                self.carry(channel, away, pending, reply, work).await;
            }
            Ok(Frame::Held(held)) => match held.request() {
                Ok(head) => {
                    let (side, away) = Side::away(Role::Exporter, head.call);
                    let (sender, reply) = oneshot::channel();
                    let work = self.serve_offloaded(side, &held, &head, sender);
                    let pending = Some(PendingReply::new(&head, arrived));
                    self.carry(channel, away, pending, reply, work).await;
                }
                Err(error) => tracing::warn!(%error, "rejected a malformed frame"),
            },
            Ok(Frame::HttpRequest(request)) => {
                let (side, away) = Side::away(Role::Exporter, request.call);
                let (sender, reply) = oneshot::channel();
                let work = self.http.serve(side, &frame, sender);
                self.carry(channel, away, None, reply, work).await;
            }
            // A late frame of a call that is over.
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "rejected a malformed frame"),
        }
    }

    /// Makes a call whose arguments are fetched first, if its target admits it.
    async fn serve_offloaded(
        &self,
        side: Arc<Side>,
        held: &Held<'_>,
        head: &Request<'_>,
        reply: ReplySender,
    ) {
        if let Err((failure, reply)) = self.make_offloaded(side, held, head, reply).await {
            let frame = reply_frame(head, None, &Err(failure));
            // The caller may be gone.
            let _ = reply.send(Answer::Over(CallEnd::Frame(frame)));
        }
    }

    /// # Errors
    /// The failure of a call that was not made, with the sender of its reply.
    async fn make_offloaded(
        &self,
        side: Arc<Side>,
        held: &Held<'_>,
        head: &Request<'_>,
        reply: ReplySender,
    ) -> Result<(), (LinkFailure, ReplySender)> {
        // The call has its place at the target before its arguments take room here.
        let call = match self.server.admit(head) {
            Ok(call) => call,
            Err(failure) => return Err((failure, reply)),
        };
        let to = head.target.component;
        let fetched = self.claim_checks.fetcher.fetch(held, call.deadline()).await;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                let reason = format!(
                    "the arguments for `{to}` were not fetched: {}",
                    chain(&error)
                );
                let failure = LinkFailure::new(error.request_failure_code(), reason);
                return Err((failure, reply));
            }
        };
        let Ok(Frame::Request(request)) = Frame::decode(&fetched.frame) else {
            let reason = format!("the arguments for `{to}` cannot be read");
            let failure = LinkFailure::new(FailureCode::Refused, reason);
            return Err((failure, reply));
        };
        call.serve_streams(side, &request, reply).await;
        Ok(())
    }

    /// Carries the frames of a call until both sides are done. `pending` is for a reply that
    /// exceeds a message.
    async fn carry(
        &self,
        mut channel: Channel,
        mut away: Away,
        pending: Option<PendingReply<'_>>,
        mut answer: oneshot::Receiver<Answer<CallEnd>>,
        work: impl Future<Output = ()>,
    ) {
        let call = away.call();
        let mut work = pin!(work);
        let (mut is_done, mut is_answered) = (false, false);
        let mut offloaded = None;
        // True once this side has sent all its frames, and once the caller is lost.
        let (mut has_sent_all, mut is_caller_lost) = (false, false);
        while !(is_done && has_sent_all && is_answered && offloaded.is_none()) {
            tokio::select! {
                biased;
                answer = &mut answer, if !is_answered => match answer {
                    Ok(Answer::GoesOn(reply)) => {
                        is_answered = true;
                        channel.abandon_on_drop(Some(call));
                        let (message, fetching) = self.message(pending.as_ref(), reply);
                        offloaded = fetching;
                        if channel.send(message).await.is_err() {
                            return;
                        }
                    }
                    Ok(Answer::Over(CallEnd::Frame(reply))) => {
                        let (message, fetching) = self.message(pending.as_ref(), reply);
                        // Frames about abandoned streams go before the reply, which is the last
                        // frame.
                        while let Some(outgoing) = away.said() {
                            let _ = channel.send(outgoing).await;
                        }
                        // The caller has a deadline.
                        let _ = channel.send_last(message).await;
                        if let Some(fetching) = fetching {
                            fetching.await;
                        }
                        return;
                    }
                    Ok(Answer::Over(CallEnd::Failed(_))) | Err(_) => return,
                },
                received = channel.receive(), if !is_caller_lost => {
                    if receive_frame(&received, &mut away) {
                        continue;
                    }
                    if !is_answered {
                        // The caller does not wait any more.
                        return;
                    }
                    is_caller_lost = true;
                    channel.abandon_on_drop(None);
                },
                outgoing = away.next(), if !has_sent_all => match outgoing {
                    Some(_) if is_caller_lost => {}
                    Some(outgoing) => if channel.send(outgoing).await.is_err() {
                        away.lose();
                        is_caller_lost = true;
                    },
                    None => has_sent_all = true,
                },
                () = &mut work, if !is_done => is_done = true,
                () = until_fetched(&mut offloaded), if offloaded.is_some() => offloaded = None,
            }
        }
        channel.abandon_on_drop(None);
    }

    /// The message of a reply, and the wait until it was fetched, if it exceeds a message.
    fn message(
        &self,
        pending: Option<&PendingReply<'_>>,
        reply: Vec<u8>,
    ) -> (Bytes, Option<BoxFuture<'static, ()>>) {
        match pending {
            Some(pending) => self.claim_checks.offload(pending, reply),
            // The head of a response is bounded below a message.
            None => (reply.into(), None),
        }
    }
}

/// Waits until an offloaded reply was fetched, or expires.
async fn until_fetched(offloaded: &mut Option<BoxFuture<'static, ()>>) {
    match offloaded {
        Some(fetching) => fetching.await,
        None => std::future::pending().await,
    }
}
