//! The server of streaming calls and forwarded requests from other hosts: each is a
//! [channel](crate::bus_channel) whose first frame is the request.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::oneshot;
use weft_bus::Bus;
use weft_ingress::ForwardedRequests;
use weft_link::{Answer, CallEnd, CallServer, Role, Side, too_large};
use weft_wire::Frame;

use crate::bus_channel::Accepted;
use crate::stream_client::receive_frame;

/// Serves streaming calls and forwarded requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct StreamServer {
    pub(super) server: Arc<dyn CallServer>,
    pub(super) http: ForwardedRequests,
    pub(super) bus: Bus,
}

/// The kind of a channel's first frame.
enum RequestKind {
    Call,
    Http,
}

impl StreamServer {
    /// Serves a channel until its call is over.
    pub(super) async fn serve(self, accepted: Accepted) {
        let Accepted { mut channel, frame } = accepted;
        let (kind, call) = match Frame::decode(&frame) {
            Ok(Frame::Request(request)) => (RequestKind::Call, request.call),
            Ok(Frame::HttpRequest(request)) => (RequestKind::Http, request.call),
            // A late frame of a call that is over.
            Ok(_) => return,
            Err(error) => {
                return tracing::warn!(%error, "rejected a malformed frame");
            }
        };
        let (side, mut away) = Side::away(Role::Exporter, call);
        let (sender, mut answer) = oneshot::channel();
        let work = async {
            match kind {
                RequestKind::Call => self.server.serve_streams(side, &frame, sender).await,
                RequestKind::Http => self.http.serve(side, &frame, sender).await,
            }
        };
        let mut work = pin!(work);
        let (mut is_done, mut is_answered) = (false, false);
        // True once this side has sent all its frames, and once the caller is lost.
        let (mut is_sent, mut is_caller_lost) = (false, false);
        while !(is_done && is_sent && is_answered) {
            tokio::select! {
                biased;
                answer = &mut answer, if !is_answered => match answer {
                    Ok(Answer::GoesOn(reply)) => {
                        is_answered = true;
                        channel.abandon_on_drop(Some(call));
                        let reply = self.fit_reply(&frame, reply);
                        if channel.send(reply).await.is_err() {
                            return;
                        }
                    }
                    Ok(Answer::Over(CallEnd::Frame(reply))) => {
                        let reply = self.fit_reply(&frame, reply);
                        // Frames about abandoned streams go before the reply, which is the last
                        // frame.
                        while let Some(outgoing) = away.said() {
                            let _ = channel.send(outgoing).await;
                        }
                        // The caller has a deadline.
                        let _ = channel.send_last(reply).await;
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
                outgoing = away.next(), if !is_sent => match outgoing {
                    Some(_) if is_caller_lost => {}
                    Some(outgoing) => if channel.send(outgoing).await.is_err() {
                        away.lose();
                        is_caller_lost = true;
                    },
                    None => is_sent = true,
                },
                () = &mut work, if !is_done => is_done = true,
            }
        }
        channel.abandon_on_drop(None);
    }

    /// The reply, or a failure in its place if it exceeds a message.
    fn fit_reply(&self, frame: &[u8], reply: Vec<u8>) -> Vec<u8> {
        let limit = self.bus.max_payload();
        if reply.len() <= limit {
            return reply;
        }
        too_large(frame, reply.len(), limit).unwrap_or(reply)
    }
}
