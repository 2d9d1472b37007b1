//! The streams and futures of one call, as each of its two sides knows them.
//!
//! No stream crosses between stores. Its read end stays where it was made, and is read there by the
//! host; the other side has a stream of its own, which the host writes. Between the two go messages:
//! chunks of elements against credit, the end, and that one end is gone. A side never waits for the
//! other, and a message is taken in at once, so whoever sends one holds no lock.
//!
//! A [`Sender`] and a [`Receiver`] are the host's two ends of a stream; each says by being dropped that
//! it is over. A side that fails ([`Side::fail`]) tells the other that what it wrote is not complete.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use weft_wire::CancelledBy;

use super::message::{Message, Post};

/// How many bytes of a stream may be under way: enough that both sides run at the same time on bulk
/// data, and what a reader that dawdles makes the host hold.
pub(super) const WINDOW_BYTES: u32 = 256 << 10;

/// Credit goes back in pieces of this size: one message for several chunks, and long before the writer
/// has none left.
const CREDIT_STEP_BYTES: u32 = WINDOW_BYTES / 4;

/// Which side of a call it is. Each gives the streams that it hands over its own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Its numbers are even.
    Importer,
    /// Its numbers are odd.
    Exporter,
}

/// One side of a call.
pub(super) struct Side {
    role: Role,
    state: Mutex<State>,
    /// The way to the other side; set before there is any stream.
    peer: OnceLock<Post>,
}

/// The host's end at which a stream of this side's store is sent on.
pub(super) struct Sender {
    side: Arc<Side>,
    number: u32,
}

/// The host's end at which a stream of the other side comes in.
pub(super) struct Receiver {
    side: Arc<Side>,
    number: u32,
}

/// Nobody reads the stream any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// All was written.
    Complete,
    /// Its writer is gone before that.
    Broken,
}

/// What a side has to do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Nobody reads this future any more, and it has no value yet.
    Unwanted(u32),
    /// No stream is open any more.
    Closed,
}

/// What is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
}

enum Stream {
    Out(Outgoing),
    In(Incoming),
}

struct Outgoing {
    kind: Kind,
    credit: i64,
    /// A chunk that waits for credit, of a writer that does not.
    held: Option<Vec<u8>>,
    /// Whether the other side has taken it. Until then it knows nothing of the stream.
    taken: bool,
    /// The end of a stream that has to wait: until it is taken, or what is held was sent.
    last: Option<Message>,
    gone: bool,
    /// Whether something was written; what is written is not unwanted.
    written: bool,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Incoming {
    chunks: VecDeque<Vec<u8>>,
    /// Whether anybody has read, and the writer been given credit. Before that it is told nothing, and
    /// nothing of what it writes is taken: a stream that nobody reads is not written either.
    wanted: bool,
    /// Of the credit that the writer was given.
    credit: i64,
    /// Credit that the writer is owed.
    owed: u32,
    end: Option<Ended>,
    waker: Option<Waker>,
}

// === impl Side ===

impl Side {
    /// Both sides of a call.
    pub(super) fn pair(post: impl Fn(&Arc<Self>) -> Post) -> (Arc<Self>, Arc<Self>) {
        let importer = Arc::new(Self::new(Role::Importer));
        let exporter = Arc::new(Self::new(Role::Exporter));
        // Both are new, so neither is set yet.
        let _ = importer.peer.set(post(&exporter));
        let _ = exporter.peer.set(post(&importer));
        (importer, exporter)
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            state: Mutex::default(),
            peer: OnceLock::new(),
        }
    }

    /// Gives a stream or a future to the other side.
    pub(super) fn give(self: &Arc<Self>, kind: Kind) -> (u32, Sender) {
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
    pub(super) fn take(self: &Arc<Self>, number: u32) -> Option<Receiver> {
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
    pub(super) fn fail(&self) {
        self.state().failed = true;
    }

    /// Whether streams are open.
    pub(super) fn is_open(&self) -> bool {
        self.state().is_open()
    }

    /// The next thing to do something about. One task at a time may wait for it.
    pub(super) fn poll_event(&self, context: &Context<'_>) -> Poll<Event> {
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
    pub(super) fn poll_abandoned(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.abandoned {
            return Poll::Ready(());
        }
        state.abandonment = Some(context.waker().clone());
        Poll::Pending
    }

    /// Takes in what the other side sent. What is about a stream that is over here is late, and ignored.
    pub(super) fn receive(&self, message: Message) {
        let mut wakers = Wakers::default();
        let replies = self.state().receive(message, &mut wakers);
        wakers.wake();
        for reply in replies.into_iter().flatten() {
            self.send(reply);
        }
    }

    /// Takes in that the other side is gone.
    fn lose_peer(&self) {
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

    fn send(&self, message: Message) {
        if let Some(peer) = self.peer.get() {
            peer.send(message);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(peer) = self.peer.get().and_then(Post::upgrade) {
            peer.lose_peer();
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

    /// Two messages may be the answer: what was held, and that it was all.
    fn receive(&mut self, message: Message, wakers: &mut Wakers) -> [Option<Message>; 2] {
        let number = message.stream();
        let none = [None, None];
        match (self.streams.get_mut(&number), message) {
            (Some(Stream::In(incoming)), Message::Chunk { payload, .. }) => {
                return [incoming.chunk(number, payload, wakers), None];
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
                let held = outgoing.credit(number, bytes, wakers);
                let last = outgoing.last.take();
                if last.is_some() {
                    self.streams.remove(&number);
                    self.notify(wakers);
                }
                return [held, last];
            }
            (Some(Stream::Out(outgoing)), Message::Cancel { by, .. }) => {
                if by == CancelledBy::Reader {
                    outgoing.lose_reader(wakers);
                }
                if outgoing.last.is_some() {
                    self.streams.remove(&number);
                }
            }
            _ => return none,
        }
        self.notify(wakers);
        none
    }

    fn notify(&mut self, wakers: &mut Wakers) {
        wakers.add(&mut self.watcher);
        if self.abandoned {
            wakers.add(&mut self.abandonment);
        }
    }
}

// === impl Outgoing ===

impl Outgoing {
    fn new(kind: Kind) -> Self {
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

    fn is_unwanted(&self) -> bool {
        self.kind == Kind::Future && self.gone && !self.written
    }

    /// Takes credit, and sends what waited for it.
    fn credit(&mut self, number: u32, bytes: u32, wakers: &mut Wakers) -> Option<Message> {
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
    fn last_message(&self, number: u32, failed: bool) -> Message {
        // A future without its value is as incomplete as a stream of a store that failed.
        let is_empty = self.kind == Kind::Future && !self.written;
        if failed || is_empty {
            let by = CancelledBy::Writer;
            Message::Cancel { stream: number, by }
        } else {
            Message::Finish { stream: number }
        }
    }

    fn lose_reader(&mut self, wakers: &mut Wakers) {
        self.gone = true;
        self.held = None;
        wakers.add(&mut self.waker);
    }
}

// === impl Incoming ===

impl Incoming {
    /// Takes in a chunk; one without credit is refused, and the stream with it.
    fn chunk(&mut self, number: u32, payload: Vec<u8>, wakers: &mut Wakers) -> Option<Message> {
        if self.end.is_some() {
            return None;
        }
        if self.credit <= 0 {
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

    fn end(&mut self, end: Ended, wakers: &mut Wakers) {
        self.end.get_or_insert(end);
        wakers.add(&mut self.waker);
    }
}

// === impl Sender ===

impl Sender {
    /// Ready when a chunk may be sent.
    pub(super) fn poll_credit(&self, context: &Context<'_>) -> Poll<Result<(), Gone>> {
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

    /// How many more bytes may be sent now.
    pub(super) fn credit(&self) -> usize {
        let credit = self.with(|outgoing| if outgoing.gone { 0 } else { outgoing.credit });
        usize::try_from(credit.unwrap_or(0)).unwrap_or(0)
    }

    /// Sends a chunk, for which there is credit.
    pub(super) fn send(&self, payload: Vec<u8>) {
        self.with(|outgoing| {
            outgoing.credit -= payload.len() as i64;
            outgoing.written = true;
        });
        let stream = self.number;
        self.side.send(Message::Chunk { stream, payload });
    }

    /// Sends the only chunk, as soon as there is credit. For futures, whose one value is worth holding,
    /// since a writer that waits cannot be told that nobody reads.
    pub(super) fn send_only(&self, payload: Vec<u8>) {
        let mut payload = Some(payload);
        self.with(|outgoing| {
            outgoing.written = true;
            if outgoing.credit <= 0 && !outgoing.gone {
                outgoing.held = payload.take();
            }
        });
        if let Some(payload) = payload {
            self.send(payload);
        }
    }

    fn with<R>(&self, change: impl FnOnce(&mut Outgoing) -> R) -> Option<R> {
        match self.side.state().streams.get_mut(&self.number) {
            Some(Stream::Out(outgoing)) => Some(change(outgoing)),
            _ => None,
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut wakers = Wakers::default();
        let mut state = self.side.state();
        let failed = state.failed;
        let Some(Stream::Out(outgoing)) = state.streams.get_mut(&self.number) else {
            return;
        };
        let last = outgoing.last_message(self.number, failed);
        if !outgoing.gone && (!outgoing.taken || outgoing.held.is_some()) {
            outgoing.last = Some(last);
            return;
        }
        let gone = outgoing.gone;
        state.streams.remove(&self.number);
        state.notify(&mut wakers);
        drop(state);
        wakers.wake();
        if !gone {
            self.side.send(last);
        }
    }
}

// === impl Receiver ===

impl Receiver {
    /// The next chunk, or how the stream ended.
    pub(super) fn poll_chunk(&self, context: &Context<'_>) -> Poll<Result<Vec<u8>, Ended>> {
        let mut first_credit = false;
        let poll = self.with(
            |incoming| match (incoming.chunks.pop_front(), incoming.end) {
                (Some(chunk), _) => Poll::Ready(Ok(chunk)),
                (None, Some(end)) => Poll::Ready(Err(end)),
                (None, None) => {
                    incoming.waker = Some(context.waker().clone());
                    if !incoming.wanted {
                        incoming.wanted = true;
                        incoming.credit = WINDOW_BYTES.into();
                        first_credit = true;
                    }
                    Poll::Pending
                }
            },
        );
        if first_credit {
            let (stream, bytes) = (self.number, WINDOW_BYTES);
            // The answer may come at once, and wakes whoever polls here.
            self.side.send(Message::Credit { stream, bytes });
        }
        poll.unwrap_or(Poll::Ready(Err(Ended::Broken)))
    }

    /// The next chunk, if it is here.
    pub(super) fn chunk(&self) -> Option<Vec<u8>> {
        self.with(|incoming| incoming.chunks.pop_front()).flatten()
    }

    /// Says that a chunk of so many bytes has been read, so that more may come.
    pub(super) fn consumed(&self, bytes: usize) {
        let due = self.with(|incoming| {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            incoming.owed = incoming.owed.saturating_add(bytes);
            if incoming.owed < CREDIT_STEP_BYTES || incoming.end.is_some() {
                return None;
            }
            let due = std::mem::take(&mut incoming.owed);
            incoming.credit += i64::from(due);
            Some(due)
        });
        if let Some(bytes) = due.flatten() {
            let stream = self.number;
            self.side.send(Message::Credit { stream, bytes });
        }
    }

    fn with<R>(&self, change: impl FnOnce(&mut Incoming) -> R) -> Option<R> {
        match self.side.state().streams.get_mut(&self.number) {
            Some(Stream::In(incoming)) => Some(change(incoming)),
            _ => None,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut wakers = Wakers::default();
        let mut state = self.side.state();
        let Some(Stream::In(incoming)) = state.streams.remove(&self.number) else {
            return;
        };
        state.notify(&mut wakers);
        drop(state);
        wakers.wake();
        if incoming.end.is_none() {
            self.side.send(Message::Cancel {
                stream: self.number,
                by: CancelledBy::Reader,
            });
        }
    }
}

/// Who is to be woken, once no lock is held.
#[derive(Default)]
struct Wakers([Option<Waker>; 3], Vec<Waker>);

impl Wakers {
    fn add(&mut self, waker: &mut Option<Waker>) {
        let Some(waker) = waker.take() else { return };
        match self.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(waker),
            None => self.1.push(waker),
        }
    }

    fn wake(&mut self) {
        for waker in self.0.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
        for waker in self.1.drain(..) {
            waker.wake();
        }
    }
}
