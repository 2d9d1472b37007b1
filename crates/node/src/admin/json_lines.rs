//! Answers with one JSON object per line: stored entries, and for followers the new ones.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use serde::Serialize;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use weft_telemetry::event_log::Numbered;

use super::Api;
use super::router::Body;

/// The most lines in the queue of a follower.
const LINES_QUEUED_MAX: usize = 64;

/// Answers with `tail` and then the new entries of `follow` that pass `filter`. The subscription
/// has to begin before the tail is read, so that no entry falls between them.
pub(super) fn answer<T: Numbered + Serialize + Clone + Send + Sync + 'static>(
    api: &Api,
    tail: Vec<T>,
    follow: Option<broadcast::Receiver<T>>,
    filter: impl Fn(&T) -> bool + Send + Sync + 'static,
) -> Response<Body> {
    let (lines, body) = mpsc::channel(LINES_QUEUED_MAX);
    let stop = api.stop.clone();
    api.tasks.spawn(async move {
        let last = tail.last().map(Numbered::sequence);
        for line in &tail {
            if lines.send(encode(line)).await.is_err() {
                return;
            }
        }
        if let Some(follow) = follow {
            let is_new = |line: &T| last.is_none_or(|last| line.sequence() > last) && filter(line);
            forward_lines(follow, is_new, &lines, &stop).await;
        }
    });
    let mut response = Response::new(JsonLines(body).boxed_unsync());
    let ndjson = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, ndjson);
    response
}

/// Sends new lines until the client disconnects or the host stops.
async fn forward_lines<T: Serialize + Clone>(
    mut follow: broadcast::Receiver<T>,
    filter: impl Fn(&T) -> bool,
    lines: &mpsc::Sender<Bytes>,
    stop: &CancellationToken,
) {
    loop {
        let line = tokio::select! {
            line = follow.recv() => line,
            () = lines.closed() => return,
            () = stop.cancelled() => return,
        };
        match line {
            Ok(line) if !filter(&line) => {}
            Ok(line) => {
                if lines.send(encode(&line)).await.is_err() {
                    return;
                }
            }
            // A client that is too slow misses lines, and their numbers show it.
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// A line with its end.
pub(super) fn encode(line: &impl Serialize) -> Bytes {
    // Strings and numbers always serialise.
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    Bytes::from(bytes)
}

struct JsonLines(mpsc::Receiver<Bytes>);

impl HttpBody for JsonLines {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(context)
            .map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
