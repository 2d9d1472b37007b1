//! The listeners of the admin API: a TCP address, and a Unix socket for commands of the host's own
//! user. Each has connections of its own, so that clients of the address, which any user of the
//! machine can reach, keep no local command out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use weft_ingress::serve_until;

use super::Api;

/// The most connections of a listener at once: a few operators and their scripts.
pub(super) const CONNECTIONS_MAX: usize = 64;

/// The longest time for the head of a request, and between two requests of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after a failure to accept, as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener of the system.
pub(super) trait Listener: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// Listens on a Unix socket in the folder of the host, in place of the socket of an earlier
/// process. `None` if that is impossible, as with a path that is too long for a socket: commands
/// use the address then.
pub(super) fn listen_local(path: &Path) -> Option<UnixListener> {
    let removed = match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let listening = removed.and_then(|()| UnixListener::bind(path));
    let listening = listening.and_then(|listener| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(SOCKET_MODE);
        std::fs::set_permissions(path, mode).map(|()| listener)
    });
    match listening {
        Ok(listener) => Some(listener),
        Err(error) => {
            let path = path.display();
            tracing::warn!(%error, %path, "no local socket: commands use the admin address");
            None
        }
    }
}

/// The mode of the socket: for the host's own user. Its folder is closed for others too.
const SOCKET_MODE: u32 = 0o600;

/// Accepts connections until the API stops. At the limit, the connection that has waited longest
/// for a head makes room.
pub(super) async fn accept<L: Listener>(listener: L, api: Arc<Api>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let waiting = Arc::new(Waiting::default());
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            () = api.stop.cancelled() => return,
            accepted = listener.next() => accepted,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin API cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if permits.available_permits() == 0 && !waiting.end_oldest() {
            tracing::warn!(
                limit = CONNECTIONS_MAX,
                "too many connections to the admin API; closing the newest"
            );
            continue;
        }
        // The permit of the connection that makes room is free in a moment.
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        number += 1;
        let end = waiting.enter(number);
        let (task_api, waiting) = (api.clone(), waiting.clone());
        api.tasks.spawn(async move {
            let _permit = permit;
            connection(stream, task_api, &waiting, number, end).await;
            waiting.leave(number);
        });
    }
}

/// Serves a connection, unless it makes room before its first head has arrived.
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    api: Arc<Api>,
    waiting: &Arc<Waiting>,
    number: u64,
    end: CancellationToken,
) {
    let (stop, head_end) = (api.stop.clone(), end.clone());
    let waiting = waiting.clone();
    let service = service_fn(move |request| {
        let (api, end) = (api.clone(), head_end.clone());
        waiting.leave(number);
        async move {
            if end.is_cancelled() {
                // The connection is closed at this moment.
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(api.answer(request).await)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    let serving = serve_until(http.serve_connection(TokioIo::new(stream), service), &stop);
    tokio::select! {
        biased;
        () = end.cancelled() => {}
        () = serving => {}
    }
}

/// The connections that have sent no head yet, the oldest first. There are at most
/// [`CONNECTIONS_MAX`].
#[derive(Default)]
struct Waiting(Mutex<VecDeque<(u64, CancellationToken)>>);

impl Waiting {
    fn enter(&self, number: u64) -> CancellationToken {
        let end = CancellationToken::new();
        self.connections().push_back((number, end.clone()));
        end
    }

    fn leave(&self, number: u64) {
        self.connections().retain(|(other, _)| *other != number);
    }

    /// Ends the oldest connection; false if all have sent a head.
    fn end_oldest(&self) -> bool {
        let oldest = self.connections().pop_front();
        oldest.map(|(_, end)| end.cancel()).is_some()
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, VecDeque<(u64, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
