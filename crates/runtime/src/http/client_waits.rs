//! Requests that wait for their client: for the rest of its body, or for it to read the response.
//!
//! An endpoint at its limit of requests ends the one that has waited for the longest time, so that
//! silent clients cannot keep others out ([ADR 29]). A request that waits for anything else is
//! never ended so.
//!
//! [ADR 29]: ../../../../docs/adr/0029-silent-clients-make-room.md

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::Notify;
use weft_telemetry::logs::{self, GuestStream};

use super::GuestBody;
use crate::endpoint::Endpoint;
use crate::turns::CoarseClock;

/// The time without progress after which a client counts as silent: longer than a lost packet
/// takes to be sent again a few times.
const SILENCE_MIN: Duration = Duration::from_secs(3);

/// The time between two looks at whether an ended request has left.
const ROOM_INTERVAL: Duration = Duration::from_millis(1);

/// The most looks: a request that is ended leaves within some polls of its task.
const ROOM_LOOKS_MAX: u32 = 100;

/// The requests of an endpoint that may wait for their clients.
#[derive(Default)]
pub(crate) struct ClientWaits {
    /// At most two for each request that is admitted.
    waits: Mutex<Vec<Weak<dyn ClientWait>>>,
}

/// A request that may wait for its client.
pub(super) trait ClientWait: Send + Sync {
    /// The time since which it waits.
    fn clock(&self) -> &WaitClock;

    /// Ends the request.
    fn end(&self);
}

/// The time since which a request waits for its client.
pub(super) struct WaitClock {
    clock: Arc<CoarseClock>,
    /// In milliseconds of the clock, plus one; 0 while the request does not wait.
    since: AtomicU64,
    waits: Arc<ClientWaits>,
    is_registered: AtomicBool,
}

/// A request whose client has not sent its whole body.
pub(super) struct Upload {
    clock: WaitClock,
    is_ended: AtomicBool,
    ended: Notify,
    /// The reader of the body.
    reader: AtomicWaker,
}

/// The body of an [`Upload`].
struct UploadBody {
    body: GuestBody,
    upload: Arc<Upload>,
}

impl ClientWaits {
    /// Ends the request that has waited for its client for the longest time, if `endpoint` is at
    /// its limit of requests, and waits until it has left.
    pub(super) async fn make_room(&self, endpoint: &Endpoint) {
        let Some((silent, silence)) = self.take_longest() else {
            return;
        };
        let line = format!(
            "a request was ended to make room for another: its client sent or read nothing for {} s",
            silence.as_secs()
        );
        let (app, component) = (endpoint.app(), endpoint.component());
        logs::guest_line(app, component, GuestStream::Host, &line);
        silent.end();
        drop(silent);
        for _ in 0..ROOM_LOOKS_MAX {
            if endpoint.has_room() {
                return;
            }
            tokio::time::sleep(ROOM_INTERVAL).await;
        }
    }

    /// The request that has waited for the longest time, if that is long, and the time. Returns
    /// each request once.
    fn take_longest(&self) -> Option<(Arc<dyn ClientWait>, Duration)> {
        // The last reference to a request removes it, so none is dropped under the lock.
        let waits: Vec<_> = self.lock().iter().filter_map(Weak::upgrade).collect();
        let waiting = waits
            .into_iter()
            .filter_map(|wait| Some((wait.clock().waiting()?, wait)));
        let (silence, wait) = waiting.max_by_key(|(silence, _)| *silence)?;
        if silence < SILENCE_MIN {
            return None;
        }
        wait.clock().pause();
        Some((wait, silence))
    }

    fn add(&self, wait: Weak<dyn ClientWait>) {
        self.lock().push(wait);
    }

    /// Removes the requests that have ended.
    fn remove_ended(&self) {
        self.lock().retain(|wait| wait.strong_count() > 0);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<dyn ClientWait>>> {
        // The code under the lock does not panic.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitClock {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        Self {
            clock: endpoint.clock().clone(),
            since: AtomicU64::new(0),
            waits: endpoint.client_waits().clone(),
            is_registered: AtomicBool::new(false),
        }
    }

    /// Notes that the request waits for its client from now on, if it did not before. `wait` is the
    /// request itself.
    pub(super) fn begin<W: ClientWait + 'static>(&self, wait: &Arc<W>) {
        if self.since.load(Ordering::Relaxed) == 0 {
            self.since.store(self.clock.now() + 1, Ordering::Relaxed);
        }
        // Most requests never wait.
        if !self.is_registered.swap(true, Ordering::Relaxed) {
            let wait: Weak<W> = Arc::downgrade(wait);
            self.waits.add(wait);
        }
    }

    /// Notes that the request waits for something else, or that its client made progress.
    pub(super) fn pause(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// The time for which the request has waited; `None` if it waits for something else.
    fn waiting(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(
            self.clock.now().saturating_sub(since),
        ))
    }
}

impl Drop for WaitClock {
    fn drop(&mut self) {
        if *self.is_registered.get_mut() {
            self.waits.remove_ended();
        }
    }
}

impl Upload {
    /// The request with the given body, and the body to be read in its place. `None` if the client
    /// has sent everything.
    pub(super) fn watch(endpoint: &Endpoint, body: GuestBody) -> (GuestBody, Option<Arc<Self>>) {
        if body.is_end_stream() {
            return (body, None);
        }
        let upload = Arc::new(Self {
            clock: WaitClock::new(endpoint),
            is_ended: AtomicBool::new(false),
            ended: Notify::new(),
            reader: AtomicWaker::new(),
        });
        let watched = UploadBody {
            body,
            upload: upload.clone(),
        };
        (watched.boxed_unsync(), Some(upload))
    }

    /// Resolves when the request is ended because its client is silent.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl ClientWait for Upload {
    fn clock(&self) -> &WaitClock {
        &self.clock
    }

    fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        self.ended.notify_one();
        self.reader.wake();
    }
}

impl HttpBody for UploadBody {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let upload = &self.upload;
        if polled.is_ready() {
            upload.clock.pause();
            return polled;
        }
        upload.reader.register(context.waker());
        if upload.is_ended.load(Ordering::Acquire) {
            let error = wasmtime_wasi_http::Error::ConnectionReadTimeout;
            return Poll::Ready(Some(Err(error)));
        }
        upload.clock.begin(upload);
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
