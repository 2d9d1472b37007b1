//! From the client to the component.

use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use tokio_tungstenite::tungstenite::Message;
use weft_api::MessageKind;

use super::end::End;
use super::input::MessageInput;
use super::meter::Meter;
use super::{Progress, Socket};

/// Number of bytes of the header of a control frame, with its mask.
const CONTROL_HEADER_BYTES: usize = 6;

/// Receives messages until the client or the connection ends. Those for a component that takes no
/// more are dropped.
pub(super) async fn receive(
    stream: &mut SplitStream<Socket>,
    input: &MessageInput,
    (kind, meter): (MessageKind, &Meter),
    progress: &Progress,
) -> End {
    loop {
        progress.is_held.store(true, Ordering::Relaxed);
        let place = input.place().await;
        progress.is_held.store(false, Ordering::Relaxed);
        progress.mark_frame();
        let message = match next(stream, kind, meter, progress).await {
            Ok(message) => message,
            Err(end) => return end,
        };
        let share = meter.take();
        let Some(place) = place else {
            continue;
        };
        let Ok(chunk) = kind.chunk(&message) else {
            return End::too_large(progress.message_bytes_max);
        };
        progress.taken.fetch_add(1, Ordering::Relaxed);
        place.send((chunk, share));
    }
}

/// The next message, or the end.
async fn next(
    stream: &mut SplitStream<Socket>,
    kind: MessageKind,
    meter: &Meter,
    progress: &Progress,
) -> Result<bytes::Bytes, End> {
    loop {
        let message = match stream.next().await {
            Some(Ok(message)) => message,
            Some(Err(_)) if meter.is_full() => return Err(End::no_room()),
            Some(Err(error)) => return Err(End::of_error(&error, progress.message_bytes_max)),
            None => return Err(End::Left("its client left")),
        };
        progress.mark_frame();
        let control_bytes = message.len() + CONTROL_HEADER_BYTES;
        match (message, kind) {
            (Message::Text(text), MessageKind::Text) => return Ok(text.into()),
            (Message::Binary(bytes), MessageKind::Binary) => return Ok(bytes),
            (Message::Text(_) | Message::Binary(_), _) => return Err(End::unexpected(kind)),
            (Message::Close(_), _) => return Err(End::ClientClosed),
            // Each ping has a response, so a client that does not read may send no more of them.
            (Message::Ping(_), _) if progress.connection.is_write_blocked() => {
                progress.flushed.notified().await;
            }
            (Message::Ping(_) | Message::Pong(_) | Message::Frame(_), _) => {}
        }
        meter.forget(control_bytes);
    }
}
