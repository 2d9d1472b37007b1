//! Messages of a connection as a stream of a call: each message is an element, and the credit of
//! the reader is the back-pressure of the connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout, timeout_at};

use crate::http_body::{READER_WAIT_MAX, ReceivedBody, SendError, end_of_wait};
use crate::stream_table::{CallSide, Kind, ReaderDropped, Sender};

/// Sends messages over a stream of a call. Dropping it before their end marks the stream as
/// incomplete.
pub(crate) struct MessageSender {
    sender: Option<Sender>,
    /// The deadline of the call.
    deadline: Instant,
}

impl MessageSender {
    /// Hands a stream over to the other side. `deadline` is that of the call.
    pub(crate) fn give(side: &Arc<CallSide>, deadline: Instant) -> Self {
        let (_, sender) = side.give(Kind::Stream);
        let sender = Some(sender);
        Self { sender, deadline }
    }

    /// Sends messages, which are encoded chunks of the stream, until their end is sent. `messages`
    /// is polled while the reader waits for one, and not before.
    ///
    /// # Errors
    /// The reason why the messages were not sent completely.
    pub(crate) async fn send<M, E>(mut self, mut messages: M) -> Result<(), SendError>
    where
        M: Stream<Item = Result<Vec<u8>, E>> + Unpin,
    {
        while let Some(sender) = &self.sender {
            let credit = poll_fn(|context| sender.poll_credit(context));
            let credit = timeout_at(end_of_wait(self.deadline, READER_WAIT_MAX), credit);
            credit.await.map_err(|_| SendError::ReaderStalled)??;
            let message = poll_fn(|context| {
                if sender.poll_reader_dropped(context).is_ready() {
                    return Poll::Ready(Err(ReaderDropped));
                }
                messages.poll_next_unpin(context).map(Ok)
            });
            match message.await? {
                Some(Ok(chunk)) => sender.send(chunk),
                Some(Err(_)) => return Err(SendError::BodyFailed),
                None => break,
            }
        }
        if let Some(sender) = self.sender.take() {
            // A reader that does not read in time finds the stream incomplete.
            let _ = timeout_at(end_of_wait(self.deadline, READER_WAIT_MAX), sender.finish()).await;
        }
        Ok(())
    }
}

impl Drop for MessageSender {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.fail();
        }
    }
}

impl ReceivedBody {
    /// Closes the stream, and lets its call go on for at most `grace`.
    pub async fn close(mut self, grace: Duration) {
        let call = self.call.take();
        drop(self);
        if let Some(call) = call {
            // The call is cancelled at the end of the time, and has no result for this reader.
            let _ = timeout(grace, call).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::stream;

    use super::*;
    use crate::stream_message::PeerDelivery;
    use crate::stream_table::Ended;

    type Messages = stream::Iter<std::vec::IntoIter<Result<Vec<u8>, ()>>>;

    fn messages(of: &[Result<&[u8], ()>]) -> Messages {
        let owned: Vec<_> = of.iter().map(|it| it.map(<[u8]>::to_vec)).collect();
        stream::iter(owned)
    }

    fn pair() -> (Arc<CallSide>, Arc<CallSide>) {
        CallSide::pair(|peer| PeerDelivery::Framed(Arc::downgrade(peer), 7))
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_taken_once_their_reader_waits_for_them() {
        let (importer, exporter) = pair();
        let deadline = Instant::now() + Duration::from_secs(30);
        let sender = MessageSender::give(&importer, deadline);
        let (taken, mut polls) = (messages(&[Ok(b"\x01\x01a")]), 0);
        let counted = taken.inspect(|_| polls += 1);
        let mut sent = Box::pin(sender.send(counted));
        assert!(sent.as_mut().now_or_never().is_none(), "no reader");
        let receiver = exporter.take(0).unwrap();
        assert!(sent.as_mut().now_or_never().is_none(), "no read");
        let read = async {
            let first = poll_fn(|context| receiver.poll_chunk(context)).await;
            (first, poll_fn(|context| receiver.poll_chunk(context)).await)
        };
        let (sent, read) = tokio::join!(sent, read);
        assert_eq!(sent, Ok(()));
        assert_eq!(read, (Ok(b"\x01\x01a".to_vec()), Err(Ended::Complete)));
        assert_eq!(polls, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn messages_that_fail_leave_their_stream_incomplete() {
        let (importer, exporter) = pair();
        let deadline = Instant::now() + Duration::from_secs(30);
        let sender = MessageSender::give(&importer, deadline);
        let receiver = exporter.take(0).unwrap();
        let read = poll_fn(|context| receiver.poll_chunk(context));
        let (sent, read) = tokio::join!(sender.send(messages(&[Err(())])), read);
        assert_eq!(sent, Err(SendError::BodyFailed));
        assert_eq!(read, Err(Ended::Broken));
        assert!(exporter.is_abandoned());
    }

    #[tokio::test(start_paused = true)]
    async fn messages_without_a_reader_are_kept_for_a_bounded_time() {
        let (importer, exporter) = pair();
        let deadline = Instant::now() + Duration::from_secs(30);
        let sender = MessageSender::give(&importer, deadline);
        let sent = sender.send(messages(&[Ok(b"\x01\x01a")])).await;
        assert_eq!(sent, Err(SendError::ReaderStalled));
        assert_eq!(deadline.elapsed(), READER_WAIT_MAX);
        let sender = MessageSender::give(&importer, deadline);
        drop(exporter.take(2));
        let sent = sender.send(messages(&[Ok(b"\x01\x01a")])).await;
        assert_eq!(sent, Err(SendError::ReaderDropped));
    }
}
