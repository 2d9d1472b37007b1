//! The beginning of a body, as far as it is there without waiting: most bodies are small and come with their
//! head, and go on with it in one message.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// How much is read ahead at most: a page or a document, and far below what one message carries.
const BYTES_MAX: usize = 64 << 10;

/// The beginning of a body whose errors are `E`.
pub struct Beginning<E> {
    frames: VecDeque<Result<Frame<Bytes>, E>>,
    /// Whether this is all of it.
    is_whole: bool,
}

/// A body with its beginning before it again.
pub struct Begun<B: Body> {
    beginning: VecDeque<Result<Frame<Bytes>, B::Error>>,
    body: B,
}

impl<E> Beginning<E> {
    /// Reads what is there of a body.
    pub async fn of<B>(body: &mut B) -> Self
    where
        B: Body<Data = Bytes, Error = E> + Unpin,
    {
        let mut beginning = Self {
            frames: VecDeque::new(),
            is_whole: false,
        };
        poll_fn(|context| {
            beginning.read(body, context);
            Poll::Ready(())
        })
        .await;
        beginning
    }

    fn read<B>(&mut self, body: &mut B, context: &mut Context<'_>)
    where
        B: Body<Data = Bytes, Error = E> + Unpin,
    {
        let mut bytes = 0;
        while bytes < BYTES_MAX {
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
                    let read = frame
                        .as_ref()
                        .ok()
                        .and_then(Frame::data_ref)
                        .map(Bytes::len);
                    self.frames.push_back(frame);
                    match read {
                        Some(read) => bytes += read,
                        // What follows comes after it.
                        None => return,
                    }
                }
            }
        }
    }

    /// The whole body, if it was there, and nothing but bytes.
    pub fn whole(&self) -> Option<Vec<u8>> {
        if !self.is_whole {
            return None;
        }
        let mut bytes = Vec::new();
        for frame in &self.frames {
            bytes.extend_from_slice(frame.as_ref().ok()?.data_ref()?);
        }
        Some(bytes)
    }

    /// The body, with this before it again.
    pub fn before<B>(self, body: B) -> Begun<B>
    where
        B: Body<Data = Bytes, Error = E>,
    {
        Begun {
            beginning: self.frames,
            body,
        }
    }
}

impl<B> Body for Begun<B>
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
        match self.beginning.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.beginning.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.beginning.is_empty() {
            true => self.body.size_hint(),
            false => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    /// A body of these parts, which then never ends.
    fn endless(parts: &[&'static str]) -> impl Body<Data = Bytes, Error = ()> + Unpin {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Ok(Frame::data(Bytes::from(*part))))
            .collect();
        use futures_util::StreamExt as _;
        StreamBody::new(futures_util::stream::iter(parts).chain(futures_util::stream::pending()))
    }

    #[tokio::test]
    async fn a_body_that_is_there_is_whole() {
        for text in ["", "all of it"] {
            let mut body = Full::new(Bytes::from(text));
            let beginning = Beginning::of(&mut body).await;
            assert_eq!(beginning.whole().as_deref(), Some(text.as_bytes()));
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_waited_for_and_nothing_is_lost() {
        let mut body = endless(&["a", "b"]);
        let beginning = Beginning::of(&mut body).await;
        assert_eq!(beginning.whole(), None);
        let mut body = beginning.before(body);
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
        let beginning = Beginning::of(&mut body).await;
        assert_eq!(beginning.frames.len(), 2);
    }

    #[tokio::test]
    async fn an_error_comes_where_it_was() {
        let parts = vec![Ok(Frame::data(Bytes::from("a"))), Err("broken")];
        let mut body = StreamBody::new(futures_util::stream::iter(parts));
        let beginning = Beginning::of(&mut body).await;
        assert_eq!(beginning.whole(), None);
        let mut body = beginning.before(body);
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(body.frame().await.unwrap().err(), Some("broken"));
    }
}
