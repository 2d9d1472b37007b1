//! The server of streaming calls and forwarded requests from other hosts: each is a
//! [channel](crate::bus_channel) whose first frame is the request.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use weft_ingress::ForwardedRequests;
use weft_link::{Answer, CallEnd, CallServer, CallSide, Role, serve_streams};
use weft_wire::{Frame, Held, Request};

use crate::bus_channel::{Accepted, Channel};
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

/// Where the reply of a call goes.
type ReplySender = oneshot::Sender<Answer<CallEnd>>;

impl StreamServer {
    /// Serves a channel until its call is over.
    pub(super) async fn serve(self, accepted: Accepted) {
        let Accepted { channel, frame } = accepted;
        let arrived = Instant::now();
        match Frame::decode(&frame) {
            Ok(Frame::Request(request)) => {
                let pending = Some(PendingReply::new(&request, arrived));
                let work = |side, reply| serve_streams(&*self.server, side, &request, reply);
                self.carry(channel, request.call, pending, work).await;
            }
            Ok(Frame::Held(held)) => match held.request() {
                Ok(head) => {
                    let pending = Some(PendingReply::new(&head, arrived));
                    let work = |side, reply| self.serve_offloaded(side, &held, &head, reply);
                    self.carry(channel, head.call, pending, work).await;
                }
                Err(error) => self.server.rejected().count_frame(&error),
            },
            Ok(Frame::HttpRequest(request)) => {
                let work = |side, reply| self.http.serve(side, &frame, reply);
                self.carry(channel, request.call, None, work).await;
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

    /// Makes a call by `work`, and carries its frames until both sides are done. `pending` is for a
    /// reply that exceeds a message.
    async fn carry<W: Future<Output = ()>>(
        &self,
        mut channel: Channel,
        call: u64,
        pending: Option<PendingReply<'_>>,
        work: impl FnOnce(Arc<CallSide>, ReplySender) -> W,
    ) {
        let (side, mut remote) = CallSide::with_remote(Role::Exporter, call);
        let (sender, mut answer) = oneshot::channel();
        let mut work = pin!(work(side, sender));
        let (mut is_done, mut has_sent_all) = (false, false);
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answer => break answer,
                received = channel.receive() => if !receive_frame(&received, &mut remote) {
                    // The caller does not wait any more.
                    return;
                },
                outgoing = remote.next(), if !has_sent_all => match outgoing {
                    Some(outgoing) => if !channel.send_stream_frame(outgoing).await {
                        return;
                    },
                    None => has_sent_all = true,
                },
                () = &mut work, if !is_done => is_done = true,
            }
        };
        match answer {
            Ok(Answer::Streaming(reply)) => {
                channel.abandon_on_drop(Some(call));
                let reply = self.message(pending.as_ref(), reply);
                if channel.send(reply).await.is_err() {
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
                let reply = self.message(pending.as_ref(), reply);
                // Frames about abandoned streams go before the reply, which is the last frame.
                while let Some(outgoing) = remote.try_next() {
                    channel.send_stream_frame(outgoing).await;
                }
                // The caller has a deadline.
                let _ = channel.send_last(reply).await;
            }
            Ok(Answer::Ended(CallEnd::Failed(_))) | Err(_) => {}
        }
    }

    fn message(&self, pending: Option<&PendingReply<'_>>, reply: Vec<u8>) -> OutgoingMessage {
        match pending {
            Some(pending) => self.claim_checks.offload_reply(pending, reply),
            // The head of a response is bounded below a message.
            None => Bytes::from(reply).into(),
        }
    }
}
