//! The streams and futures of one call, as each of its two sides knows them.
//!
//! No stream crosses between stores. Its read end stays where it was made, and is read there by the
//! host; the other side has a stream of its own, which the host writes. Between the two go messages:
//! chunks of elements against credit, the end, and that one end is gone. A side never waits for the
//! other, and a message is taken in at once, so whoever sends one holds no lock.
//!
//! Both ends of a stream are polled by stores that run at the same time, on threads of their own. What a
//! side says is said in the order of the changes that had it say so ([`Side::change`]).
//!
//! A [`Sender`] and a [`Receiver`] are the host's two ends of a stream; each says by being dropped that
//! it is over. A side that fails ([`Side::fail`]) tells the other that what it wrote is not complete.

mod ends;
mod flow;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use weft_wire::{CancelledBy, EncodeError, Encoder, MAX_VALUE_BYTES};

pub use self::ends::{Receiver, Sender};
use self::flow::{Incoming, Outgoing, Wakers};
use crate::stream_message::{Message, Post};

/// How many bytes of a stream may be under way: enough that both sides run at the same time on bulk
/// data, and what a reader that dawdles makes the host hold.
pub const WINDOW_BYTES: u32 = 256 << 10;

/// How many bytes of a byte stream go into one chunk.
pub const BYTES_PER_CHUNK: usize = 64 << 10;

/// The most bytes that the length of a chunk's list takes.
const LENGTH_BYTES_MAX: usize = 5;

/// Which side of a call it is. Each gives the streams that it hands over its own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its numbers are even.
    Importer,
    /// Its numbers are odd.
    Exporter,
}

/// One side of a call.
pub struct Side {
    role: Role,
    state: Mutex<State>,
    /// The way to the other side; set before there is any stream.
    peer: OnceLock<Post>,
}

/// Nobody reads the stream any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All was written.
    Complete,
    /// Its writer is gone before that.
    Broken,
}

/// What a side has to do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Nobody reads this future any more, and it has no value yet.
    Unwanted(u32),
    /// No stream is open any more.
    Closed,
}

/// What is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Stream,
    Future,
}

#[derive(Default)]
struct State {
    given: u32,
    taken: BTreeSet<u32>,
    streams: BTreeMap<u32, Stream>,
    /// What this side writes is not complete when it ends.
    failed: bool,
    /// What the other side wrote is not complete.
    abandoned: bool,
    watcher: Option<Waker>,
    abandonment: Option<Waker>,
    /// What is to be sent, in order.
    said: VecDeque<Message>,
    /// Whether some thread is sending that.
    is_sending: bool,
}

enum Stream {
    Out(Outgoing),
    In(Incoming),
}

// === impl Side ===

impl Side {
    /// Both sides of a call.
    pub fn pair(post: impl Fn(&Arc<Self>) -> Post) -> (Arc<Self>, Arc<Self>) {
        let importer = Arc::new(Self::new(Role::Importer));
        let exporter = Arc::new(Self::new(Role::Exporter));
        importer.set_peer(post(&exporter));
        exporter.set_peer(post(&importer));
        (importer, exporter)
    }

    /// A side that knows no other yet.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            state: Mutex::default(),
            peer: OnceLock::new(),
        }
    }

    /// Says where the other side is. Nothing happens if that was said before.
    pub fn set_peer(&self, post: Post) {
        let _ = self.peer.set(post);
    }

    /// Gives a stream or a future to the other side.
    pub fn give(self: &Arc<Self>, kind: Kind) -> (u32, Sender) {
        let mut state = self.state();
        let number = match self.role {
            Role::Importer => 2 * state.given,
            Role::Exporter => 2 * state.given + 1,
        };
        state.given += 1;
        state
            .streams
            .insert(number, Stream::Out(Outgoing::new(kind)));
        drop(state);
        let side = self.clone();
        (number, Sender { side, number })
    }

    /// Takes a stream or a future that the other side gave; none if there can be none of this number.
    pub fn take(self: &Arc<Self>, number: u32) -> Option<Receiver> {
        let is_importers = number.is_multiple_of(2);
        if is_importers == (self.role == Role::Importer) {
            return None;
        }
        let mut state = self.state();
        if !state.taken.insert(number) {
            return None;
        }
        state
            .streams
            .insert(number, Stream::In(Incoming::default()));
        drop(state);
        let side = self.clone();
        Some(Receiver { side, number })
    }

    /// Says that what this side has not written yet will never be.
    pub fn fail(&self) {
        self.state().failed = true;
    }

    /// Whether streams are open.
    pub fn is_open(&self) -> bool {
        self.state().is_open()
    }

    /// The next thing to do something about. One task at a time may wait for it.
    pub fn poll_event(&self, context: &Context<'_>) -> Poll<Event> {
        let mut state = self.state();
        let unwanted = state
            .streams
            .iter_mut()
            .find_map(|(number, stream)| match stream {
                Stream::Out(outgoing) if outgoing.is_unwanted() => {
                    // Said once.
                    outgoing.written = true;
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
        state.watcher = Some(context.waker().clone());
        Poll::Pending
    }

    /// Ready once the other side has left what it wrote incomplete. One task at a time may wait for it.
    pub fn poll_abandoned(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.abandoned {
            return Poll::Ready(());
        }
        state.abandonment = Some(context.waker().clone());
        Poll::Pending
    }

    /// Takes in what the other side sent. What is about a stream that is over here is late, and ignored.
    pub fn receive(&self, message: Message) {
        self.change(|state, wakers| state.receive(message, wakers));
    }

    /// Takes in that the other side is gone.
    pub fn lose_peer(&self) {
        let mut wakers = Wakers::default();
        let mut state = self.state();
        let state = &mut *state;
        for stream in state.streams.values_mut() {
            match stream {
                Stream::Out(outgoing) => outgoing.lose_reader(&mut wakers),
                Stream::In(incoming) if incoming.end.is_none() => {
                    incoming.end(Ended::Broken, &mut wakers);
                    state.abandoned = true;
                }
                Stream::In(_) => {}
            }
        }
        // Nobody drops those any more.
        let is_over = |stream: &Stream| matches!(stream, Stream::Out(out) if out.last.is_some());
        state.streams.retain(|_, stream| !is_over(stream));
        state.notify(&mut wakers);
        wakers.wake();
    }

    /// Makes a change, and sends what it has this side say. One thread sends at a time, and others leave to it
    /// what they have to say: else the end of a stream, which one thread says, could overtake its last chunk,
    /// which the credit that came on another one has let go.
    fn change<R>(&self, change: impl FnOnce(&mut State, &mut Wakers) -> R) -> R {
        let mut wakers = Wakers::default();
        let mut state = self.state();
        let result = change(&mut state, &mut wakers);
        // Most looks at a stream say nothing.
        let says_something = !state.said.is_empty();
        drop(state);
        wakers.wake();
        if says_something {
            self.send_what_is_said();
        }
        result
    }

    fn send_what_is_said(&self) {
        let mut state = self.state();
        if state.is_sending {
            return;
        }
        while let Some(message) = state.said.pop_front() {
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
        // Nothing in here panics half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let has_streams = !self.state().streams.is_empty();
        if let Some(peer) = self.peer.get() {
            peer.leave(has_streams);
        }
    }
}

// === impl State ===

impl State {
    fn is_open(&self) -> bool {
        self.streams.values().any(|stream| match stream {
            Stream::Out(_) => true,
            // What has come in is there to be read, and nothing more comes.
            Stream::In(incoming) => incoming.end.is_none(),
        })
    }

    fn receive(&mut self, message: Message, wakers: &mut Wakers) {
        let number = message.stream();
        match (self.streams.get_mut(&number), message) {
            (Some(Stream::In(incoming)), Message::Chunk { payload, .. }) => {
                self.said.extend(incoming.chunk(number, payload, wakers));
                return;
            }
            (Some(Stream::In(incoming)), Message::Trailers { fields, .. }) => {
                incoming.trailers.get_or_insert(fields);
                return;
            }
            (Some(Stream::In(incoming)), Message::Finish { .. }) => {
                incoming.end(Ended::Complete, wakers);
            }
            (Some(Stream::In(incoming)), Message::Cancel { by, .. }) => {
                if by == CancelledBy::Writer && incoming.end.is_none() {
                    incoming.end(Ended::Broken, wakers);
                    self.abandoned = true;
                }
            }
            (Some(Stream::Out(outgoing)), Message::Credit { bytes, .. }) => {
                // What was held, and that it was all.
                self.said.extend(outgoing.credit(number, bytes, wakers));
                let Some(last) = outgoing.last.take() else {
                    return;
                };
                self.said.push_back(last);
                self.streams.remove(&number);
            }
            (Some(Stream::Out(outgoing)), Message::Cancel { by, .. }) => {
                if by == CancelledBy::Reader {
                    outgoing.lose_reader(wakers);
                }
                if outgoing.last.is_some() {
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
        wakers.add(&mut self.watcher);
        if self.abandoned {
            wakers.add(&mut self.abandonment);
        }
    }
}

/// A chunk of a byte stream.
///
/// # Errors
/// If the bytes exceed the largest value.
pub fn bytes_chunk(bytes: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut payload = Vec::with_capacity(LENGTH_BYTES_MAX + bytes.len());
    Encoder::new(&mut payload, MAX_VALUE_BYTES).bytes(bytes)?;
    Ok(payload)
}
