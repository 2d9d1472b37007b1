//! One stream as a side knows it: what it writes ([`Outgoing`]) or what comes in ([`Incoming`]).
//!
//! Nothing here locks or sends: whoever has the lock is told what to send, and whom to wake, when it has
//! let go of it.

use std::collections::VecDeque;
use std::task::Waker;

use weft_wire::CancelledBy;

use super::{Ended, Kind, WINDOW_BYTES};
use crate::stream_message::Message;

/// Credit goes back in pieces of this size: one message for several chunks, and long before the writer
/// has none left.
pub(super) const CREDIT_STEP_BYTES: u32 = WINDOW_BYTES / 4;

/// What this side writes.
pub(super) struct Outgoing {
    pub(super) kind: Kind,
    pub(super) credit: i64,
    /// A chunk that waits for credit, of a writer that does not.
    pub(super) held: Option<Vec<u8>>,
    /// Whether the other side has taken it. Until then it knows nothing of the stream.
    pub(super) taken: bool,
    /// The end of a stream that has to wait: until it is taken, or what is held was sent.
    pub(super) last: Option<Message>,
    pub(super) gone: bool,
    /// Whether something was written; what is written is not unwanted.
    pub(super) written: bool,
    pub(super) waker: Option<Waker>,
}

/// What comes in.
#[derive(Default)]
pub(super) struct Incoming {
    pub(super) chunks: VecDeque<Vec<u8>>,
    /// Whether anybody has read, and the writer been given credit. Before that it is told nothing, and
    /// nothing of what it writes is taken: a stream that nobody reads is not written either.
    pub(super) wanted: bool,
    /// Of the credit that the writer was given.
    pub(super) credit: i64,
    /// Credit that the writer is owed.
    pub(super) owed: u32,
    pub(super) end: Option<Ended>,
    /// What follows after the body of a request or an answer.
    pub(super) trailers: Option<Vec<(String, Vec<u8>)>>,
    pub(super) waker: Option<Waker>,
}

// === impl Outgoing ===

impl Outgoing {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            credit: 0,
            held: None,
            taken: false,
            last: None,
            gone: false,
            written: false,
            waker: None,
        }
    }

    pub(super) fn is_unwanted(&self) -> bool {
        self.kind == Kind::Future && self.gone && !self.written
    }

    /// Takes credit, and sends what waited for it.
    pub(super) fn credit(
        &mut self,
        number: u32,
        bytes: u32,
        wakers: &mut Wakers,
    ) -> Option<Message> {
        self.taken = true;
        self.credit = self.credit.saturating_add(bytes.into());
        wakers.add(&mut self.waker);
        let payload = self.held.take()?;
        self.credit -= payload.len() as i64;
        Some(Message::Chunk {
            stream: number,
            payload,
        })
    }

    /// What there is to say at the end.
    pub(super) fn last_message(&self, number: u32, failed: bool) -> Message {
        // A future without its value is as incomplete as a stream of a store that failed.
        let is_empty = self.kind == Kind::Future && !self.written;
        if failed || is_empty {
            let by = CancelledBy::Writer;
            Message::Cancel { stream: number, by }
        } else {
            Message::Finish { stream: number }
        }
    }

    pub(super) fn lose_reader(&mut self, wakers: &mut Wakers) {
        self.gone = true;
        self.held = None;
        wakers.add(&mut self.waker);
    }
}

// === impl Incoming ===

impl Incoming {
    /// Takes in a chunk. One without credit is refused, and the stream with it; so is an empty one, which
    /// is no list, and would take room without taking credit.
    pub(super) fn chunk(
        &mut self,
        number: u32,
        payload: Vec<u8>,
        wakers: &mut Wakers,
    ) -> Option<Message> {
        if self.end.is_some() {
            return None;
        }
        if self.credit <= 0 || payload.is_empty() {
            self.end(Ended::Broken, wakers);
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

    pub(super) fn end(&mut self, end: Ended, wakers: &mut Wakers) {
        self.end.get_or_insert(end);
        wakers.add(&mut self.waker);
    }
}

/// Who is to be woken, once no lock is held.
#[derive(Default)]
pub(super) struct Wakers([Option<Waker>; 3], Vec<Waker>);

impl Wakers {
    pub(super) fn add(&mut self, waker: &mut Option<Waker>) {
        let Some(waker) = waker.take() else { return };
        match self.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(waker),
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
