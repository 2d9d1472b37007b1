//! The host's two ends of a stream. Dropping an end closes it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use weft_wire::CancelledBy;

use super::flow::{CREDIT_STEP_BYTES, Incoming, Outgoing};
use super::{CallSide, Ended, ReaderDropped, Stream, WINDOW_BYTES};
use crate::stream_message::Message;

/// The sending end, for a stream that this side writes.
pub struct Sender {
    pub(super) side: Arc<CallSide>,
    pub(super) number: u32,
}

/// The receiving end, for a stream that the other side writes.
pub struct Receiver {
    pub(super) side: Arc<CallSide>,
    pub(super) number: u32,
}

// === impl Sender ===

impl Sender {
    /// Ready when a chunk may be sent, or when the reader is gone.
    pub fn poll_credit(&self, context: &Context<'_>) -> Poll<Result<(), ReaderDropped>> {
        self.with(|outgoing| {
            if outgoing.has_lost_reader {
                Poll::Ready(Err(ReaderDropped))
            } else if outgoing.credit > 0 {
                Poll::Ready(Ok(()))
            } else {
                outgoing.waker = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .unwrap_or(Poll::Ready(Err(ReaderDropped)))
    }

    /// Ready once the reader is gone. Only one task at a time may wait for this or for credit.
    pub(crate) fn poll_reader_dropped(&self, context: &Context<'_>) -> Poll<()> {
        self.with(|outgoing| {
            if outgoing.has_lost_reader {
                return Poll::Ready(());
            }
            outgoing.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .unwrap_or(Poll::Ready(()))
    }

    /// Sends the trailers of a body, as soon as the stream is accepted: before that, the other side
    /// may not know of it.
    pub(crate) fn send_trailers(&self, fields: Vec<(String, Vec<u8>)>) {
        let stream = self.number;
        let trailers = Message::Trailers { stream, fields };
        self.side.update(|state, _| {
            let Some(outgoing) = state.outgoing(stream) else {
                return;
            };
            if outgoing.has_lost_reader {
                return;
            }
            if outgoing.is_accepted {
                state.outbox.push_back(trailers);
            } else {
                outgoing.pending_trailers = Some(trailers);
            }
        });
    }

    /// Ends the stream, and waits until its end is sent or its reader is gone. A side without
    /// another owner would be dropped before, and its reader would find the stream incomplete.
    pub(crate) async fn finish(self) {
        let (side, number) = (self.side.clone(), self.number);
        drop(self);
        poll_fn(|context| side.poll_ended(number, context)).await;
    }

    /// Ends the stream as incomplete.
    pub(crate) fn fail(self) {
        self.side.fail();
    }

    /// The most bytes of a byte stream in one chunk: a chunk fits into a message.
    #[must_use]
    pub fn chunk_bytes(&self) -> usize {
        self.side.chunk_bytes()
    }

    /// Number of bytes that may be sent now.
    pub fn credit(&self) -> usize {
        let credit = self.with(|outgoing| match outgoing.has_lost_reader {
            true => 0,
            false => outgoing.credit,
        });
        usize::try_from(credit.unwrap_or(0)).unwrap_or(0)
    }

    /// Sends a chunk. The caller has polled for credit before.
    pub fn send(&self, payload: Vec<u8>) {
        self.side.update(|state, _| {
            let stream = self.number;
            if let Some(outgoing) = state.outgoing(stream) {
                outgoing.credit -= payload.len() as i64;
                outgoing.is_written = true;
            }
            state.outbox.push_back(Message::Chunk { stream, payload });
        });
    }

    /// Sends the only chunk of a future, as soon as there is credit. The value is stored until
    /// then: a guest that waits to write a future cannot be cancelled when the reader is dropped.
    pub fn send_only(&self, payload: Vec<u8>) {
        self.side.update(|state, _| {
            let stream = self.number;
            let Some(outgoing) = state.outgoing(stream) else {
                return;
            };
            outgoing.is_written = true;
            if outgoing.has_lost_reader {
                return;
            }
            if outgoing.credit <= 0 {
                outgoing.pending_chunk = Some(payload);
                return;
            }
            outgoing.credit -= payload.len() as i64;
            state.outbox.push_back(Message::Chunk { stream, payload });
        });
    }

    fn with<R>(&self, update: impl FnOnce(&mut Outgoing) -> R) -> Option<R> {
        self.side.state().outgoing(self.number).map(update)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.side.update(|state, wakers| {
            let has_failed = state.has_failed;
            let Some(outgoing) = state.outgoing(self.number) else {
                return;
            };
            let end = outgoing.end_message(self.number, has_failed);
            if !outgoing.has_lost_reader
                && (!outgoing.is_accepted || outgoing.pending_chunk.is_some())
            {
                outgoing.pending_end = Some(end);
                return;
            }
            if !outgoing.has_lost_reader {
                state.outbox.push_back(end);
            }
            state.streams.remove(&self.number);
            state.notify(wakers);
        });
    }
}

// === impl Receiver ===

impl Receiver {
    /// The next chunk, or the end of the stream.
    pub fn poll_chunk(&self, context: &Context<'_>) -> Poll<Result<Vec<u8>, Ended>> {
        // The chunk that the first credit requests may arrive before this returns; it wakes
        // `context`.
        self.side.update(|state, _| {
            let Some(incoming) = state.incoming(self.number) else {
                return Poll::Ready(Err(Ended::Broken));
            };
            match (incoming.chunks.pop_front(), incoming.end) {
                (Some(chunk), _) => return Poll::Ready(Ok(chunk)),
                (None, Some(end)) => return Poll::Ready(Err(end)),
                (None, None) => {}
            }
            incoming.waker = Some(context.waker().clone());
            if !incoming.is_granted {
                incoming.is_granted = true;
                incoming.credit = WINDOW_BYTES.into();
                let (stream, bytes) = (self.number, WINDOW_BYTES);
                state.outbox.push_back(Message::Credit { stream, bytes });
            }
            Poll::Pending
        })
    }

    /// The next chunk, if it has arrived.
    pub fn chunk(&self) -> Option<Vec<u8>> {
        self.with(|incoming| incoming.chunks.pop_front()).flatten()
    }

    /// The trailers of a body that has ended, if it has any.
    pub(crate) fn trailers(&self) -> Option<Vec<(String, Vec<u8>)>> {
        self.with(|incoming| incoming.trailers.take()).flatten()
    }

    /// Breaks the stream, because its writer sent a malformed chunk.
    pub fn refuse(&self) {
        self.side.update(|state, _| {
            if let Some(incoming) = state.incoming(self.number) {
                incoming.chunks.clear();
                incoming.end = Some(Ended::Broken);
            }
            state.outbox.push_back(self.cancel_message());
        });
    }

    /// Marks a chunk of `bytes` bytes as read, so that the writer gets credit for more.
    pub fn consumed(&self, bytes: usize) {
        self.side.update(|state, _| {
            let stream = self.number;
            let Some(incoming) = state.incoming(stream) else {
                return;
            };
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            incoming.consumed = incoming.consumed.saturating_add(bytes);
            if incoming.consumed < CREDIT_STEP_BYTES || incoming.end.is_some() {
                return;
            }
            let bytes = std::mem::take(&mut incoming.consumed);
            incoming.credit += i64::from(bytes);
            state.outbox.push_back(Message::Credit { stream, bytes });
        });
    }

    fn cancel_message(&self) -> Message {
        Message::Cancel {
            stream: self.number,
            by: CancelledBy::Reader,
        }
    }

    fn with<R>(&self, update: impl FnOnce(&mut Incoming) -> R) -> Option<R> {
        self.side.state().incoming(self.number).map(update)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.side.update(|state, wakers| {
            let Some(Stream::In(incoming)) = state.streams.remove(&self.number) else {
                return;
            };
            if incoming.end.is_none() {
                state.outbox.push_back(self.cancel_message());
            }
            state.notify(wakers);
        });
    }
}
