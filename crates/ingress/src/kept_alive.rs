//! Bodies with a sign of life while they have no data, so that no proxy on the way of a stream
//! takes its connection for dead.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep};

/// The longest time without data: below the usual idle limit of a proxy, a minute.
pub(crate) const QUIET_MAX: Duration = Duration::from_secs(15);

/// A body that sends `sign` after each [`QUIET_MAX`] without a frame.
pub(crate) struct KeptAlive<B> {
    body: B,
    sign: &'static [u8],
    quiet: Pin<Box<Sleep>>,
    is_finished: bool,
}

impl<B> KeptAlive<B> {
    /// The body, with a sign that its readers ignore.
    pub(crate) fn new(body: B, sign: &'static [u8]) -> Self {
        Self {
            body,
            sign,
            quiet: Box::pin(sleep(QUIET_MAX)),
            is_finished: false,
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for KeptAlive<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => {
                this.is_finished = !matches!(frame, Some(Ok(_)));
                frame
            }
            Poll::Pending if this.quiet.as_mut().poll(context).is_ready() => {
                Some(Ok(Frame::data(Bytes::from_static(this.sign))))
            }
            Poll::Pending => return Poll::Pending,
        };
        this.quiet.as_mut().reset(Instant::now() + QUIET_MAX);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_finished || self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn data(text: &'static str) -> Result<Frame<Bytes>, ()> {
        Ok(Frame::data(Bytes::from(text)))
    }

    async fn next(body: &mut (impl Body<Data = Bytes, Error = ()> + Unpin)) -> Bytes {
        body.frame().await.unwrap().unwrap().into_data().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_data_sends_a_sign_of_life_again_and_again() {
        let parts = stream::iter([data("a")]).chain(stream::pending());
        let mut body = KeptAlive::new(StreamBody::new(parts), b":\n\n");
        let start = Instant::now();
        assert_eq!(next(&mut body).await, "a");
        for count in 1..4 {
            assert_eq!(next(&mut body).await, ":\n\n");
            assert_eq!(start.elapsed(), QUIET_MAX * count);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn data_postpones_the_sign_of_life() {
        let parts = stream::unfold(0, |count| async move {
            sleep(QUIET_MAX * 2 / 3).await;
            (count < 3).then(|| (data("a"), count + 1))
        });
        let mut body = KeptAlive::new(StreamBody::new(Box::pin(parts)), b":\n\n");
        for _ in 0..3 {
            assert_eq!(next(&mut body).await, "a");
        }
        assert!(body.frame().await.is_none());
        assert!(body.is_end_stream());
    }
}
