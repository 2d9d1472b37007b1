//! From the component to the client, and the signs of life between the two.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use futures_util::stream::SplitSink;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use weft_api::MessageKind;

use super::end::End;
use super::output::Output;
use super::{Progress, Socket};
use crate::connection::{CLIENT_END_WAIT, READ_TIMEOUT};
use crate::kept_alive::QUIET_MAX;

/// The longest time without a frame of the client: it leaves two pings unanswered.
const SILENCE_MAX: Duration = QUIET_MAX.saturating_mul(3);

/// The time between two looks at the client.
const TICK: Duration = Duration::from_secs(1);

/// Sends messages until the component or the connection ends.
pub(super) async fn send(
    sink: &mut SplitSink<Socket, Message>,
    output: &mut Output,
    kind: MessageKind,
    progress: &Progress,
) -> End {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut client = ClientWatch {
        pinged: Instant::now(),
        ended: None,
    };
    loop {
        let sent = tokio::select! {
            biased;
            chunk = output.next() => match chunk {
                Ok(Some(chunk)) => send_chunk(sink, &chunk, kind, progress).await,
                Ok(None) => return End::Complete,
                Err(end) => return end,
            },
            _ = ticks.tick() => client.look(sink, progress).await,
        };
        if let Err(end) = sent {
            return end;
        }
    }
}

async fn send_chunk(
    sink: &mut SplitSink<Socket, Message>,
    chunk: &Bytes,
    kind: MessageKind,
    progress: &Progress,
) -> Result<(), End> {
    let messages = kind.messages(chunk);
    let messages = messages.map_err(|_| End::failed("malformed message".to_owned()))?;
    for message in messages {
        let message = match kind {
            MessageKind::Binary => Message::Binary(message),
            MessageKind::Text => match Utf8Bytes::try_from(message) {
                Ok(text) => Message::Text(text),
                Err(_) => return Err(End::failed("malformed message".to_owned())),
            },
        };
        write(sink, message, progress).await?;
    }
    Ok(())
}

/// Writes a message, if the client reads.
async fn write(
    sink: &mut SplitSink<Socket, Message>,
    message: Message,
    progress: &Progress,
) -> Result<(), End> {
    // Everything before it is written, so there is room.
    let fed = timeout(READ_TIMEOUT, sink.feed(message)).await;
    match fed {
        Ok(Ok(())) => flush(sink, progress).await,
        Ok(Err(_)) => Err(End::Left("its client left")),
        Err(_) => Err(End::Left("its client does not read")),
    }
}

/// Writes everything, as long as the client reads some of it.
async fn flush(sink: &mut SplitSink<Socket, Message>, progress: &Progress) -> Result<(), End> {
    let written = || progress.connection.written_bytes();
    let (mut before, mut since) = (written(), Instant::now());
    loop {
        match timeout(TICK, sink.flush()).await {
            Ok(Ok(())) => {
                progress.flushed.notify_one();
                return Ok(());
            }
            Ok(Err(_)) => return Err(End::Left("its client left")),
            Err(_) if written() != before => (before, since) = (written(), Instant::now()),
            Err(_) if since.elapsed() >= READ_TIMEOUT => {
                return Err(End::Left("its client does not read"));
            }
            Err(_) => {}
        }
    }
}

/// Watches a client that sends nothing.
struct ClientWatch {
    /// The time of the last ping, or of the start.
    pinged: Instant,
    /// Since when the client has ended while its component takes no message, with the number of
    /// those that it has taken.
    ended: Option<(Instant, u64)>,
}

impl ClientWatch {
    async fn look(
        &mut self,
        sink: &mut SplitSink<Socket, Message>,
        progress: &Progress,
    ) -> Result<(), End> {
        if progress.is_held.load(Ordering::Relaxed) {
            return self.look_at_end(sink, progress).await;
        }
        self.ended = None;
        if progress.silence() >= SILENCE_MAX {
            return Err(End::Left("its client answers no ping"));
        }
        if progress.silence() >= QUIET_MAX {
            self.ping(sink, progress).await?;
        }
        match progress.connection.is_write_blocked() {
            true => flush(sink, progress).await,
            false => Ok(()),
        }
    }

    /// Sends a ping, if the last one was long ago.
    async fn ping(
        &mut self,
        sink: &mut SplitSink<Socket, Message>,
        progress: &Progress,
    ) -> Result<(), End> {
        if self.pinged.elapsed() < QUIET_MAX {
            return Ok(());
        }
        self.pinged = Instant::now();
        write(sink, Message::Ping(Bytes::new()), progress).await
    }

    /// Looks for the end of a client that is not read: its component takes no message meanwhile.
    async fn look_at_end(
        &mut self,
        sink: &mut SplitSink<Socket, Message>,
        progress: &Progress,
    ) -> Result<(), End> {
        let connection = &progress.connection;
        connection.check_client();
        flush(sink, progress).await?;
        // The responses are read later; until then the pings keep proxies on the way awake.
        self.ping(sink, progress).await?;
        if !connection.has_client_ended() {
            self.ended = None;
            return Ok(());
        }
        let taken = progress.taken.load(Ordering::Relaxed);
        let since = match self.ended {
            Some((since, before)) if before == taken => since,
            _ => Instant::now(),
        };
        self.ended = Some((since, taken));
        match since.elapsed() >= CLIENT_END_WAIT {
            true => Err(End::Left("its client left")),
            false => Ok(()),
        }
    }
}
