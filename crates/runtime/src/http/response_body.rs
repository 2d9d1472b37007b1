//! The body of an answer whose guest still runs: reader and guest learn of each other's end.
//!
//! A reader that goes away ends the guest, whose slot it would otherwise hold until its deadline. A
//! guest that breaks off ends the body with an error, so that half an answer does not pass for a whole
//! one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::Notify;
use wasmtime_wasi_http::Error;

use weft_ingress::{Body, BodyError};

use super::GuestBody;

/// What a guest and the reader of its answer know of each other.
#[derive(Debug, Default)]
pub(super) struct Progress {
    broken: AtomicBool,
    reader_gone: Notify,
}

/// A body that is read while its guest runs.
struct Watched {
    body: GuestBody,
    progress: Arc<Progress>,
    /// Bytes that the head promised and that have not come yet; none if it promised no number.
    promised: Option<u64>,
    /// Nothing more will be read, because all was.
    ended: bool,
}

impl Progress {
    /// The guest broke off. Must be called before what is left of it is dropped: its end of the body
    /// is dropped with it, which alone looks like the end of the answer.
    pub(super) fn break_off(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Resolves when the reader went away before the end.
    pub(super) async fn reader_gone(&self) {
        self.reader_gone.notified().await;
    }
}

/// The response, with a body that tells `progress` of its reader. `head_only` is for an answer to
/// `HEAD`, whose body nobody reads.
pub(super) fn watched(
    response: Response<GuestBody>,
    progress: &Arc<Progress>,
    head_only: bool,
) -> Response<Body> {
    let unread = head_only
        || matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    let promised = content_length(response.headers());
    response.map(|body| {
        let progress = progress.clone();
        Watched {
            body,
            progress,
            promised,
            ended: unread || promised == Some(0),
        }
        .boxed_unsync()
    })
}

/// The response of a guest that has returned.
pub(super) fn plain(response: Response<GuestBody>) -> Response<Body> {
    response.map(|body| body.map_err(body_error).boxed_unsync())
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

impl Watched {
    fn note(&mut self, frame: &Frame<Bytes>) {
        if let (Some(promised), Some(data)) = (&mut self.promised, frame.data_ref()) {
            *promised = promised.saturating_sub(data.len() as u64);
            // A server stops reading when it has what the head promised.
            self.ended |= *promised == 0;
        }
    }
}

impl HttpBody for Watched {
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
                if self.progress.broken.load(Ordering::Acquire) {
                    return Poll::Ready(Some(Err(BodyError::Incomplete)));
                }
            }
            Poll::Ready(Some(Ok(frame))) => self.note(frame),
            Poll::Ready(Some(Err(_))) => self.ended = true,
            Poll::Pending => {}
        }
        polled.map_err(body_error)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && !self.progress.broken.load(Ordering::Acquire)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.progress.reader_gone.notify_one();
        }
    }
}
