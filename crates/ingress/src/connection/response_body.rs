//! The body of a response on its way to the client.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::InProgress;
use crate::handler::{Body, BodyError};

/// A body that marks how far the connection has read it. The request is in flight until it is
/// dropped.
pub(crate) struct ResponseBody {
    body: Body,
    request: InProgress,
    /// True if the connection has not requested more since the last frame.
    is_unread: bool,
    /// The error that ends the body, while the connection writes what came before: it drops what it
    /// has buffered when it reads an error.
    error: Option<BodyError>,
}

impl ResponseBody {
    pub(crate) fn new(body: Body, request: InProgress) -> Self {
        let mut body = Self {
            body,
            request,
            is_unread: false,
            error: None,
        };
        body.mark(!body.body.is_end_stream());
        body
    }

    fn mark(&mut self, is_unread: bool) {
        let unread_bodies = &self.request.0.unread_bodies;
        if is_unread && !self.is_unread {
            unread_bodies.fetch_add(1, Ordering::Relaxed);
        } else if self.is_unread && !is_unread {
            unread_bodies.fetch_sub(1, Ordering::Relaxed);
        }
        self.is_unread = is_unread;
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        self.request.0.body_polls.fetch_add(1, Ordering::Relaxed);
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.mark(matches!(frame, Poll::Ready(Some(Ok(_)))));
        if let Poll::Ready(Some(Err(error))) = frame {
            self.error = Some(error);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.error.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.mark(false);
    }
}
