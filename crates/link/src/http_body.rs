//! HTTP bodies as streams of a call: a chunk of the stream is a list of bytes, and its credit is
//! the back-pressure of the body.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use weft_wire::{Decoder, Limits};

use crate::stream_table::{CallSide, Ended, Kind, ReaderDropped, Receiver, Sender, bytes_chunk};

/// The longest wait for a frame of a body after the deadline of its call: the sender ends the body
/// at the deadline, and its last frames may be on their way.
const SENDER_WAIT_MAX: Duration = Duration::from_secs(5);

/// The longest wait for the reader of a body after the deadline of its call: a client may read
/// slowly what was sent in time, and its host closes a connection without progress before this.
pub(crate) const READER_WAIT_MAX: Duration = Duration::from_secs(60);

/// A body that the other side of a call sends.
pub struct ReceivedBody {
    receiver: Receiver,
    /// The deadline of the call.
    deadline: Instant,
    /// The end of the wait for the next frame, while there is one.
    wait: Option<Pin<Box<Sleep>>>,
    is_finished: bool,
    /// Converts a chunk to bytes of the body; `None` for chunks that are lists of bytes.
    convert: Option<Convert>,
    /// The call, which ends with a reader that drops the body before its end.
    pub(crate) call: Option<AbortOnDropHandle<()>>,
}

/// A conversion of chunks, with `None` for a malformed one.
type Convert = Box<dyn FnMut(&[u8]) -> Option<Bytes> + Send>;

/// The reason why a body of another host ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender failed or was lost.
    #[error("body incomplete: its sender failed or was lost")]
    Broken,
    /// The sender sent nothing until the deadline of the call.
    #[error("body incomplete: nothing was sent until the deadline of the request")]
    Late,
    /// A chunk is not a list of elements of the stream.
    #[error("malformed body: expected chunks that are lists of its elements")]
    Malformed,
}

/// Sends a body over a stream of a call. Dropping it before the end of the body marks the body as
/// incomplete.
pub struct BodySender {
    sender: Option<Sender>,
    /// The deadline of the call.
    deadline: Instant,
}

impl CallSide {
    /// Hands a body over to the other side; returns the number of its stream. `deadline` is that
    /// of the call.
    pub fn give_body(self: &Arc<Self>, deadline: Instant) -> (u32, BodySender) {
        let (number, sender) = self.give(Kind::Stream);
        let sender = Some(sender);
        (number, BodySender { sender, deadline })
    }

    /// Accepts a body that the other side handed over; `None` as for [`CallSide::take`]. `deadline`
    /// is that of the call.
    pub fn take_body(self: &Arc<Self>, number: u32, deadline: Instant) -> Option<ReceivedBody> {
        let receiver = self.take(number)?;
        Some(ReceivedBody {
            receiver,
            deadline,
            wait: None,
            is_finished: false,
            convert: None,
            call: None,
        })
    }
}

// === impl BodySender ===

impl BodySender {
    /// Sends a body, until its end is sent, or its reader is dropped or does not read in time. If
    /// the body fails, its reader receives it as incomplete.
    pub async fn send<B>(self, body: B)
    where
        B: Body<Data = Bytes> + Unpin,
    {
        // The reader finds an incomplete body.
        let _ = self.try_send(body).await;
    }

    /// Sends a body as [`BodySender::send`].
    ///
    /// # Errors
    /// The reason why the body was not sent completely.
    pub(crate) async fn try_send<B>(mut self, body: B) -> Result<(), SendError>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let Some(sender) = &self.sender else {
            return Ok(());
        };
        send(sender, self.deadline, body).await?;
        if let Some(sender) = self.sender.take() {
            // A reader that does not read in time finds the body incomplete.
            let _ = timeout_at(end_of_wait(self.deadline, READER_WAIT_MAX), sender.finish()).await;
        }
        Ok(())
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.fail();
        }
    }
}

/// The reason why a body was not sent completely.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SendError {
    ReaderDropped,
    ReaderStalled,
    BodyFailed,
}

impl From<ReaderDropped> for SendError {
    fn from(ReaderDropped: ReaderDropped) -> Self {
        Self::ReaderDropped
    }
}

/// The end of a wait of at most `wait` after now, or after the deadline of the call if that is
/// later.
pub(crate) fn end_of_wait(deadline: Instant, wait: Duration) -> Instant {
    deadline.max(Instant::now()) + wait
}

async fn send<B>(sender: &Sender, deadline: Instant, mut body: B) -> Result<(), SendError>
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
            Ok(bytes) => send_bytes(sender, deadline, &bytes).await?,
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    sender.send_trailers(fields(&trailers));
                }
            }
        }
    }
}

async fn send_bytes(sender: &Sender, deadline: Instant, bytes: &[u8]) -> Result<(), SendError> {
    for piece in bytes.chunks(sender.chunk_bytes()) {
        let credit = poll_fn(|context| sender.poll_credit(context));
        let credit = timeout_at(end_of_wait(deadline, READER_WAIT_MAX), credit);
        credit.await.map_err(|_| SendError::ReaderStalled)??;
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
    /// The body with its chunks converted by `convert`; `None` is for a malformed one.
    pub(crate) fn convert(
        mut self,
        convert: impl FnMut(&[u8]) -> Option<Bytes> + Send + 'static,
    ) -> Self {
        self.convert = Some(Box::new(convert));
        self
    }

    /// The body of a call that ends when the body is dropped before its end.
    pub(crate) fn of_call(mut self, call: Option<AbortOnDropHandle<()>>) -> Self {
        self.call = call;
        self
    }

    /// The next chunk or the end of the stream; `None` if neither arrives in time.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, Ended>> {
        if let Poll::Ready(chunk) = self.receiver.poll_chunk(context) {
            self.wait = None;
            return Poll::Ready(chunk.map(Some));
        }
        let deadline = self.deadline;
        let wait = self
            .wait
            .get_or_insert_with(|| Box::pin(sleep_until(end_of_wait(deadline, SENDER_WAIT_MAX))));
        wait.as_mut().poll(context).map(|()| Ok(None))
    }

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
        if let Some(convert) = &mut self.convert {
            let bytes = convert(&chunk).ok_or(BodyError::Malformed)?;
            self.receiver.consumed(chunk.len());
            return Ok(bytes);
        }
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

impl Drop for ReceivedBody {
    fn drop(&mut self) {
        if self.is_finished
            && let Some(call) = self.call.take()
        {
            // What the call does after its stream needs no reader.
            drop(call.detach());
        }
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
        let chunk = match ready!(self.poll_chunk(context)) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => {
                self.is_finished = true;
                return Poll::Ready(Some(Err(BodyError::Late)));
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

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;
    use crate::stream_message::PeerDelivery;

    const DEADLINE: Duration = Duration::from_secs(30);

    fn pair() -> (Arc<CallSide>, Arc<CallSide>) {
        CallSide::pair(|peer| PeerDelivery::Framed(Arc::downgrade(peer), 7))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_of_a_silent_sender_fails_soon_after_the_deadline() {
        let (importer, exporter) = pair();
        let deadline = Instant::now() + DEADLINE;
        let (number, _sender) = exporter.give_body(deadline);
        let mut body = importer.take_body(number, deadline).unwrap();
        let failed = body.frame().await.unwrap();
        assert!(matches!(failed, Err(BodyError::Late)), "{failed:?}");
        assert_eq!(deadline.elapsed(), SENDER_WAIT_MAX);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_read_after_the_deadline_still_arrives() {
        let (importer, exporter) = pair();
        let deadline = Instant::now() + DEADLINE;
        let (number, sender) = exporter.give_body(deadline);
        let read = async {
            tokio::time::advance(DEADLINE + READER_WAIT_MAX / 2).await;
            let body = importer.take_body(number, deadline).unwrap();
            body.collect().await.unwrap().to_bytes()
        };
        let (read, ()) = tokio::join!(read, sender.send(Full::new(Bytes::from("late"))));
        assert_eq!(read, "late");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_never_read_is_not_sent_for_ever() {
        for text in ["", "some"] {
            let (_importer, exporter) = pair();
            let deadline = Instant::now() + DEADLINE;
            let (_, sender) = exporter.give_body(deadline);
            sender.send(Full::new(Bytes::from(text))).await;
            assert_eq!(deadline.elapsed(), READER_WAIT_MAX, "{text:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_body_reaches_a_reader_that_comes_after_it() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        for expected in [None, Some(trailers)] {
            let (importer, exporter) = pair();
            let deadline = Instant::now() + DEADLINE;
            let (number, sender) = exporter.give_body(deadline);
            drop(exporter);
            let frames = expected
                .clone()
                .map(|trailers| Ok::<_, ()>(Frame::trailers(trailers)));
            let sent = sender.send(StreamBody::new(futures_util::stream::iter(frames)));
            let read = async {
                tokio::task::yield_now().await;
                let body = importer.take_body(number, deadline).unwrap();
                body.collect().await.unwrap()
            };
            let (read, ()) = tokio::join!(read, sent);
            assert_eq!(read.trailers(), expected.as_ref());
            assert!(read.to_bytes().is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_whose_sender_failed_is_incomplete_for_a_reader_that_comes_after_it() {
        let (importer, exporter) = pair();
        let deadline = Instant::now() + DEADLINE;
        let (number, sender) = exporter.give_body(deadline);
        drop(exporter);
        let frames = [Err::<Frame<Bytes>, ()>(())];
        let broken = StreamBody::new(futures_util::stream::iter(frames));
        sender.send(broken).await;
        let body = importer.take_body(number, deadline).unwrap();
        let failed = body.collect().await;
        assert!(matches!(failed, Err(BodyError::Broken)), "{failed:?}");
    }
}
