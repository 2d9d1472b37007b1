//! HTTP bodies as streams of a call: a chunk of the stream is a list of bytes, and its credit is
//! the back-pressure of the body.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use weft_wire::{Decoder, Limits};

use crate::stream_table::{CallSide, Ended, Kind, ReaderDropped, Receiver, Sender, bytes_chunk};

/// A body that the other side of a call sends.
pub struct ReceivedBody {
    receiver: Receiver,
    is_finished: bool,
    /// True if the reader had a turn to pass on the bytes before the break.
    has_yielded: bool,
}

/// The reason why a body of another host ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender failed or was lost.
    #[error("body incomplete: its sender failed or was lost")]
    Broken,
    /// A chunk is not a list of bytes.
    #[error("malformed body: expected chunks that are lists of bytes")]
    Malformed,
}

/// Sends a body over a stream of a call. Dropping it before the end of the body marks the body as
/// incomplete.
pub struct BodySender(Option<Sender>);

impl CallSide {
    /// Hands a body over to the other side; returns the number of its stream.
    pub fn give_body(self: &Arc<Self>) -> (u32, BodySender) {
        let (number, sender) = self.give(Kind::Stream);
        (number, BodySender(Some(sender)))
    }

    /// Accepts a body that the other side handed over; `None` as for [`CallSide::take`].
    pub fn take_body(self: &Arc<Self>, number: u32) -> Option<ReceivedBody> {
        let receiver = self.take(number)?;
        Some(ReceivedBody {
            receiver,
            is_finished: false,
            has_yielded: false,
        })
    }
}

// === impl BodySender ===

impl BodySender {
    /// Sends a body, until it ends or its reader is dropped. If the body fails, its reader receives
    /// it as incomplete.
    pub async fn send<B>(mut self, body: B)
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let Some(sender) = &self.0 else { return };
        if send(sender, body).await.is_ok() {
            // Dropping the sender itself ends the stream as complete.
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

/// The reason why a body was not sent completely.
enum SendError {
    ReaderDropped,
    BodyFailed,
}

impl From<ReaderDropped> for SendError {
    fn from(ReaderDropped: ReaderDropped) -> Self {
        Self::ReaderDropped
    }
}

async fn send<B>(sender: &Sender, mut body: B) -> Result<(), SendError>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        let frame = poll_fn(|context| {
            if sender.poll_reader_dropped(context).is_ready() {
                return Poll::Ready(Err(ReaderDropped));
            }
            Pin::new(&mut body).poll_frame(context).map(Ok)
        });
        let frame = match frame.await? {
            None => return Ok(()),
            Some(Err(_)) => return Err(SendError::BodyFailed),
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

async fn send_bytes(sender: &Sender, bytes: &[u8]) -> Result<(), SendError> {
    for piece in bytes.chunks(sender.chunk_bytes()) {
        poll_fn(|context| sender.poll_credit(context)).await?;
        // A piece of this size always fits.
        let Ok(chunk) = bytes_chunk(piece) else {
            return Err(SendError::BodyFailed);
        };
        sender.send(chunk);
    }
    Ok(())
}

/// Converts headers to the fields of a frame.
fn fields(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
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
        self.is_finished = true;
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
        if self.is_finished {
            return Poll::Ready(None);
        }
        let chunk = match ready!(self.receiver.poll_chunk(context)) {
            Ok(chunk) => chunk,
            Err(Ended::Broken) if !self.has_yielded => {
                // An HTTP server that reads an error at once drops the bytes that it has buffered.
                self.has_yielded = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Err(end) => return Poll::Ready(self.end(end)),
        };
        match self.read(chunk) {
            Ok(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Err(error) => {
                self.is_finished = true;
                self.receiver.refuse();
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_finished
    }
}
