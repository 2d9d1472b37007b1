//! The bodies of requests and answers as streams of a call: their chunks are lists of bytes, and their
//! back-pressure is the stream's.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use weft_wire::{Decoder, Limits};

use crate::stream_table::{BYTES_PER_CHUNK, bytes_chunk};
use crate::stream_table::{Ended, Gone, Kind, Receiver, Sender, Side};

/// A body that comes from the other side of a call.
pub struct ReceivedBody {
    receiver: Receiver,
    is_over: bool,
    /// Whether whoever reads was given the time to hand on what came before the break.
    has_paused: bool,
}

/// Why a body that comes from another host ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Whoever wrote it is gone, or failed.
    #[error("the body ended before it was complete")]
    Broken,
    /// It is not bytes.
    #[error("the body is not one")]
    Malformed,
}

/// The end of a call's stream at which a body is sent on. Dropped before the end of the body, it says that the
/// body is not complete.
pub struct BodySender(Option<Sender>);

impl Side {
    /// Gives a body to the other side; the number is that of its stream.
    pub fn give_body(self: &Arc<Self>) -> (u32, BodySender) {
        let (number, sender) = self.give(Kind::Stream);
        (number, BodySender(Some(sender)))
    }

    /// Takes a body that the other side gave; none if there can be none of this number.
    pub fn take_body(self: &Arc<Self>, number: u32) -> Option<ReceivedBody> {
        let receiver = self.take(number)?;
        Some(ReceivedBody {
            receiver,
            is_over: false,
            has_paused: false,
        })
    }
}

// === impl BodySender ===

impl BodySender {
    /// Sends a body, until its end or until nobody reads it. A body that breaks off is one that is not complete
    /// for its reader, too.
    pub async fn send<B>(mut self, body: B)
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let Some(sender) = &self.0 else { return };
        if send(sender, body).await.is_ok() {
            // Dropped without more ado, it says that all was sent.
            drop(self.0.take());
        }
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            sender.fail();
        }
    }
}

/// Why not all of a body was sent.
enum Stopped {
    /// Nobody reads it.
    Unread,
    /// It broke off.
    Broken,
}

impl From<Gone> for Stopped {
    fn from(Gone: Gone) -> Self {
        Self::Unread
    }
}

async fn send<B>(sender: &Sender, mut body: B) -> Result<(), Stopped>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        let frame = poll_fn(|context| {
            if sender.poll_gone(context).is_ready() {
                return Poll::Ready(Err(Gone));
            }
            Pin::new(&mut body).poll_frame(context).map(Ok)
        });
        let frame = match frame.await? {
            None => return Ok(()),
            Some(Err(_)) => return Err(Stopped::Broken),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(bytes) => send_bytes(sender, &bytes).await?,
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    sender.send_trailers(fields(&trailers));
                }
            }
        }
    }
}

async fn send_bytes(sender: &Sender, bytes: &[u8]) -> Result<(), Stopped> {
    for piece in bytes.chunks(BYTES_PER_CHUNK) {
        poll_fn(|context| sender.poll_credit(context)).await?;
        // A piece of this size can always be written.
        let Ok(chunk) = bytes_chunk(piece) else {
            return Err(Stopped::Broken);
        };
        sender.send(chunk);
    }
    Ok(())
}

/// Headers as they go into a frame.
pub fn fields(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let headers = headers.iter();
    let headers =
        headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    headers.collect()
}

fn header(name: &str, value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, HeaderValue::from_bytes(value).ok()?))
}

// === impl ReceivedBody ===

impl ReceivedBody {
    fn end(&mut self, end: Ended) -> Option<Result<Frame<Bytes>, BodyError>> {
        self.is_over = true;
        match end {
            Ended::Broken => Some(Err(BodyError::Broken)),
            Ended::Complete => {
                let trailers = self.receiver.trailers()?;
                let trailers = trailers.iter();
                let trailers = trailers.filter_map(|(name, value)| header(name, value));
                Some(Ok(Frame::trailers(trailers.collect())))
            }
        }
    }

    fn read(&mut self, chunk: Vec<u8>) -> Result<Bytes, BodyError> {
        let length = {
            let mut decoder =
                Decoder::new(&chunk, Limits::LINK).map_err(|_| BodyError::Malformed)?;
            let length = decoder.bytes().map_err(|_| BodyError::Malformed)?.len();
            decoder.finish().map_err(|_| BodyError::Malformed)?;
            length
        };
        self.receiver.consumed(chunk.len());
        let start = chunk.len() - length;
        Ok(Bytes::from(chunk).slice(start..))
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let chunk = match ready!(self.receiver.poll_chunk(context)) {
            Ok(chunk) => chunk,
            Err(Ended::Broken) if !self.has_paused => {
                // A server that is told of a break at once drops what it has not written yet.
                self.has_paused = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Err(end) => return Poll::Ready(self.end(end)),
        };
        match self.read(chunk) {
            Ok(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Err(error) => {
                self.is_over = true;
                self.receiver.refuse();
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}
