//! The server of streaming calls and forwarded requests from other hosts: each is a
//! [channel](crate::bus_channel) whose first frame is the request.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use weft_ingress::ForwardedRequests;
use weft_link::{Answer, CallEnd, CallServer, CallSide, Role, serve_streams};
use weft_wire::{Frame, Held, HttpRequest, Request};

use crate::bus_channel::{Accepted, Channel, Received};
use crate::call_server::{admit_offloaded, fetched_request};
use crate::claim_check::{ClaimChecks, OutgoingMessage, PendingReply};
use crate::stream_client::{forward_frames, receive_frame};

/// Serves streaming calls and forwarded requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct StreamServer {
    pub(super) server: Arc<dyn CallServer>,
    pub(super) http: ForwardedRequests,
    pub(super) claim_checks: ClaimChecks,
}

/// The terms of sending a reply.
struct ReplyTerms<'a> {
    /// The call whose reply may exceed a message.
    pending: Option<&'a PendingReply<'a>>,
    /// The time at which the caller stops waiting.
    deadline: Instant,
}

impl<'a> ReplyTerms<'a> {
    fn of_call(pending: &'a PendingReply<'a>) -> Self {
        Self {
            pending: Some(pending),
            deadline: pending.deadline(),
        }
    }

    fn of_http(request: &HttpRequest<'_>, arrived: Instant) -> Self {
        let allowed = Duration::from_millis(request.deadline_ms.into());
        Self {
            pending: None,
            deadline: arrived + allowed,
        }
    }
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
                let pending = PendingReply::new(&request, arrived);
                let work = |side, reply| serve_streams(&*self.server, side, &request, reply);
                let reply = ReplyTerms::of_call(&pending);
                self.carry(channel, request.call, reply, work).await;
            }
            Ok(Frame::Held(held)) => match held.request() {
                Ok(head) => {
                    let pending = PendingReply::new(&head, arrived);
                    let work = |side, reply| self.serve_offloaded(side, &held, &head, reply);
                    let reply = ReplyTerms::of_call(&pending);
                    self.carry(channel, head.call, reply, work).await;
                }
                Err(error) => self.server.rejected().count_frame(&error),
            },
            Ok(Frame::HttpRequest(request)) => {
                let work = |side, reply| self.http.serve(side, &frame, reply);
                let reply = ReplyTerms::of_http(&request, arrived);
                self.carry(channel, request.call, reply, work).await;
            }
            // A late frame of a call that is over.
            Ok(_) => {}
            Err(error) => self.server.rejected().count_frame(&error),
        }
    }

    /// Makes a call whose arguments are fetched first, if its target admits it.
    async fn serve_offloaded(
        &self,
        side: Arc<CallSide>,
        held: &Held<'_>,
        head: &Request<'_>,
        reply: ReplySender,
    ) {
        let failure = match admit_offloaded(&*self.server, &self.claim_checks, held, head).await {
            Ok((call, fetched)) => match fetched_request(&fetched, head) {
                Ok(request) => return call.serve_streams(side, &request, reply).await,
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        CallEnd::reject(head, failure, reply);
    }

    /// Makes a call by `work`, and carries its frames until both sides are done.
    async fn carry<W: Future<Output = ()>>(
        &self,
        mut channel: Channel,
        call: u64,
        terms: ReplyTerms<'_>,
        work: impl FnOnce(Arc<CallSide>, ReplySender) -> W,
    ) {
        let (side, mut remote) = CallSide::with_remote(Role::Exporter, call);
        remote.limit_messages(self.claim_checks.message_bytes_max());
        let (sender, mut answer) = oneshot::channel();
        let mut work = pin!(work(side, sender));
        let (mut is_done, mut has_sent_all) = (false, false);
        let mut has_sent = false;
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answer => break answer,
                received = channel.receive() => match received {
                    // No frame but the first was due, so none is missing.
                    Received::Reconnected if remote.is_untouched() && !has_sent => {}
                    // The caller does not wait any more.
                    received => if !receive_frame(&received, &mut remote) {
                        return;
                    }
                },
                outgoing = remote.next(), if !has_sent_all => match outgoing {
                    Some(outgoing) => {
                        has_sent = true;
                        if !channel.send_stream_frame(outgoing).await {
                            return;
                        }
                    }
                    None => has_sent_all = true,
                },
                () = &mut work, if !is_done => is_done = true,
            }
        };
        match answer {
            Ok(Answer::Streaming(reply)) => {
                channel.abandon_on_drop(Some(call));
                let reply = self.message(&terms, reply);
                if channel.send_reply(reply, terms.deadline).await.is_err() {
                    return;
                }
                let work = async {
                    if !is_done {
                        work.await;
                    }
                };
                let frames = forward_frames(channel, remote, std::future::pending());
                tokio::join!(work, frames);
            }
            Ok(Answer::Ended(CallEnd::Frame(reply))) => {
                let reply = self.message(&terms, reply);
                // Frames about abandoned streams go before the reply, which is the last frame.
                while let Some(outgoing) = remote.try_next() {
                    channel.send_stream_frame(outgoing).await;
                }
                if let Err(error) = channel.send_last(reply, terms.deadline).await {
                    // The caller has a deadline.
                    tracing::warn!(%error, "a reply was not sent to another host");
                }
            }
            Ok(Answer::Ended(CallEnd::Failed(_))) | Err(_) => {}
        }
    }

    fn message(&self, terms: &ReplyTerms<'_>, reply: Vec<u8>) -> OutgoingMessage {
        match terms.pending {
            Some(pending) => self.claim_checks.offload_reply(pending, reply),
            // The response was made to fit into a message.
            None => Bytes::from(reply).into(),
        }
    }
}
