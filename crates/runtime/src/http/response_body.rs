//! The body of a response whose guest still runs: reader and guest are notified of each other's
//! end.
//!
//! A reader that disconnects stops the guest, which would otherwise occupy its slot until the
//! deadline. A guest that fails ends the body with an error, so that a client does not take an
//! incomplete response for a complete one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{Notify, oneshot};
use wasmtime_wasi_http::Error;
use weft_ingress::{Body, BodyError};

use super::GuestBody;

/// State that a guest and the reader of its response share.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The guest failed.
    aborted: AtomicBool,
    reader_disconnected: Notify,
}

/// The response of a guest that may still write its body.
pub(super) struct ResponseHead {
    pub(super) response: Response<GuestBody>,
    /// Dropped with the body, read to its end or not.
    pub(super) body_end: Option<oneshot::Sender<()>>,
}

/// A body whose guest still runs.
struct TrackedBody {
    body: GuestBody,
    progress: Arc<Progress>,
    /// Bytes of the `content-length` that are still to come; `None` without such a header.
    remaining: Option<u64>,
    /// The body ended, so dropping it does not mean that its reader disconnected.
    ended: bool,
    _end: Option<oneshot::Sender<()>>,
}

impl Progress {
    /// Marks the body as incomplete. Must be called before the guest's instance is dropped: that
    /// drops the guest's end of the body, which alone looks like a regular end.
    pub(super) fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
    }

    /// Resolves when the reader drops the body before its end.
    pub(super) async fn reader_disconnected(&self) {
        self.reader_disconnected.notified().await;
    }
}

impl ResponseHead {
    /// The response, with a body that reports to `progress` when its reader disconnects.
    /// `head_only` is true for a request by `HEAD`: the server never reads the body of its
    /// response.
    pub(super) fn tracked(self, progress: &Arc<Progress>, head_only: bool) -> Response<Body> {
        let status = self.response.status();
        let unread =
            head_only || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let remaining = content_length(self.response.headers());
        self.response.map(|body| {
            let body = TrackedBody {
                body,
                progress: progress.clone(),
                remaining,
                ended: unread || remaining == Some(0),
                _end: self.body_end,
            };
            body.boxed_unsync()
        })
    }

    /// The response of a guest that has completed.
    pub(super) fn plain(self) -> Response<Body> {
        let response = self.response;
        response.map(|body| body.map_err(body_error).boxed_unsync())
    }
}

fn body_error(error: Error) -> BodyError {
    BodyError::Component(Box::new(error))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

impl TrackedBody {
    fn count(&mut self, frame: &Frame<Bytes>) {
        if let (Some(remaining), Some(data)) = (&mut self.remaining, frame.data_ref()) {
            *remaining = remaining.saturating_sub(data.len() as u64);
            // The server stops reading at the announced length, before the end of the stream.
            self.ended |= *remaining == 0;
        }
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(None) => {
                self.ended = true;
                if self.progress.aborted.load(Ordering::Acquire) {
                    return Poll::Ready(Some(Err(BodyError::Incomplete)));
                }
            }
            Poll::Ready(Some(Ok(frame))) => self.count(frame),
            Poll::Ready(Some(Err(_))) => self.ended = true,
            Poll::Pending => {}
        }
        polled.map_err(body_error)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && !self.progress.aborted.load(Ordering::Acquire)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.progress.reader_disconnected.notify_one();
        }
    }
}
