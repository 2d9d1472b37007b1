//! Sockets and connections: HTTP/1.1 and HTTP/2 on one port, with bounds on all input of clients
//! and a drain that finishes the current requests.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::handler::{Body, BodyError, Handler, RequestBody};
use crate::readiness::{READY_PATH, ReadinessSource};
use crate::routes::{RouteTable, RouteTarget};
use crate::{bodiless, error_response, serve_until, target_check};

/// The most concurrent connections; each costs a task, two buffers and a file descriptor.
const CONNECTIONS_MAX: usize = 10_000;

/// The longest time that a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of a request head; a longer one gets `431`.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// The most headers of a request; more get `431`.
const HEADERS_MAX: usize = 128;

/// The most concurrent requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;

/// Pause after a failure to accept, as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The HTTP server of a host.
pub struct Server {
    address: SocketAddr,
    is_ending: Arc<AtomicBool>,
    stop: CancellationToken,
    tasks: TaskTracker,
    rejection: Rejection,
}

/// The reason for which new requests are rejected; empty while they are served.
type Rejection = Arc<OnceLock<String>>;

/// Shared context of the connections.
#[derive(Clone)]
struct Context {
    routes: watch::Receiver<Arc<RouteTable>>,
    rejection: Rejection,
    readiness: Arc<ReadinessSource>,
    /// True once the host is about to end.
    is_ending: Arc<AtomicBool>,
    tasks: TaskTracker,
    stop: CancellationToken,
    connections: Arc<Semaphore>,
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
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let rejection = Rejection::default();
        let is_ending = Arc::new(AtomicBool::new(false));
        let context = Context {
            routes,
            rejection: rejection.clone(),
            readiness,
            is_ending: is_ending.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
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
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(HEAD_TIMEOUT));
    http
}

async fn accept(listener: TcpListener, context: Context) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = context.stop.cancelled() => return accept_queued(&listener, &context).await,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => serve(stream, &context),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves the connections that the system has accepted for the listener: closing it would reset
/// them.
async fn accept_queued(listener: &TcpListener, context: &Context) {
    // The runtime looks for connections that arrived since its last look.
    tokio::task::yield_now().await;
    for _ in 0..CONNECTIONS_MAX {
        match listener.accept().now_or_never() {
            Some(Ok((stream, _))) => serve(stream, context),
            Some(Err(_)) | None => return,
        }
    }
}

fn serve(stream: TcpStream, context: &Context) {
    let Ok(permit) = context.connections.clone().try_acquire_owned() else {
        tracing::warn!(
            limit = CONNECTIONS_MAX,
            "too many connections; closing the newest"
        );
        return;
    };
    // Responses are written whole, so waiting for more bytes to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let task_context = context.clone();
    context.tasks.spawn(async move {
        let _permit = permit;
        connection(stream, task_context).await;
    });
}

async fn connection(stream: TcpStream, context: Context) {
    let (http, stop) = (context.http.clone(), context.stop.clone());
    let context = Arc::new(context);
    let service = service_fn(move |request| {
        let context = context.clone();
        async move { Ok::<_, Infallible>(context.answer(request).await) }
    });
    serve_until(http.serve_connection(TokioIo::new(stream), service), &stop).await;
}

impl Context {
    /// Answers a request, and ends its connection if the host is about to end.
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let is_http_1 = request.version() <= Version::HTTP_11;
        let is_head = request.method() == Method::HEAD;
        let response = if request.uri().path() == READY_PATH {
            ready_response(&request, &self.readiness)
        } else if let Some(reason) = self.rejection.get() {
            error_response::busy(reason)
        } else {
            let routes = self.routes.borrow().clone();
            respond(request, &routes, &self.tasks).await
        };
        let mut response = bodiless::finish(response, is_head, &self.tasks);
        if is_http_1 && self.is_ending.load(Ordering::Relaxed) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}

fn ready_response(request: &Request<Incoming>, readiness: &ReadinessSource) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let reason = format!("`{READY_PATH}` expects GET or HEAD");
        return error_response::text(StatusCode::METHOD_NOT_ALLOWED, &reason);
    }
    let readiness = readiness.poll();
    error_response::plain(readiness.status(), readiness.text().to_owned())
}

async fn respond(
    request: Request<Incoming>,
    routes: &RouteTable,
    tasks: &TaskTracker,
) -> Response<Body> {
    // HTTP/1.1 connections reject more while reading; HTTP/2 only bounds their bytes.
    let header_count = request.headers().len();
    if header_count > HEADERS_MAX {
        let reason =
            format!("too many headers: found {header_count}, expected at most {HEADERS_MAX}");
        return error_response::text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &reason);
    }
    let target = request.uri().path();
    if let Err(error) = target_check::check(target) {
        return error_response::text(StatusCode::BAD_REQUEST, &error.to_string());
    }
    let Some(host) = host_of(&request) else {
        return error_response::text(
            StatusCode::BAD_REQUEST,
            "invalid host: expected one `Host` header with a host name or address and an optional port",
        );
    };
    match routes.find(host, target) {
        Some(RouteTarget::Local(handler)) => {
            let handler = handler.clone();
            handle(&*handler, request, tasks).await
        }
        Some(RouteTarget::Remote(component)) => {
            let component = component.clone();
            // Boxed, because the large future would be part of every request to a local component.
            Box::pin(component.forward(request, tasks)).await
        }
        Some(RouteTarget::Unavailable(reason)) => error_response::busy(reason),
        None if routes.is_partial() => {
            let reason = format!(
                "this host has not read the desired state of its lattice yet, and has no route for \
                 host `{host}` and path `{target}`"
            );
            error_response::busy(&reason)
        }
        None => {
            let reason = format!(
                "no route matches host `{host}` and path `{target}`; see `weft get routes`"
            );
            error_response::text(StatusCode::NOT_FOUND, &reason)
        }
    }
}

/// Handles a request with a component of this host.
async fn handle(
    handler: &dyn Handler,
    request: Request<Incoming>,
    tasks: &TaskTracker,
) -> Response<Body> {
    let declared = request.body().size_hint().lower();
    let limit = handler.body_bytes_max();
    if declared > limit {
        return error_response::body_too_large(declared, limit);
    }
    let request = request.map(|body| limited(body, limit));
    let deadline = Instant::now() + handler.deadline();
    match handler.handle(request, deadline, tasks).await {
        Ok(response) => response,
        Err(overloaded) => error_response::busy(&format!("`{}`: {overloaded}", handler.name())),
    }
}

/// A body that fails with [`BodyError::TooLarge`] after `limit` bytes.
fn limited(body: Incoming, limit: u64) -> RequestBody {
    if body.is_end_stream() {
        return body.map_err(BodyError::Connection).boxed_unsync();
    }
    let limit_bytes = usize::try_from(limit).unwrap_or(usize::MAX);
    Limited::new(body, limit_bytes)
        .map_err(move |error| match error.downcast::<hyper::Error>() {
            Ok(error) => BodyError::Connection(*error),
            Err(_) => BodyError::TooLarge(limit),
        })
        .boxed_unsync()
}

/// The host of a request, without port; `None` if it is missing, repeated or malformed (RFC 9112,
/// section 3.2).
fn host_of(request: &Request<Incoming>) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.host());
    }
    let mut lines = request.headers().get_all(header::HOST).iter();
    let (host, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let host = host.to_str().ok()?;
    is_host(host).then(|| without_port(host))
}

/// True if the text has only characters of a host and a port.
fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The last colon of `[::1]` is part of the address.
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_host, without_port};

    #[test]
    fn only_valid_hosts_are_accepted() {
        for host in ["localhost", "shop.example.com:8080", "[::1]:80", "10.0.0.1"] {
            assert!(is_host(host), "{host}");
        }
        for other in ["", "a b", "a/b", "user@host", "h\u{f6}st"] {
            assert!(!is_host(other), "{other}");
        }
    }

    #[test]
    fn the_port_is_removed_from_names_and_addresses() {
        assert_eq!(without_port("shop.example.com:8080"), "shop.example.com");
        assert_eq!(without_port("shop.example.com"), "shop.example.com");
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
    }
}
