//! One connection of a client: what is in progress on it, for the [`watch`] that closes it when
//! nothing is.
//!
//! The path of a request only increments counters. The watch compares them at its ticks, so that a
//! request costs neither a timer nor a look at the clock.

mod client_body;
mod io;
mod registry;
mod response_body;
mod watch;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use client_body::ClientBody;
pub(crate) use io::ConnectionIo;
pub use registry::CONNECTIONS_MAX;
pub(crate) use registry::{Admission, Connections};
pub(crate) use response_body::ResponseBody;
pub use watch::KEEP_ALIVE_DEFAULT;
pub(crate) use watch::{CLIENT_END_WAIT, CLOSE_WAIT, READ_TIMEOUT, READ_TIMEOUT_STOPPING, serve};

/// The progress of a connection.
pub(crate) struct Connection {
    /// Number of requests that have begun.
    requests: AtomicU32,
    /// Number of requests that are not complete: their response is not written, or their body is
    /// being read.
    in_flight: AtomicU32,
    /// True once a request by HTTP/2 has begun.
    is_http2: AtomicBool,
    /// True if bytes have arrived since the last request, which are the head of the next one.
    has_begun_head: AtomicBool,
    /// Number of bytes that were written to the socket.
    written_bytes: AtomicU64,
    /// True if the socket takes no more bytes.
    is_write_blocked: AtomicBool,
    /// Number of times that the connection requested more of a response body.
    body_polls: AtomicU32,
    /// Number of response bodies of which the connection takes no more, because its client does
    /// not read.
    unread_bodies: AtomicU32,
    /// Set by the watch to have the socket look for the end of the client.
    checks_client: AtomicBool,
    /// True if the client has closed its sending half.
    has_client_ended: AtomicBool,
    /// Milliseconds of the registry's clock since which no request is in flight, as the watch found
    /// it; `BUSY` otherwise.
    idle_since: AtomicU64,
    /// Cancelled to close the connection, and when the server stops.
    close: CancellationToken,
    /// Owns the tasks that read the rest of request bodies.
    tasks: TaskTracker,
    /// What the connection becomes after its last response. Its own task takes it.
    session: Mutex<Option<BoxFuture<'static, ()>>>,
}

/// The value of `idle_since` while requests are in flight.
const BUSY: u64 = u64::MAX;

/// Something in progress on a connection, which is not idle meanwhile.
pub(crate) struct InProgress(Arc<Connection>);

impl Connection {
    pub(crate) fn new(close: CancellationToken, tasks: TaskTracker) -> Self {
        Self {
            requests: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            is_http2: AtomicBool::new(false),
            has_begun_head: AtomicBool::new(false),
            written_bytes: AtomicU64::new(0),
            is_write_blocked: AtomicBool::new(false),
            body_polls: AtomicU32::new(0),
            unread_bodies: AtomicU32::new(0),
            checks_client: AtomicBool::new(false),
            has_client_ended: AtomicBool::new(false),
            idle_since: AtomicU64::new(BUSY),
            close,
            tasks,
            session: Mutex::default(),
        }
    }

    /// Marks the beginning of a request.
    pub(crate) fn begin_request(self: &Arc<Self>, is_http2: bool) -> InProgress {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.has_begun_head.store(false, Ordering::Relaxed);
        if is_http2 && !self.is_http2.load(Ordering::Relaxed) {
            self.is_http2.store(true, Ordering::Relaxed);
        }
        self.begin()
    }

    pub(crate) fn begin(self: &Arc<Self>) -> InProgress {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InProgress(self.clone())
    }

    /// Has the connection go on with a session, once its response is written.
    pub(crate) fn follow_with(&self, session: impl Future<Output = ()> + Send + 'static) {
        *self.session() = Some(Box::pin(session));
    }

    /// The session of a connection that was upgraded.
    pub(crate) fn take_session(&self) -> Option<BoxFuture<'static, ()>> {
        self.session().take()
    }

    fn session(&self) -> MutexGuard<'_, Option<BoxFuture<'static, ()>>> {
        // The code under the lock does not panic.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of bytes that were written to the socket.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    /// True if the socket took no bytes at the last attempt.
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.is_write_blocked.load(Ordering::Relaxed)
    }

    /// Has the next flush look for the end of the client.
    pub(crate) fn check_client(&self) {
        self.checks_client.store(true, Ordering::Relaxed);
    }

    /// True if the client has closed its sending half, as the last look found it.
    pub(crate) fn has_client_ended(&self) -> bool {
        self.has_client_ended.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0
    }

    /// Marks the arrival of bytes.
    fn received(&self) {
        if self.is_idle() && !self.has_begun_head.load(Ordering::Relaxed) {
            self.has_begun_head.store(true, Ordering::Relaxed);
        }
    }

    /// Marks an attempt to write: the number of written bytes, or `None` if the socket takes none.
    fn wrote(&self, bytes: Option<usize>) {
        if let Some(bytes) = bytes {
            self.written_bytes
                .fetch_add(bytes as u64, Ordering::Relaxed);
        }
        if self.is_write_blocked.load(Ordering::Relaxed) != bytes.is_none() {
            self.is_write_blocked
                .store(bytes.is_none(), Ordering::Relaxed);
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
