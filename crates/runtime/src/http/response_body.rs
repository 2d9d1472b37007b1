//! The body of a response, between the guest that writes it and the client that reads it.
//!
//! - A reader that disconnects stops the guest, which would otherwise occupy its slot until the
//!   deadline.
//! - A guest that ends *settles* its body, before its instance is dropped: what it wrote is taken
//!   from its store, and the body is complete only if the guest finished it. Dropping the instance
//!   first would end the body as if it were finished, so that a client takes an incomplete response
//!   for a complete one; and a complete response stays one if its guest exits or traps afterwards.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::response::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{Notify, oneshot};
use wasmtime_wasi_http::Error;
use weft_ingress::{Body, BodyError};

use super::GuestBody;
use super::client_waits::{ClientWait, WaitClock};
use crate::endpoint::Endpoint;

/// The most frames of a body that a guest has written and its reader has not read: the channels of
/// `wasi:http` bodies have room for two, and trailers follow.
const UNREAD_FRAMES_MAX: usize = 8;

/// The most bytes of a body to read ahead, so that a small response is sent in one write. A larger
/// one takes several anyway.
const BYTES_AHEAD_MAX: usize = 64 << 10;

/// The response of a guest that may still write its body.
pub(super) struct ResponseHead {
    pub(super) response: Response<GuestBody>,
    /// Dropped with the body, read to its end or not.
    pub(super) body_end: Option<oneshot::Sender<()>>,
}

/// A response of which nothing was sent to the client.
pub(super) struct HeldResponse {
    head: Parts,
    /// `None` once it has been read to its end.
    live: Option<LiveBody>,
    unread: Unread,
}

/// The part of a body that its guest may still write.
struct LiveBody {
    body: GuestBody,
    /// Dropped with the body, read to its end or not.
    _end: Option<oneshot::Sender<()>>,
}

/// The end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyEnd {
    Complete,
    Incomplete,
}

/// The body of a response whose guest still runs. Shared by the guest's task and the reader.
pub(super) struct SharedBody {
    state: Mutex<State>,
    reader_disconnected: Notify,
    wait: WaitClock,
}

struct State {
    /// `None` once the guest has settled the body, or the reader has dropped it.
    live: Option<LiveBody>,
    unread: Unread,
    /// Wakes the reader when the guest settles the body.
    reader: Option<Waker>,
}

/// What is known of a body: the frames that its guest wrote and its reader has not read, and its
/// end.
#[derive(Default)]
struct Unread {
    first: Option<Frame<Bytes>>,
    others: VecDeque<Frame<Bytes>>,
    end: Option<BodyEnd>,
    length: Length,
}

/// The bytes that complete a body.
#[derive(Debug, Clone, Copy, Default)]
enum Length {
    /// Only the end of the stream completes the body.
    #[default]
    Open,
    /// The rest of the `content-length`. The server stops reading there, before the end of the
    /// stream.
    Remaining(u64),
    /// The server reads no body, as for `HEAD`.
    Unread,
}

/// The reader's side of a [`SharedBody`].
struct TrackedBody(Arc<SharedBody>);

/// The body of a guest that has ended.
struct SettledBody(Unread);

impl ResponseHead {
    /// The response to a request with `method`.
    pub(super) fn held(self, method: &Method) -> HeldResponse {
        let unread = Unread::new(&self.response, method);
        let (head, body) = self.response.into_parts();
        let live = LiveBody {
            body,
            _end: self.body_end,
        };
        HeldResponse {
            head,
            live: Some(live),
            unread,
        }
    }
}

impl HeldResponse {
    /// Takes what the guest has written. Returns true if that is anything, so that the guest may
    /// have more to do.
    pub(super) fn read_ahead(&mut self) -> bool {
        let Some(live) = &mut self.live else {
            return false;
        };
        let is_read = self.unread.read_ahead(&mut live.body);
        if self.unread.end.is_some() {
            self.live = None;
        }
        is_read
    }

    /// The response of a guest that has ended; its instance must still exist.
    pub(super) fn settled(mut self) -> (Response<Body>, BodyEnd) {
        let end = match &mut self.live {
            Some(live) => self.unread.settle(&mut live.body),
            None => self.unread.settled(),
        };
        let body = SettledBody(self.unread).boxed_unsync();
        (Response::from_parts(self.head, body), end)
    }

    /// The response of a guest that still runs, with the body that its task settles.
    pub(super) fn tracked(self, endpoint: &Endpoint) -> (Response<Body>, Arc<SharedBody>) {
        let shared = Arc::new(SharedBody {
            state: Mutex::new(State {
                live: self.live,
                unread: self.unread,
                reader: None,
            }),
            reader_disconnected: Notify::new(),
            wait: WaitClock::new(endpoint),
        });
        let body = TrackedBody(shared.clone()).boxed_unsync();
        (Response::from_parts(self.head, body), shared)
    }
}

impl SharedBody {
    /// Ends the body, whose guest has ended; its instance must still exist. `None` if the reader
    /// disconnected.
    pub(super) fn settle(&self) -> Option<BodyEnd> {
        let mut state = self.lock();
        let end = match state.live.take() {
            Some(mut live) => Some(state.unread.settle(&mut live.body)),
            None if state.unread.length.is_complete() => Some(BodyEnd::Complete),
            None => state.unread.end,
        };
        if let Some(reader) = state.reader.take() {
            drop(state);
            reader.wake();
        }
        end
    }

    /// Resolves when the reader drops the body before its end.
    pub(super) async fn reader_disconnected(&self) {
        self.reader_disconnected.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the body is polled leaves a body that is polled again, or dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientWait for SharedBody {
    fn clock(&self) -> &WaitClock {
        &self.wait
    }

    /// Ends the request as if its reader had disconnected.
    fn end(&self) {
        let live = self.lock().live.take();
        drop(live);
        self.reader_disconnected.notify_one();
    }
}

impl Unread {
    fn new<B>(response: &Response<B>, method: &Method) -> Self {
        let status = response.status();
        let has_no_body = method == Method::HEAD
            || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
        let length = match content_length(response.headers()) {
            _ if has_no_body => Length::Unread,
            Some(bytes) => Length::Remaining(bytes),
            None => Length::Open,
        };
        Self {
            length,
            ..Self::default()
        }
    }

    /// Takes what the guest has written, and decides the end of the body.
    fn settle(&mut self, body: &mut GuestBody) -> BodyEnd {
        for _ in 0..UNREAD_FRAMES_MAX {
            if self.end.is_some() || !self.take(body) {
                break;
            }
        }
        self.settled()
    }

    /// Takes what the guest has written, up to a bound. Returns true if that is anything.
    fn read_ahead(&mut self, body: &mut GuestBody) -> bool {
        let mut is_read = false;
        while self.end.is_none()
            && self.frames().count() < UNREAD_FRAMES_MAX
            && self.bytes() < BYTES_AHEAD_MAX as u64
            && self.take(body)
        {
            is_read = true;
        }
        is_read
    }

    /// Takes the next frame, or the end of the body. Returns false if neither is available.
    fn take(&mut self, body: &mut GuestBody) -> bool {
        // Outside of the task's budget, which would make a finished body look unfinished.
        match tokio::task::unconstrained(body.frame()).now_or_never() {
            None => return false,
            Some(None) => self.end = Some(BodyEnd::Complete),
            Some(Some(Err(_))) => self.end = Some(BodyEnd::Incomplete),
            Some(Some(Ok(frame))) => {
                self.length.count(&frame);
                match self.first {
                    None => self.first = Some(frame),
                    Some(_) => self.others.push_back(frame),
                }
            }
        }
        true
    }

    /// The end of a body to which nothing is added any more.
    fn settled(&mut self) -> BodyEnd {
        if self.length.is_complete() {
            self.end = Some(BodyEnd::Complete);
        }
        if let Length::Unread = self.length {
            (self.first, self.others) = (None, VecDeque::new());
        }
        *self.end.get_or_insert(BodyEnd::Incomplete)
    }

    fn pop(&mut self) -> Option<Frame<Bytes>> {
        let first = self.first.take()?;
        self.first = self.others.pop_front();
        Some(first)
    }

    /// The next frame, or the end; `None` if neither is known.
    fn next(&mut self) -> Option<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.pop() {
            return Some(Some(Ok(frame)));
        }
        match self.end? {
            BodyEnd::Complete => Some(None),
            BodyEnd::Incomplete => Some(Some(Err(BodyError::Incomplete))),
        }
    }

    fn is_ended(&self) -> bool {
        self.first.is_none() && self.end == Some(BodyEnd::Complete)
    }

    /// The exact size of a complete body without trailers. Unknown for a body that the server
    /// does not read: the length that `GET` would announce may differ.
    fn size_hint(&self) -> SizeHint {
        let is_complete = self.end == Some(BodyEnd::Complete);
        let is_read = !matches!(self.length, Length::Unread);
        match is_complete && is_read && self.frames().all(Frame::is_data) {
            true => SizeHint::with_exact(self.bytes()),
            false => SizeHint::default(),
        }
    }

    fn frames(&self) -> impl Iterator<Item = &Frame<Bytes>> {
        self.first.iter().chain(&self.others)
    }

    /// The bytes of all frames.
    fn bytes(&self) -> u64 {
        let lengths = self.frames().filter_map(Frame::data_ref);
        lengths.map(|data| data.len() as u64).sum()
    }
}

impl Length {
    fn count(&mut self, frame: &Frame<Bytes>) {
        if let (Self::Remaining(remaining), Some(data)) = (self, frame.data_ref()) {
            *remaining = remaining.saturating_sub(data.len() as u64);
        }
    }

    fn is_complete(self) -> bool {
        matches!(self, Self::Remaining(0) | Self::Unread)
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn body_error(error: Error) -> BodyError {
    BodyError::Component(Box::new(error))
}

// === impl Body ===

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let state = &mut *self.0.lock();
        // The client has read what it was sent before.
        self.0.wait.pause();
        if let Some(next) = state.unread.next() {
            self.0.wait.begin(&self.0);
            return Poll::Ready(next);
        }
        let Some(live) = &mut state.live else {
            return Poll::Ready(Some(Err(BodyError::Incomplete)));
        };
        let polled = Pin::new(&mut live.body).poll_frame(context);
        match &polled {
            Poll::Ready(None) => state.unread.end = Some(BodyEnd::Complete),
            Poll::Ready(Some(Ok(frame))) => {
                self.0.wait.begin(&self.0);
                state.unread.length.count(frame);
            }
            Poll::Ready(Some(Err(_))) => state.unread.end = Some(BodyEnd::Incomplete),
            Poll::Pending => state.reader = Some(context.waker().clone()),
        }
        polled.map_err(body_error)
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock();
        let live = state.live.as_ref();
        let is_live_ended = live.is_some_and(|live| live.body.is_end_stream());
        state.unread.is_ended() || state.unread.first.is_none() && is_live_ended
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.0.lock();
        match &state.live {
            Some(live) => {
                let mut hint = live.body.size_hint();
                let unread = state.unread.bytes();
                if let Some(upper) = hint.upper() {
                    hint.set_upper(upper.saturating_add(unread));
                }
                hint.set_lower(hint.lower().saturating_add(unread));
                hint
            }
            None => state.unread.size_hint(),
        }
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let live = state.live.take();
        let is_ended = state.unread.end.is_some()
            || state.unread.length.is_complete()
            || live.as_ref().is_some_and(|live| live.body.is_end_stream());
        drop(state);
        if !is_ended {
            self.0.reader_disconnected.notify_one();
        }
    }
}

impl HttpBody for SettledBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.next().flatten())
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_ended()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
