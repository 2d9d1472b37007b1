//! The part of a body that is available without waiting. Most bodies are small and arrive with
//! their head, so that both fit one message to another host.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The most bytes to read ahead: a page or a document, and far below the largest message.
const BYTES_MAX: usize = 64 << 10;

/// The frames of a body that were available without waiting; its errors are `E`.
pub(crate) struct BodyPrefix<E> {
    frames: VecDeque<Result<Frame<Bytes>, E>>,
    /// True if the body ends after these frames.
    is_whole: bool,
}

/// A body with its prefix in front of it again.
pub(crate) struct PrefixedBody<B: Body> {
    prefix: VecDeque<Result<Frame<Bytes>, B::Error>>,
    body: B,
}

impl<E> BodyPrefix<E> {
    /// Reads the frames that are available now, up to a bound.
    pub(crate) async fn read<B>(body: &mut B) -> Self
    where
        B: Body<Data = Bytes, Error = E> + Unpin,
    {
        let mut prefix = Self {
            frames: VecDeque::new(),
            is_whole: false,
        };
        poll_fn(|context| {
            prefix.poll_frames(body, context);
            Poll::Ready(())
        })
        .await;
        prefix
    }

    fn poll_frames<B>(&mut self, body: &mut B, context: &mut Context<'_>)
    where
        B: Body<Data = Bytes, Error = E> + Unpin,
    {
        let mut total = 0;
        while total < BYTES_MAX {
            if body.is_end_stream() {
                self.is_whole = true;
                return;
            }
            match Pin::new(&mut *body).poll_frame(context) {
                Poll::Pending => return,
                Poll::Ready(None) => {
                    self.is_whole = true;
                    return;
                }
                Poll::Ready(Some(frame)) => {
                    let length = frame
                        .as_ref()
                        .ok()
                        .and_then(Frame::data_ref)
                        .map(Bytes::len);
                    self.frames.push_back(frame);
                    match length {
                        Some(length) => total += length,
                        // Trailers or an error: no data follows.
                        None => return,
                    }
                }
            }
        }
    }

    /// The bytes of the body, if the prefix is the whole body and has no trailers.
    pub(crate) fn whole(&self) -> Option<Vec<u8>> {
        if !self.is_whole {
            return None;
        }
        let mut bytes = Vec::new();
        for frame in &self.frames {
            bytes.extend_from_slice(frame.as_ref().ok()?.data_ref()?);
        }
        Some(bytes)
    }

    /// Puts the prefix back in front of its body.
    pub(crate) fn prepend_to<B>(self, body: B) -> PrefixedBody<B>
    where
        B: Body<Data = Bytes, Error = E>,
    {
        PrefixedBody {
            prefix: self.frames,
            body,
        }
    }
}

impl<B> Body for PrefixedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.prefix.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.prefix.is_empty() {
            true => self.body.size_hint(),
            false => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    /// A body of these parts that never ends.
    fn endless(parts: &[&'static str]) -> impl Body<Data = Bytes, Error = ()> + Unpin {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Ok(Frame::data(Bytes::from(*part))))
            .collect();
        StreamBody::new(stream::iter(parts).chain(stream::pending()))
    }

    #[tokio::test]
    async fn an_available_body_is_whole() {
        for text in ["", "all of it"] {
            let mut body = Full::new(Bytes::from(text));
            let prefix = BodyPrefix::read(&mut body).await;
            assert_eq!(prefix.whole().as_deref(), Some(text.as_bytes()));
        }
    }

    #[tokio::test]
    async fn an_unfinished_body_is_not_awaited_and_no_frame_is_lost() {
        let mut body = endless(&["a", "b"]);
        let prefix = BodyPrefix::read(&mut body).await;
        assert_eq!(prefix.whole(), None);
        let mut body = prefix.prepend_to(body);
        for expected in ["a", "b"] {
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_large_body_is_read_ahead_up_to_a_bound() {
        let part: &'static str = Box::leak("x".repeat(BYTES_MAX / 2).into_boxed_str());
        let parts = [part; 10];
        let mut body = endless(&parts);
        let prefix = BodyPrefix::read(&mut body).await;
        assert_eq!(prefix.frames.len(), 2);
    }

    #[tokio::test]
    async fn an_error_keeps_its_place() {
        let parts = vec![Ok(Frame::data(Bytes::from("a"))), Err("broken")];
        let mut body = StreamBody::new(stream::iter(parts));
        let prefix = BodyPrefix::read(&mut body).await;
        assert_eq!(prefix.whole(), None);
        let mut body = prefix.prepend_to(body);
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(body.frame().await.unwrap().err(), Some("broken"));
    }
}
