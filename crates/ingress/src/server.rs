//! Sockets and connections: HTTP/1.1 and HTTP/2 on one port, with bounds on all input of clients
//! and a drain that finishes the current requests.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::{self, UpgradeableConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body_budget::BodyBudget;
use crate::connection::{self, CONNECTIONS_MAX, ConnectionIo, Connections, KEEP_ALIVE_DEFAULT};
use crate::readiness::ReadinessSource;
use crate::routes::RouteTable;

/// The most bytes of a request head; a longer one gets `431`.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// The most headers of a request; more get `431`.
pub(crate) const HEADERS_MAX: usize = 128;

/// The time between two pings of an HTTP/2 client, which find a connection that was cut.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// The most concurrent requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;

/// The most connections that are accepted after the stop: the usual bound of the system's queue.
const QUEUED_CONNECTIONS_MAX: usize = 4096;

/// Pause after a failure to accept, as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The shortest time between two log lines about a full server.
const FULL_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The settings of a server.
#[derive(Debug, Clone, Copy)]
pub struct ServerSettings {
    /// The time for which a connection without requests stays open.
    pub keep_alive: Duration,
    /// The most connections.
    pub connections_max: usize,
}

/// The HTTP server of a host.
pub struct Server {
    address: SocketAddr,
    is_ending: Arc<AtomicBool>,
    stop: CancellationToken,
    tasks: TaskTracker,
    rejection: Rejection,
}

/// The reason for which new requests are rejected; empty while they are served.
pub(crate) type Rejection = Arc<OnceLock<String>>;

/// Shared context of the connections.
#[derive(Clone)]
pub(crate) struct Context {
    /// The address of the listener.
    pub(crate) address: SocketAddr,
    pub(crate) routes: watch::Receiver<Arc<RouteTable>>,
    pub(crate) rejection: Rejection,
    pub(crate) readiness: Arc<ReadinessSource>,
    /// True once the host is about to end.
    pub(crate) is_ending: Arc<AtomicBool>,
    pub(crate) tasks: TaskTracker,
    /// The memory of bodies that are received as a whole.
    pub(crate) bodies: BodyBudget,
    settings: ServerSettings,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
    connections: Arc<Connections>,
    http: auto::Builder<TrackedExecutor>,
}

/// Spawns the streams of HTTP/2 connections as tasks of the server, so that a drain waits for them.
#[derive(Clone)]
struct TrackedExecutor(TaskTracker);

impl<F> Executor<F> for TrackedExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

impl Server {
    /// Listens on `address` and serves requests by `routes`, and polls of `readiness`.
    ///
    /// # Errors
    /// `io::Error` if the address cannot be bound.
    pub async fn start(
        address: SocketAddr,
        routes: watch::Receiver<Arc<RouteTable>>,
        readiness: Arc<ReadinessSource>,
        settings: ServerSettings,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let rejection = Rejection::default();
        let is_ending = Arc::new(AtomicBool::new(false));
        let context = Context {
            address,
            routes,
            rejection: rejection.clone(),
            readiness,
            is_ending: is_ending.clone(),
            tasks: tasks.clone(),
            bodies: BodyBudget::default(),
            stop: stop.clone(),
            settings,
            connections: Connections::new(settings.connections_max),
            http: http_settings(&tasks),
        };
        tasks.spawn(accept(listener, context));
        Ok(Self {
            address,
            is_ending,
            stop,
            tasks,
            rejection,
        })
    }

    /// The address of the listener, with its actual port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Rejects all further requests with `503` and this reason. The current ones go on.
    pub fn reject_requests(&self, reason: &str) {
        // The first reason stays.
        let _ = self.rejection.set(reason.to_owned());
    }

    /// Ends each HTTP/1 connection with its next response, so that few are open when the listener
    /// closes. HTTP/2 clients are notified at the close.
    pub fn announce_end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Closes the listener and idle connections, and waits at most `deadline` for the current
    /// requests. Returns whether all of them finished.
    pub async fn drain(self, deadline: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(deadline, self.tasks.wait())
            .await
            .is_ok()
    }
}

fn http_settings(tasks: &TaskTracker) -> auto::Builder<TrackedExecutor> {
    let mut http = auto::Builder::new(TrackedExecutor(tasks.clone()));
    // The watch of the connection bounds the time of a head, and the wait for one: a timer here
    // would close connections before the keep-alive ends.
    http.http1()
        .header_read_timeout(None)
        .half_close(true)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(PING_INTERVAL));
    http
}

async fn accept(listener: TcpListener, context: Context) {
    let mut full_log = FullLog::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = context.stop.cancelled() => {
                return accept_queued(&listener, &context, &mut full_log).await;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => serve(stream, &context, &mut full_log),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves the connections that the system has accepted for the listener: closing it would reset
/// them.
async fn accept_queued(listener: &TcpListener, context: &Context, full_log: &mut FullLog) {
    // The runtime looks for connections that arrived since its last look.
    tokio::task::yield_now().await;
    for _ in 0..QUEUED_CONNECTIONS_MAX {
        match listener.accept().now_or_never() {
            Some(Ok((stream, _))) => serve(stream, context, full_log),
            Some(Err(_)) | None => return,
        }
    }
}

fn serve(stream: TcpStream, context: &Context, full_log: &mut FullLog) {
    let admission = context.connections.admit(&context.stop, &context.tasks);
    let Some(admission) = admission else {
        return full_log.write();
    };
    // Responses are written whole, so waiting for more bytes to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let task_context = context.clone();
    context.tasks.spawn(async move {
        let io = ConnectionIo::new(stream, admission.connection.clone());
        let (http, stop) = (task_context.http.clone(), task_context.stop.clone());
        let keep_alive = task_context.settings.keep_alive;
        let shared = Arc::new((task_context, admission.connection.clone()));
        let service = service_fn(move |request| {
            let shared = shared.clone();
            async move {
                let (context, connection) = &*shared;
                Ok::<_, Infallible>(context.answer(request, connection).await)
            }
        });
        let connection = http.serve_connection_with_upgrades(TokioIo::new(io), service);
        let shut_down =
            |connection: Pin<&mut _>| UpgradeableConnection::graceful_shutdown(connection);
        connection::serve((connection, shut_down), &admission, keep_alive, &stop).await;
        if let Some(session) = admission.connection.take_session() {
            session.await;
        }
    });
}

/// The log of connections that a full server closes, at a bounded rate.
#[derive(Default)]
struct FullLog {
    written: Option<Instant>,
    /// Number of closed connections since the last line.
    closed: u64,
}

impl FullLog {
    fn write(&mut self) {
        self.closed += 1;
        let is_due = |written: Instant| written.elapsed() >= FULL_LOG_INTERVAL;
        if self.written.is_none_or(is_due) {
            let closed = self.closed;
            tracing::warn!(
                closed,
                "too many connections, all with requests; closed new ones"
            );
            *self = Self {
                written: Some(Instant::now()),
                closed: 0,
            };
        }
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            keep_alive: KEEP_ALIVE_DEFAULT,
            connections_max: CONNECTIONS_MAX,
        }
    }
}
