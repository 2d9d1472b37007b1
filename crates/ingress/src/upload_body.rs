//! The body of a request that its component reads as a stream, as far as its limit.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};

/// A body within its limit, without trailers.
pub(crate) struct UploadBody<B> {
    body: B,
    /// Number of bytes that the body may still have.
    bytes_left: u64,
    failure: UploadFailure,
}

/// The reason why a body ended early, for the response.
#[derive(Clone, Default)]
pub(crate) struct UploadFailure(Arc<OnceLock<UploadError>>);

/// The reason why a body ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadError {
    /// The body exceeds its limit.
    #[error("body too large")]
    TooLarge,
    /// The client ended it.
    #[error("body incomplete: the client ended it")]
    Incomplete,
}

impl UploadFailure {
    /// The reason, if the body ended early.
    pub(crate) fn get(&self) -> Option<UploadError> {
        self.0.get().copied()
    }

    fn set(&self, error: UploadError) -> UploadError {
        *self.0.get_or_init(|| error)
    }
}

impl<B> UploadBody<B> {
    /// A body of at most `bytes_max` bytes, which reports its failure to `failure`.
    pub(crate) fn new(body: B, bytes_max: u64, failure: UploadFailure) -> Self {
        Self {
            body,
            bytes_left: bytes_max,
            failure,
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for UploadBody<B> {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = &mut *self;
        loop {
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(_)) => {
                    let error = this.failure.set(UploadError::Incomplete);
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => frame,
            };
            // A stream has no place for trailers.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let Some(left) = this.bytes_left.checked_sub(data.len() as u64) else {
                let error = this.failure.set(UploadError::TooLarge);
                return Poll::Ready(Some(Err(error)));
            };
            this.bytes_left = left;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    type Parts = Vec<Result<Frame<Bytes>, &'static str>>;

    fn data(text: &'static str) -> Result<Frame<Bytes>, &'static str> {
        Ok(Frame::data(Bytes::from(text)))
    }

    async fn read(parts: Parts, bytes_max: u64) -> (Result<Bytes, UploadError>, UploadFailure) {
        let failure = UploadFailure::default();
        let body = StreamBody::new(stream::iter(parts));
        let body = UploadBody::new(body, bytes_max, failure.clone());
        let read = body.collect().await.map(|read| read.to_bytes());
        (read, failure)
    }

    #[tokio::test]
    async fn a_body_may_have_as_many_bytes_as_its_limit_and_no_more() {
        let parts = || vec![data("abc"), data(""), data("de")];
        let (body, failure) = read(parts(), 5).await;
        assert_eq!((body, failure.get()), (Ok(Bytes::from("abcde")), None));
        let too_large = UploadError::TooLarge;
        let (body, failure) = read(parts(), 4).await;
        assert_eq!((body, failure.get()), (Err(too_large), Some(too_large)));
    }

    #[tokio::test]
    async fn a_body_that_its_client_ends_is_incomplete() {
        let incomplete = UploadError::Incomplete;
        let (body, failure) = read(vec![data("abc"), Err("reset")], 5).await;
        assert_eq!((body, failure.get()), (Err(incomplete), Some(incomplete)));
    }

    #[tokio::test]
    async fn trailers_are_dropped() {
        let trailers = Ok(Frame::trailers(http::HeaderMap::new()));
        let (body, failure) = read(vec![data("abc"), trailers], 3).await;
        assert_eq!((body, failure.get()), (Ok(Bytes::from("abc")), None));
    }
}
