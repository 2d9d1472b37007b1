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
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{Notify, oneshot};
use wasmtime_wasi_http::Error;
use weft_ingress::{Body, BodyError};

use super::GuestBody;

/// The most frames of a body that a guest has written and its reader has not read: the channels of
/// `wasi:http` bodies have room for two, and trailers follow.
const UNREAD_FRAMES_MAX: usize = 8;

/// The response of a guest that may still write its body.
pub(super) struct ResponseHead {
    pub(super) response: Response<GuestBody>,
    /// Dropped with the body, read to its end or not.
    pub(super) body_end: Option<oneshot::Sender<()>>,
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
}

struct State {
    /// `None` once the guest has settled the body, or the reader has dropped it.
    live: Option<GuestBody>,
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
struct TrackedBody {
    shared: Arc<SharedBody>,
    _end: Option<oneshot::Sender<()>>,
}

/// The body of a guest that has ended.
struct SettledBody(Unread);

impl ResponseHead {
    /// The response of a guest that has ended; its instance must still exist. `method` is that of
    /// the request.
    pub(super) fn settled(self, method: &Method) -> (Response<Body>, BodyEnd) {
        let mut unread = Unread::new(&self.response, method);
        let (head, mut body) = self.response.into_parts();
        let end = unread.settle(&mut body);
        let body = SettledBody(unread).boxed_unsync();
        (Response::from_parts(head, body), end)
    }

    /// The response of a guest that still runs, with the body that its task settles.
    pub(super) fn tracked(self, method: &Method) -> (Response<Body>, Arc<SharedBody>) {
        let unread = Unread::new(&self.response, method);
        let (head, body) = self.response.into_parts();
        let shared = Arc::new(SharedBody {
            state: Mutex::new(State {
                live: Some(body),
                unread,
                reader: None,
            }),
            reader_disconnected: Notify::new(),
        });
        let body = TrackedBody {
            shared: shared.clone(),
            _end: self.body_end,
        };
        (Response::from_parts(head, body.boxed_unsync()), shared)
    }
}

impl SharedBody {
    /// Ends the body, whose guest has ended; its instance must still exist. `None` if the reader
    /// disconnected.
    pub(super) fn settle(&self) -> Option<BodyEnd> {
        let mut state = self.lock();
        let end = match state.live.take() {
            Some(mut body) => Some(state.unread.settle(&mut body)),
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
        if self.end.is_none() {
            // Outside of the task's budget, which would make a finished body look unfinished.
            let end = tokio::task::unconstrained(self.take(body)).now_or_never();
            self.end = end.flatten();
        }
        self.settled()
    }

    /// Takes frames until the end of the body.
    async fn take(&mut self, body: &mut GuestBody) -> Option<BodyEnd> {
        for _ in 0..UNREAD_FRAMES_MAX {
            match body.frame().await {
                None => return Some(BodyEnd::Complete),
                Some(Err(_)) => return Some(BodyEnd::Incomplete),
                Some(Ok(frame)) => {
                    self.length.count(&frame);
                    match self.first {
                        None => self.first = Some(frame),
                        Some(_) => self.others.push_back(frame),
                    }
                }
            }
        }
        None
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
        let frames = || self.first.iter().chain(&self.others);
        let bytes = frames().map(|frame| frame.data_ref().map_or(0, |data| data.len() as u64));
        let is_complete = self.end == Some(BodyEnd::Complete);
        let is_read = !matches!(self.length, Length::Unread);
        match is_complete && is_read && frames().all(Frame::is_data) {
            true => SizeHint::with_exact(bytes.sum()),
            false => SizeHint::default(),
        }
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
        let state = &mut *self.shared.lock();
        if let Some(next) = state.unread.next() {
            return Poll::Ready(next);
        }
        let Some(body) = &mut state.live else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        match &polled {
            Poll::Ready(None) => state.unread.end = Some(BodyEnd::Complete),
            Poll::Ready(Some(Ok(frame))) => state.unread.length.count(frame),
            Poll::Ready(Some(Err(_))) => state.unread.end = Some(BodyEnd::Incomplete),
            Poll::Pending => state.reader = Some(context.waker().clone()),
        }
        polled.map_err(body_error)
    }

    fn is_end_stream(&self) -> bool {
        let state = self.shared.lock();
        let live = state.live.as_ref();
        state.unread.is_ended() || live.is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.shared.lock();
        match &state.live {
            Some(body) => body.size_hint(),
            None => state.unread.size_hint(),
        }
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let live = state.live.take();
        let is_ended = state.unread.end.is_some()
            || state.unread.length.is_complete()
            || live.as_ref().is_some_and(HttpBody::is_end_stream);
        drop(state);
        if !is_ended {
            self.shared.reader_disconnected.notify_one();
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
