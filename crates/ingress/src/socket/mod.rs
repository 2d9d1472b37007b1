//! WebSockets of typed routes: the messages of a connection are the streams of a call.
//!
//! 1. [`open`] reads the handshake and starts the call. The component has accepted the socket when
//!    its function returns, or when it waits for the first message: a function may read before it
//!    returns its stream. Until then a failure is an HTTP response.
//! 2. The response is sent, and the connection's own task goes on with the [`Session`]. It receives
//!    a message only when the component waits for one, and sends one only when the one before is
//!    written, so no queue grows.
//! 3. The [end](end::End) of either side ends the other, within bounds.

mod end;
mod input;
mod meter;
mod open;
mod output;
mod receive;
mod send;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;
use weft_api::MessageKind;
use weft_wire::MAX_VALUE_BYTES;

use self::end::End;
use self::input::MessageInput;
use self::meter::{Meter, MeteredIo};
use self::output::Output;
use crate::connection::{CLIENT_END_WAIT, CLOSE_WAIT, Connection, READ_TIMEOUT_STOPPING};
use crate::handler::Body;

pub(crate) use self::open::open;

/// The buffers of a socket: each connection has both, and most messages are small.
const BUFFER_BYTES: usize = 8 << 10;

/// The most bytes that wait to be written: the largest message of a component, and control frames.
const WRITE_BUFFER_BYTES_MAX: usize = MAX_VALUE_BYTES + (1 << 20);

/// The most bytes that are read on after the end, so that the client gets the reason of the end.
const READ_ON_BYTES_MAX: u64 = 32 << 20;

/// The response to a request, and the socket that its connection becomes.
pub(crate) struct Answered {
    pub(crate) response: http::Response<Body>,
    pub(crate) session: Option<Session>,
}

/// A socket whose component has accepted it.
pub(crate) struct Session {
    /// The connection, once the response is written.
    upgrade: OnUpgrade,
    kind: MessageKind,
    input: MessageInput,
    output: Output,
    meter: Arc<Meter>,
    message_bytes_max: usize,
}

/// The progress of a socket, which both directions share.
struct Progress {
    connection: Arc<Connection>,
    started: Instant,
    /// Milliseconds from the start to the last frame of the client.
    last_frame: AtomicU64,
    /// Number of messages that were passed on to the call.
    taken: AtomicU64,
    /// True while the client is not read, because the component takes no message.
    is_held: AtomicBool,
    /// Notified after everything was written.
    flushed: Notify,
    /// The most bytes of a message of the client.
    message_bytes_max: usize,
}

type Socket = WebSocketStream<MeteredIo<TokioIo<hyper::upgrade::Upgraded>>>;

impl From<http::Response<Body>> for Answered {
    fn from(response: http::Response<Body>) -> Self {
        let session = None;
        Self { response, session }
    }
}

// === impl Session ===

impl Session {
    /// Serves the socket until its end, and at `stop` until it is closed. Dropping the future
    /// cancels the call.
    pub(crate) async fn serve(self, connection: Arc<Connection>, stop: CancellationToken) {
        let _in_progress = connection.begin();
        // Otherwise the client left before it got the response.
        let Ok(upgraded) = self.upgrade.await else {
            return;
        };
        let io = MeteredIo::new(TokioIo::new(upgraded), self.meter.clone());
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(self.message_bytes_max))
            .max_frame_size(Some(self.message_bytes_max));
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let progress = Progress::new(connection, self.message_bytes_max);
        let (mut sink, mut stream) = socket.split();
        let (input, mut output) = (self.input, self.output);
        let end = {
            let messages = (self.kind, &*self.meter);
            let receive = receive::receive(&mut stream, &input, messages, &progress);
            let send = send::send(&mut sink, &mut output, self.kind, &progress);
            tokio::select! {
                biased;
                end = receive => end,
                () = stop.cancelled() => End::Stopping,
                end = send => end,
            }
        };
        tracing::debug!(?end, "a WebSocket ended");
        let Ok(socket) = sink.reunite(stream) else {
            return;
        };
        finish(socket, (input, output), end).await;
    }
}

/// Ends both sides of a socket.
async fn finish(mut socket: Socket, (input, output): (MessageInput, Output), end: End) {
    // An input that is dropped without being complete ends the call.
    match end {
        // A client that is gone gets nothing more, and neither does its component.
        End::Left(_) => {}
        End::ClientClosed => {
            input.complete();
            let close = async {
                // The reply to the client's close is queued.
                let _ = timeout(CLOSE_WAIT, futures_util::SinkExt::flush(&mut socket)).await;
                read_on(socket).await;
            };
            tokio::join!(close, output.close(CLIENT_END_WAIT));
        }
        End::Complete => {
            input.complete();
            // What the call does after its stream needs no client.
            drop(output);
            close(socket, &End::Complete).await;
        }
        End::Stopping => {
            input.complete();
            let close = close(socket, &End::Stopping);
            tokio::join!(close, output.close(READ_TIMEOUT_STOPPING));
        }
        End::Closed(..) => {
            drop((input, output));
            close(socket, &end).await;
        }
    }
}

/// Sends the reason of the end, and waits until the client has received it.
async fn close(mut socket: Socket, end: &End) {
    let sent = timeout(CLOSE_WAIT, socket.close(end.frame())).await;
    if let Ok(Ok(())) = sent {
        read_on(socket).await;
    }
}

/// Closes the sending half, and reads the rest: a connection that is closed before the client has
/// sent everything resets, and the client loses the reason of the end.
async fn read_on(mut socket: Socket) {
    let io = socket.get_mut();
    io.stop_metering();
    let read = async {
        let _ = io.shutdown().await;
        let mut rest = io.take(READ_ON_BYTES_MAX);
        let mut buffer = [0; 1 << 10];
        while matches!(rest.read(&mut buffer).await, Ok(1..)) {}
    };
    let _ = timeout(CLOSE_WAIT, read).await;
}

// === impl Progress ===

impl Progress {
    fn new(connection: Arc<Connection>, message_bytes_max: usize) -> Self {
        Self {
            connection,
            started: Instant::now(),
            last_frame: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            is_held: AtomicBool::new(false),
            flushed: Notify::new(),
            message_bytes_max,
        }
    }

    /// Marks a frame of the client, or that the client is read again.
    fn mark_frame(&self) {
        let elapsed = self.started.elapsed().as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.last_frame.store(elapsed, Ordering::Relaxed);
    }

    /// The time since the last frame of the client.
    fn silence(&self) -> Duration {
        let last_frame = Duration::from_millis(self.last_frame.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last_frame)
    }
}
