//! The host's two ends of a stream. By being dropped each says that it is over.

use std::sync::Arc;
use std::task::{Context, Poll};

use weft_wire::CancelledBy;

use super::flow::{CREDIT_STEP_BYTES, Incoming, Outgoing};
use super::{Ended, Gone, Side, Stream, WINDOW_BYTES};
use crate::stream_message::Message;

/// The host's end at which a stream of this side's store is sent on.
pub struct Sender {
    pub(super) side: Arc<Side>,
    pub(super) number: u32,
}

/// The host's end at which a stream of the other side comes in.
pub struct Receiver {
    pub(super) side: Arc<Side>,
    pub(super) number: u32,
}

// === impl Sender ===

impl Sender {
    /// Ready when a chunk may be sent.
    pub fn poll_credit(&self, context: &Context<'_>) -> Poll<Result<(), Gone>> {
        self.with(|outgoing| {
            if outgoing.gone {
                Poll::Ready(Err(Gone))
            } else if outgoing.credit > 0 {
                Poll::Ready(Ok(()))
            } else {
                outgoing.waker = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .unwrap_or(Poll::Ready(Err(Gone)))
    }

    /// Ready once nobody reads any more. One task at a time may wait for this or for credit.
    pub fn poll_gone(&self, context: &Context<'_>) -> Poll<()> {
        self.with(|outgoing| {
            if outgoing.gone {
                return Poll::Ready(());
            }
            outgoing.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .unwrap_or(Poll::Ready(()))
    }

    /// Sends what follows after a body.
    pub fn send_trailers(&self, fields: Vec<(String, Vec<u8>)>) {
        let stream = self.number;
        let trailers = Message::Trailers { stream, fields };
        self.side.change(|state, _| state.said.push_back(trailers));
    }

    /// Ends the stream before it is complete.
    pub fn fail(self) {
        self.side.fail();
    }

    /// How many more bytes may be sent now.
    pub fn credit(&self) -> usize {
        let credit = self.with(|outgoing| if outgoing.gone { 0 } else { outgoing.credit });
        usize::try_from(credit.unwrap_or(0)).unwrap_or(0)
    }

    /// Sends a chunk, for which there is credit.
    pub fn send(&self, payload: Vec<u8>) {
        self.side.change(|state, _| {
            let stream = self.number;
            if let Some(outgoing) = state.outgoing(stream) {
                outgoing.credit -= payload.len() as i64;
                outgoing.written = true;
            }
            state.said.push_back(Message::Chunk { stream, payload });
        });
    }

    /// Sends the only chunk, as soon as there is credit. For futures, whose one value is worth holding,
    /// since a writer that waits cannot be told that nobody reads.
    pub fn send_only(&self, payload: Vec<u8>) {
        self.side.change(|state, _| {
            let stream = self.number;
            let Some(outgoing) = state.outgoing(stream) else {
                return;
            };
            outgoing.written = true;
            if outgoing.gone {
                return;
            }
            if outgoing.credit <= 0 {
                outgoing.held = Some(payload);
                return;
            }
            outgoing.credit -= payload.len() as i64;
            state.said.push_back(Message::Chunk { stream, payload });
        });
    }

    fn with<R>(&self, change: impl FnOnce(&mut Outgoing) -> R) -> Option<R> {
        self.side.state().outgoing(self.number).map(change)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.side.change(|state, wakers| {
            let failed = state.failed;
            let Some(outgoing) = state.outgoing(self.number) else {
                return;
            };
            let last = outgoing.last_message(self.number, failed);
            if !outgoing.gone && (!outgoing.taken || outgoing.held.is_some()) {
                outgoing.last = Some(last);
                return;
            }
            if !outgoing.gone {
                state.said.push_back(last);
            }
            state.streams.remove(&self.number);
            state.notify(wakers);
        });
    }
}

// === impl Receiver ===

impl Receiver {
    /// The next chunk, or how the stream ended.
    pub fn poll_chunk(&self, context: &Context<'_>) -> Poll<Result<Vec<u8>, Ended>> {
        // The answer to the first credit may come at once, and wakes whoever polls here.
        self.side.change(|state, _| {
            let Some(incoming) = state.incoming(self.number) else {
                return Poll::Ready(Err(Ended::Broken));
            };
            match (incoming.chunks.pop_front(), incoming.end) {
                (Some(chunk), _) => return Poll::Ready(Ok(chunk)),
                (None, Some(end)) => return Poll::Ready(Err(end)),
                (None, None) => {}
            }
            incoming.waker = Some(context.waker().clone());
            if !incoming.wanted {
                incoming.wanted = true;
                incoming.credit = WINDOW_BYTES.into();
                let (stream, bytes) = (self.number, WINDOW_BYTES);
                state.said.push_back(Message::Credit { stream, bytes });
            }
            Poll::Pending
        })
    }

    /// The next chunk, if it is here.
    pub fn chunk(&self) -> Option<Vec<u8>> {
        self.with(|incoming| incoming.chunks.pop_front()).flatten()
    }

    /// What follows after a body that has come to its end, if anything does.
    pub fn trailers(&self) -> Option<Vec<(String, Vec<u8>)>> {
        self.with(|incoming| incoming.trailers.take()).flatten()
    }

    /// Takes nothing more from a writer that sent what it should not.
    pub fn refuse(&self) {
        self.side.change(|state, _| {
            if let Some(incoming) = state.incoming(self.number) {
                incoming.chunks.clear();
                incoming.end = Some(Ended::Broken);
            }
            state.said.push_back(self.cancel());
        });
    }

    /// Says that a chunk of so many bytes has been read, so that more may come.
    pub fn consumed(&self, bytes: usize) {
        self.side.change(|state, _| {
            let stream = self.number;
            let Some(incoming) = state.incoming(stream) else {
                return;
            };
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            incoming.owed = incoming.owed.saturating_add(bytes);
            if incoming.owed < CREDIT_STEP_BYTES || incoming.end.is_some() {
                return;
            }
            let bytes = std::mem::take(&mut incoming.owed);
            incoming.credit += i64::from(bytes);
            state.said.push_back(Message::Credit { stream, bytes });
        });
    }

    /// That nobody reads any more.
    fn cancel(&self) -> Message {
        Message::Cancel {
            stream: self.number,
            by: CancelledBy::Reader,
        }
    }

    fn with<R>(&self, change: impl FnOnce(&mut Incoming) -> R) -> Option<R> {
        self.side.state().incoming(self.number).map(change)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.side.change(|state, wakers| {
            let Some(Stream::In(incoming)) = state.streams.remove(&self.number) else {
                return;
            };
            if incoming.end.is_none() {
                state.said.push_back(self.cancel());
            }
            state.notify(wakers);
        });
    }
}
