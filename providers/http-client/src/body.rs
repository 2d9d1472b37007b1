//! The body of a response, with a timeout for each part.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use weft_provider::http::HttpClientError;

use crate::error_mapping::client_error;

/// The body of a response. The request counts as in flight until the body is dropped.
pub(crate) struct ResponseBody {
    pub(crate) incoming: Incoming,
    pub(crate) between_bytes_timeout: Duration,
    /// Runs while the reader waits; time between reads does not count.
    pub(crate) stall_timer: Option<Pin<Box<Sleep>>>,
    pub(crate) authority: String,
    pub(crate) _in_flight: OwnedSemaphorePermit,
}

// === impl ResponseBody ===

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = HttpClientError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpClientError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(context) {
            this.stall_timer = None;
            return Poll::Ready(
                frame.map(|frame| frame.map_err(|error| client_error(&error, &this.authority))),
            );
        }
        let limit = this.between_bytes_timeout;
        let stall_timer = this
            .stall_timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stall_timer.as_mut().poll(context));
        Poll::Ready(Some(Err(HttpClientError::BetweenBytesTimeout(limit))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
