//! Streams and futures of one call, as each of its two sides tracks them.
//!
//! No stream crosses between stores. Its read end stays in the store that made it, where the host
//! reads it; the other store gets a stream of its own, which the host writes. The sides exchange
//! messages: chunks of elements against credit, the end of a stream, and that one of its ends was
//! dropped. Neither side waits for the other: a message is processed as it arrives, so its sender
//! must not hold a lock.
//!
//! The stores that poll the two ends of a stream run concurrently, on different threads. A side
//! sends its messages in the order of the changes that caused them.
//!
//! A [`Sender`] and a [`Receiver`] are the host's two ends of a stream; dropping an end closes it.
//! A side that fails ([`CallSide::fail`]) ends its unfinished streams as incomplete.

mod ends;
mod flow;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use weft_wire::{CancelledBy, EncodeError, Encoder, MAX_VALUE_BYTES};

pub use self::ends::{Receiver, Sender};
use self::flow::{Incoming, Outgoing, Wakers};
use crate::stream_message::{Message, PeerDelivery};

/// Number of bytes of a stream that may be in flight: enough for both sides to run concurrently on
/// bulk data, and a bound on the memory that a slow reader costs the host.
pub(crate) const WINDOW_BYTES: u32 = 256 << 10;

/// The most bytes of a byte stream in one chunk.
pub const BYTES_PER_CHUNK: usize = 64 << 10;

/// The part of a message that is left for the frame around a chunk, with its authenticator.
const CHUNK_OVERHEAD: usize = 1 << 10;

/// The most bytes that the length of a list takes.
const LENGTH_BYTES_MAX: usize = 5;

/// A side's role in its call. Each role numbers the streams that it hands over in its own sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The caller; its numbers are even.
    Importer,
    /// The callee; its numbers are odd.
    Exporter,
}

/// One side of a call.
pub struct CallSide {
    role: Role,
    state: Mutex<State>,
    /// Delivers messages to the other side. Set before the first stream is handed over.
    peer: OnceLock<PeerDelivery>,
    /// The most bytes of a message to the other side.
    message_bytes_max: AtomicUsize,
}

/// The reader of a stream was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderDropped;

/// End of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything was written.
    Complete,
    /// The writer was dropped or failed before that.
    Broken,
}

/// An event that the owner of a side has to handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The reader of this future was dropped before the future had a value.
    Unwanted(u32),
    /// No stream is open.
    Closed,
}

/// Kind of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A stream of any number of elements.
    Stream,
    /// A future: exactly one element.
    Future,
}

#[derive(Default)]
struct State {
    given_count: u32,
    taken_numbers: BTreeSet<u32>,
    streams: BTreeMap<u32, Stream>,
    /// True if this side's unfinished streams end as incomplete.
    has_failed: bool,
    /// True if the other side needs no result any more: a stream of it ended as incomplete, or it
    /// left a stream of this side unread.
    is_abandoned: bool,
    /// True if the other side was lost: it sends and reads nothing more, and a stream handed over
    /// afterwards is broken from its start.
    has_lost_peer: bool,
    event_waker: Option<Waker>,
    abandoned_waker: Option<Waker>,
    /// Messages to send, in order.
    outbox: VecDeque<Message>,
    /// True if a thread is sending the outbox.
    is_sending: bool,
}

enum Stream {
    Out(Outgoing),
    In(Incoming),
}

// === impl CallSide ===

impl CallSide {
    /// The most bytes of a message to the other side; `usize::MAX` if that is on this host.
    #[must_use]
    pub fn message_bytes_max(&self) -> usize {
        self.message_bytes_max.load(Ordering::Relaxed)
    }

    pub(crate) fn limit_messages(&self, bytes_max: usize) {
        self.message_bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// The most bytes of a byte stream in one chunk to the other side.
    pub(crate) fn chunk_bytes(&self) -> usize {
        let most = self.message_bytes_max();
        // Half of the message where messages are hardly larger than the overhead.
        let fitting = most.saturating_sub(CHUNK_OVERHEAD).max(most / 2);
        fitting.clamp(1, BYTES_PER_CHUNK)
    }

    /// Both sides of a call on this host: importer and exporter. `delivery` returns the delivery to
    /// a side.
    pub fn pair(delivery: impl Fn(&Arc<Self>) -> PeerDelivery) -> (Arc<Self>, Arc<Self>) {
        let importer = Arc::new(Self::new(Role::Importer));
        let exporter = Arc::new(Self::new(Role::Exporter));
        importer.set_peer(delivery(&exporter));
        exporter.set_peer(delivery(&importer));
        (importer, exporter)
    }

    /// A side without a peer.
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            state: Mutex::default(),
            peer: OnceLock::new(),
            message_bytes_max: AtomicUsize::new(usize::MAX),
        }
    }

    /// Sets the delivery to the other side, unless it is already set.
    pub(crate) fn set_peer(&self, delivery: PeerDelivery) {
        let _ = self.peer.set(delivery);
    }

    /// Hands a stream or a future over to the other side; returns its number.
    pub fn give(self: &Arc<Self>, kind: Kind) -> (u32, Sender) {
        let mut state = self.state();
        let number = match self.role {
            Role::Importer => 2 * state.given_count,
            Role::Exporter => 2 * state.given_count + 1,
        };
        state.given_count += 1;
        let mut outgoing = Outgoing::new(kind);
        outgoing.has_lost_reader = state.has_lost_peer;
        state.streams.insert(number, Stream::Out(outgoing));
        drop(state);
        let side = self.clone();
        (number, Sender { side, number })
    }

    /// Accepts a stream or a future that the other side handed over; `None` if the other side
    /// cannot have handed over that number, or it was accepted before. After the loss of the other
    /// side the stream is incomplete.
    pub fn take(self: &Arc<Self>, number: u32) -> Option<Receiver> {
        let is_importers = number.is_multiple_of(2);
        if is_importers == (self.role == Role::Importer) {
            return None;
        }
        let mut state = self.state();
        if !state.taken_numbers.insert(number) {
            return None;
        }
        let mut wakers = Wakers::default();
        let mut incoming = Incoming::default();
        if state.has_lost_peer {
            incoming.finish(Ended::Broken, &mut wakers);
            state.is_abandoned = true;
            state.notify(&mut wakers);
        }
        state.streams.insert(number, Stream::In(incoming));
        drop(state);
        wakers.wake();
        let side = self.clone();
        Some(Receiver { side, number })
    }

    /// Marks this side as failed: its streams that end from now on are incomplete.
    pub fn fail(&self) {
        self.state().has_failed = true;
    }

    /// True if a stream is open.
    pub fn is_open(&self) -> bool {
        self.state().is_open()
    }

    /// The next event to handle. Only one task at a time may wait for it.
    pub fn poll_event(&self, context: &Context<'_>) -> Poll<Event> {
        let mut state = self.state();
        let unwanted = state
            .streams
            .iter_mut()
            .find_map(|(number, stream)| match stream {
                Stream::Out(outgoing) if outgoing.is_unwanted() => {
                    // Reported once.
                    outgoing.is_written = true;
                    Some(*number)
                }
                _ => None,
            });
        if let Some(number) = unwanted {
            return Poll::Ready(Event::Unwanted(number));
        }
        if !state.is_open() {
            return Poll::Ready(Event::Closed);
        }
        state.event_waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// True if a stream of the other side ended as incomplete, or the other side left while it read
    /// a stream.
    pub fn is_abandoned(&self) -> bool {
        self.state().is_abandoned
    }

    /// Ready once the call [is abandoned](Self::is_abandoned). Only one task at a time may wait for
    /// it.
    pub fn poll_abandoned(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.is_abandoned {
            return Poll::Ready(());
        }
        state.abandoned_waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Ready once the end of a stream that this side writes is sent, or its reader is gone. Its
    /// sender must be dropped.
    pub(crate) fn poll_ended(&self, number: u32, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        match state.outgoing(number) {
            Some(outgoing) if !outgoing.has_lost_reader => {
                outgoing.waker = Some(context.waker().clone());
                Poll::Pending
            }
            Some(_) | None => Poll::Ready(()),
        }
    }

    /// Processes a message of the other side. Late messages, about streams that have ended here,
    /// are ignored.
    pub(crate) fn receive(&self, message: Message) {
        self.update(|state, wakers| state.receive(message, wakers));
    }

    /// Breaks every open stream, and those handed over from now on, because the other side was
    /// lost.
    pub(crate) fn lose_peer(&self) {
        self.lose(false);
    }

    /// Breaks the streams as [`Self::lose_peer`], because the other side abandoned the call: it
    /// waits for nothing more, also if it closed its readers just before. A call without open
    /// streams goes on, because the other side may have left after it had read everything.
    pub(crate) fn abandon(&self) {
        self.lose(true);
    }

    fn lose(&self, has_abandoned: bool) {
        let mut wakers = Wakers::default();
        let mut state = self.state();
        let state = &mut *state;
        state.has_lost_peer = true;
        state.is_abandoned |= has_abandoned && state.streams.values().any(Stream::is_used);
        for stream in state.streams.values_mut() {
            match stream {
                Stream::Out(outgoing) => {
                    // A writer that waits for something else would not notice.
                    state.is_abandoned |=
                        !outgoing.has_lost_reader && outgoing.pending_end.is_none();
                    outgoing.lose_reader(&mut wakers);
                }
                Stream::In(incoming) if incoming.end.is_none() => {
                    incoming.finish(Ended::Broken, &mut wakers);
                    state.is_abandoned = true;
                }
                Stream::In(_) => {}
            }
        }
        // Their senders were dropped before, and only waited for credit.
        let has_ended =
            |stream: &Stream| matches!(stream, Stream::Out(out) if out.pending_end.is_some());
        state.streams.retain(|_, stream| !has_ended(stream));
        state.notify(&mut wakers);
        wakers.wake();
    }

    /// Changes the state, and sends the messages that the change queued. Only one thread sends at a
    /// time; the others leave their messages to it. Otherwise the end of a stream, queued by one
    /// thread, could overtake its last chunk, which the arrival of credit on another thread
    /// released.
    fn update<R>(&self, update: impl FnOnce(&mut State, &mut Wakers) -> R) -> R {
        let mut wakers = Wakers::default();
        let mut state = self.state();
        let result = update(&mut state, &mut wakers);
        // Most polls queue nothing; those do not lock again.
        let has_messages = !state.outbox.is_empty();
        drop(state);
        wakers.wake();
        if has_messages {
            self.send_outbox();
        }
        result
    }

    fn send_outbox(&self) {
        let mut state = self.state();
        if state.is_sending {
            return;
        }
        while let Some(message) = state.outbox.pop_front() {
            state.is_sending = true;
            drop(state);
            if let Some(peer) = self.peer.get() {
                peer.send(message);
            }
            state = self.state();
        }
        state.is_sending = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No change panics half way through.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CallSide {
    fn drop(&mut self) {
        let has_streams = !self.state().streams.is_empty();
        if let Some(peer) = self.peer.get() {
            peer.leave(has_streams);
        }
    }
}

// === impl Stream ===

impl Stream {
    /// True if this side still writes the stream, or waits for more of it.
    fn is_used(&self) -> bool {
        match self {
            Self::Out(outgoing) => outgoing.pending_end.is_none(),
            Self::In(incoming) => incoming.end.is_none(),
        }
    }
}

// === impl State ===

impl State {
    fn is_open(&self) -> bool {
        self.streams.values().any(|stream| match stream {
            Stream::Out(_) => true,
            // Its chunks can still be read, but no more arrive.
            Stream::In(incoming) => incoming.end.is_none(),
        })
    }

    fn receive(&mut self, message: Message, wakers: &mut Wakers) {
        let number = message.stream();
        match (self.streams.get_mut(&number), message) {
            (Some(Stream::In(incoming)), Message::Chunk { payload, .. }) => {
                self.outbox
                    .extend(incoming.add_chunk(number, payload, wakers));
                return;
            }
            (Some(Stream::In(incoming)), Message::Trailers { fields, .. }) => {
                incoming.trailers.get_or_insert(fields);
                return;
            }
            (Some(Stream::In(incoming)), Message::Finish { .. }) => {
                incoming.finish(Ended::Complete, wakers);
            }
            (Some(Stream::In(incoming)), Message::Cancel { by, .. }) => {
                if by == CancelledBy::Writer && incoming.end.is_none() {
                    incoming.finish(Ended::Broken, wakers);
                    self.is_abandoned = true;
                }
            }
            (Some(Stream::Out(outgoing)), Message::Credit { bytes, .. }) => {
                if !outgoing.add_credit(number, bytes, &mut self.outbox, wakers) {
                    return;
                }
                self.streams.remove(&number);
            }
            (Some(Stream::Out(outgoing)), Message::Cancel { by, .. }) => {
                if by == CancelledBy::Reader {
                    outgoing.lose_reader(wakers);
                }
                if outgoing.pending_end.is_some() {
                    self.streams.remove(&number);
                }
            }
            _ => return,
        }
        self.notify(wakers);
    }

    fn outgoing(&mut self, number: u32) -> Option<&mut Outgoing> {
        match self.streams.get_mut(&number) {
            Some(Stream::Out(outgoing)) => Some(outgoing),
            Some(Stream::In(_)) | None => None,
        }
    }

    fn incoming(&mut self, number: u32) -> Option<&mut Incoming> {
        match self.streams.get_mut(&number) {
            Some(Stream::In(incoming)) => Some(incoming),
            Some(Stream::Out(_)) | None => None,
        }
    }

    fn notify(&mut self, wakers: &mut Wakers) {
        wakers.add(&mut self.event_waker);
        if self.is_abandoned {
            wakers.add(&mut self.abandoned_waker);
        }
    }
}

/// Encodes a chunk of a byte stream.
///
/// # Errors
/// If there are more bytes than a value may have.
pub fn bytes_chunk(bytes: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut payload = Vec::with_capacity(LENGTH_BYTES_MAX + bytes.len());
    Encoder::new(&mut payload, MAX_VALUE_BYTES).bytes(bytes)?;
    Ok(payload)
}
