//! One stream as a side of a call tracks it: [`Outgoing`] if the side writes it, [`Incoming`] if
//! the other side does.
//!
//! Nothing here locks or sends. The functions return the messages to send and collect the wakers to
//! wake; the holder of the lock does both after it has released the lock.

use std::collections::VecDeque;
use std::task::Waker;

use weft_wire::CancelledBy;

use super::{Ended, Kind, WINDOW_BYTES};
use crate::stream_message::Message;

/// Number of consumed bytes that a credit message returns: one message for several chunks, and long
/// before the credit of the writer runs out.
pub(super) const CREDIT_STEP_BYTES: u32 = WINDOW_BYTES / 4;

/// A stream that this side writes.
pub(super) struct Outgoing {
    pub(super) kind: Kind,
    pub(super) credit: i64,
    /// The chunk of a future, until there is credit for it.
    pub(super) pending_chunk: Option<Vec<u8>>,
    /// True if credit has arrived. Until then the other side may not have accepted the stream.
    pub(super) is_accepted: bool,
    /// The trailers of a body, until the stream is accepted.
    pub(super) pending_trailers: Option<Message>,
    /// The end of the stream, until the stream is accepted and its pending chunk is sent.
    pub(super) pending_end: Option<Message>,
    pub(super) has_lost_reader: bool,
    pub(super) is_written: bool,
    pub(super) waker: Option<Waker>,
}

/// A stream that the other side writes.
#[derive(Default)]
pub(super) struct Incoming {
    pub(super) chunks: VecDeque<Vec<u8>>,
    /// True if the first read has granted credit. Nothing is accepted before that, so that a stream
    /// without a reader is not written either.
    pub(super) is_granted: bool,
    /// Remaining credit of the writer.
    pub(super) credit: i64,
    /// Consumed bytes for which no credit was returned yet.
    pub(super) consumed: u32,
    pub(super) end: Option<Ended>,
    /// Trailers of the body of a request or response.
    pub(super) trailers: Option<Vec<(String, Vec<u8>)>>,
    pub(super) waker: Option<Waker>,
}

// === impl Outgoing ===

impl Outgoing {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            credit: 0,
            pending_chunk: None,
            is_accepted: false,
            pending_trailers: None,
            pending_end: None,
            has_lost_reader: false,
            is_written: false,
            waker: None,
        }
    }

    pub(super) fn is_unwanted(&self) -> bool {
        self.kind == Kind::Future && self.has_lost_reader && !self.is_written
    }

    /// Adds credit, and queues the messages that waited for it, in their order. Returns whether the
    /// end of the stream is among them.
    pub(super) fn add_credit(
        &mut self,
        number: u32,
        bytes: u32,
        outbox: &mut VecDeque<Message>,
        wakers: &mut Wakers,
    ) -> bool {
        self.is_accepted = true;
        self.credit = self.credit.saturating_add(bytes.into());
        wakers.add(&mut self.waker);
        if let Some(payload) = self.pending_chunk.take() {
            self.credit -= payload.len() as i64;
            outbox.push_back(Message::Chunk {
                stream: number,
                payload,
            });
        }
        outbox.extend(self.pending_trailers.take());
        let end = self.pending_end.take();
        let has_ended = end.is_some();
        outbox.extend(end);
        has_ended
    }

    /// The message that ends the stream.
    pub(super) fn end_message(&self, number: u32, has_failed: bool) -> Message {
        // A future without its value is as incomplete as a stream of a store that failed.
        let is_empty = self.kind == Kind::Future && !self.is_written;
        if has_failed || is_empty {
            let by = CancelledBy::Writer;
            Message::Cancel { stream: number, by }
        } else {
            Message::Finish { stream: number }
        }
    }

    pub(super) fn lose_reader(&mut self, wakers: &mut Wakers) {
        self.has_lost_reader = true;
        self.pending_chunk = None;
        self.pending_trailers = None;
        wakers.add(&mut self.waker);
    }
}

// === impl Incoming ===

impl Incoming {
    /// Stores a chunk. A chunk without credit breaks the stream. So does an empty one: it is not a
    /// list of elements, and would take memory without taking credit.
    pub(super) fn add_chunk(
        &mut self,
        number: u32,
        payload: Vec<u8>,
        wakers: &mut Wakers,
    ) -> Option<Message> {
        if self.end.is_some() {
            return None;
        }
        if self.credit <= 0 || payload.is_empty() {
            self.finish(Ended::Broken, wakers);
            return Some(Message::Cancel {
                stream: number,
                by: CancelledBy::Reader,
            });
        }
        self.credit -= payload.len() as i64;
        self.chunks.push_back(payload);
        wakers.add(&mut self.waker);
        None
    }

    pub(super) fn finish(&mut self, end: Ended, wakers: &mut Wakers) {
        self.end.get_or_insert(end);
        wakers.add(&mut self.waker);
    }
}

/// Wakers to wake after the lock is released: three without an allocation.
#[derive(Default)]
pub(super) struct Wakers([Option<Waker>; 3], Vec<Waker>);

impl Wakers {
    pub(super) fn add(&mut self, waker: &mut Option<Waker>) {
        let Some(waker) = waker.take() else { return };
        match self.0.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(waker),
            None => self.1.push(waker),
        }
    }

    pub(super) fn wake(&mut self) {
        for waker in self.0.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
        for waker in self.1.drain(..) {
            waker.wake();
        }
    }
}
