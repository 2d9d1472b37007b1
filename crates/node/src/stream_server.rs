//! Streaming calls and forwarded requests of other hosts: each is a channel of the bus
//! ([`bus_channel`](crate::bus_channel)) whose first frame requests the call.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::oneshot;
use weft_bus::Bus;
use weft_ingress::ForwardedRequests;
use weft_link::{Answer, CallEnd, CallServer, Role, Side, too_large};
use weft_wire::Frame;

use crate::bus_channel::Begun;
use crate::stream_client::take_in;

/// Answers calls with streams.
#[derive(Clone)]
pub(super) struct Answering {
    pub(super) server: Arc<dyn CallServer>,
    pub(super) http: ForwardedRequests,
    pub(super) bus: Bus,
}

/// What a frame that begins a conversation asks for.
enum Asked {
    Call,
    Http,
}

impl Answering {
    /// Serves a call that another host began, until nothing is left of it.
    pub(super) async fn serve(self, begun: Begun) {
        let Begun { mut line, frame } = begun;
        let (asked, call) = match Frame::decode(&frame) {
            Ok(Frame::Request(request)) => (Asked::Call, request.call),
            Ok(Frame::HttpRequest(request)) => (Asked::Http, request.call),
            // It is late, and about a call that is over.
            Ok(_) => return,
            Err(error) => return tracing::warn!(%error, "a frame was refused"),
        };
        let (side, mut away) = Side::away(Role::Exporter, call);
        let (sender, mut answer) = oneshot::channel();
        let work = async {
            match asked {
                Asked::Call => self.server.serve_streams(side, &frame, sender).await,
                Asked::Http => self.http.serve(side, &frame, sender).await,
            }
        };
        let mut work = pin!(work);
        let (mut is_done, mut is_answered) = (false, false);
        // Whether this side has said all, and whether the other is gone.
        let (mut is_silent, mut is_alone) = (false, false);
        while !(is_done && is_silent && is_answered) {
            tokio::select! {
                biased;
                answer = &mut answer, if !is_answered => match answer {
                    Ok(Answer::GoesOn(reply)) => {
                        is_answered = true;
                        line.abandons(Some(call));
                        let reply = self.fitting(&frame, reply);
                        if line.send(reply).await.is_err() {
                            return;
                        }
                    }
                    Ok(Answer::Over(CallEnd::Frame(reply))) => {
                        let reply = self.fitting(&frame, reply);
                        // That a stream was left is said before, for nothing is said after.
                        while let Some(said) = away.said() {
                            let _ = line.send(said).await;
                        }
                        // Whoever asked has a deadline.
                        let _ = line.send_last(reply).await;
                        return;
                    }
                    Ok(Answer::Over(CallEnd::Failed(_))) | Err(_) => return,
                },
                heard = line.hear(), if !is_alone => if !take_in(&heard, &mut away) {
                    if !is_answered {
                        // Nobody waits for it.
                        return;
                    }
                    is_alone = true;
                    line.abandons(None);
                },
                said = away.next(), if !is_silent => match said {
                    Some(_) if is_alone => {}
                    Some(said) => if line.send(said).await.is_err() {
                        away.lose();
                        is_alone = true;
                    },
                    None => is_silent = true,
                },
                () = &mut work, if !is_done => is_done = true,
            }
        }
        line.abandons(None);
    }

    /// A reply, or that it is larger than what carries it.
    fn fitting(&self, frame: &[u8], reply: Vec<u8>) -> Vec<u8> {
        let limit = self.bus.max_payload();
        if reply.len() <= limit {
            return reply;
        }
        too_large(frame, reply.len(), limit).unwrap_or(reply)
    }
}
