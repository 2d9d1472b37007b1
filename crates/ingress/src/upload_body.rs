//! The body of a request that its component reads as a stream, as far as its limit.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame};
use weft_api::Problem;

use crate::host_problems::{incomplete, too_large};
use crate::typed_route::Rejection;

/// A body within its limit, without trailers.
pub(crate) struct UploadBody<B> {
    body: B,
    bytes_max: u64,
    /// Number of bytes that the body may still have.
    bytes_left: u64,
    state: UploadState,
}

/// The state of a body that a call reads, for the response.
#[derive(Clone, Default)]
pub(crate) struct UploadState(Arc<Shared>);

#[derive(Default)]
struct Shared {
    failure: OnceLock<UploadError>,
    is_awaited: AtomicBool,
}

/// The reason why a body ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadError {
    /// The body exceeds its limit, in bytes.
    #[error("body too large: expected at most {0} bytes")]
    TooLarge(u64),
    /// The client ended it.
    #[error("body incomplete: the client ended it")]
    Incomplete,
    /// The body is not the form that it has to be.
    #[error("malformed form")]
    Malformed(Problem),
}

impl UploadError {
    /// The response to the request.
    pub(crate) fn rejection(&self) -> Rejection {
        match self {
            Self::TooLarge(limit) => too_large(*limit),
            Self::Incomplete => incomplete(StatusCode::BAD_REQUEST),
            Self::Malformed(problem) => Box::new(problem.response()),
        }
    }
}

impl UploadState {
    /// The response to a request whose body ended early.
    pub(crate) fn rejection(&self) -> Option<Rejection> {
        self.0.failure.get().map(UploadError::rejection)
    }

    /// True while the next bytes of the body have not arrived, and nothing else is waited for.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.is_awaited.load(Ordering::Relaxed)
    }

    fn fail(&self, error: UploadError) -> UploadError {
        self.0.failure.get_or_init(|| error).clone()
    }
}

impl<B> UploadBody<B> {
    /// A body of at most `bytes_max` bytes, which reports its state to `state`.
    pub(crate) fn new(body: B, bytes_max: u64, state: UploadState) -> Self {
        Self {
            body,
            bytes_max,
            bytes_left: bytes_max,
            state,
        }
    }

    /// Marks the body as malformed.
    pub(crate) fn fail(&self, problem: Problem) -> UploadError {
        self.state.fail(UploadError::Malformed(problem))
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
            let frame = Pin::new(&mut this.body).poll_frame(context);
            let is_awaited = &this.state.0.is_awaited;
            is_awaited.store(frame.is_pending(), Ordering::Relaxed);
            let frame = match frame {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(_))) => {
                    let error = this.state.fail(UploadError::Incomplete);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            // A stream has no place for trailers.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let Some(left) = this.bytes_left.checked_sub(data.len() as u64) else {
                let error = this.state.fail(UploadError::TooLarge(this.bytes_max));
                return Poll::Ready(Some(Err(error)));
            };
            this.bytes_left = left;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _, stream};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    type Parts = Vec<Result<Frame<Bytes>, &'static str>>;

    fn data(text: &'static str) -> Result<Frame<Bytes>, &'static str> {
        Ok(Frame::data(Bytes::from(text)))
    }

    async fn read(parts: Parts, bytes_max: u64) -> (Result<Bytes, UploadError>, Option<u16>) {
        let state = UploadState::default();
        let body = StreamBody::new(stream::iter(parts));
        let body = UploadBody::new(body, bytes_max, state.clone());
        let read = body.collect().await.map(|read| read.to_bytes());
        let rejection = state.rejection();
        (read, rejection.map(|response| response.status.as_u16()))
    }

    #[tokio::test]
    async fn a_body_may_have_as_many_bytes_as_its_limit_and_no_more() {
        let parts = || vec![data("abc"), data(""), data("de")];
        assert_eq!(read(parts(), 5).await, (Ok(Bytes::from("abcde")), None));
        let too_large = Err(UploadError::TooLarge(4));
        assert_eq!(read(parts(), 4).await, (too_large, Some(413)));
    }

    #[tokio::test]
    async fn a_body_that_its_client_ends_is_incomplete() {
        let found = read(vec![data("abc"), Err("reset")], 5).await;
        assert_eq!(found, (Err(UploadError::Incomplete), Some(400)));
    }

    #[tokio::test]
    async fn trailers_are_dropped() {
        let trailers = Ok(Frame::trailers(http::HeaderMap::new()));
        let found = read(vec![data("abc"), trailers], 3).await;
        assert_eq!(found, (Ok(Bytes::from("abc")), None));
    }

    #[tokio::test]
    async fn a_body_is_awaited_while_its_client_sends_nothing() {
        let state = UploadState::default();
        let parts = stream::iter([data("abc")]).chain(stream::pending());
        let mut body = UploadBody::new(StreamBody::new(parts), 9, state.clone());
        assert!(!state.is_awaited());
        assert!(body.frame().await.unwrap().is_ok());
        assert!(!state.is_awaited());
        assert!(body.frame().now_or_never().is_none());
        assert!(state.is_awaited());
    }
}
