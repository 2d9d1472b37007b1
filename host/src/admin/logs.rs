//! `GET /v1/logs`: the newest lines of guests, and with `follow=true` those to come.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use weft_lattice::control::{LOG_TAIL_DEFAULT, LogLine};

use super::Api;
use super::api::Body;
use super::errors::ApiError;

/// Lines on their way to one follower.
const LINES_WAITING_MAX: usize = 64;

/// What lines are wanted.
#[derive(Debug, Default)]
struct Query {
    app: Option<String>,
    component: Option<String>,
    tail: Option<usize>,
    follow: bool,
}

/// Answers with one JSON object per line.
pub(super) fn answer(api: &Api, query: Option<&str>) -> Result<Response<Body>, ApiError> {
    let query = Query::parse(query.unwrap_or_default())?;
    // Subscribed before the tail is read, so that no line falls between them.
    let follow = query.follow.then(|| api.sources.logs.follow());
    let tail = api
        .sources
        .logs
        .tail(query.tail.unwrap_or(LOG_TAIL_DEFAULT), |line| {
            query.wants(line)
        });
    let (lines, body) = mpsc::channel(LINES_WAITING_MAX);
    let stop = api.stop.clone();
    api.tasks.spawn(async move {
        let last = tail.last().map(|line| line.sequence);
        for line in &tail {
            if lines.send(encode(line)).await.is_err() {
                return;
            }
        }
        if let Some(follow) = follow {
            pass_on(follow, &query, last, &lines, &stop).await;
        }
    });
    let mut response = Response::new(Lines(body).boxed_unsync());
    let ndjson = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, ndjson);
    Ok(response)
}

/// Sends new lines until the client goes away or the host stops.
async fn pass_on(
    mut follow: broadcast::Receiver<LogLine>,
    query: &Query,
    last: Option<u64>,
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
            Ok(line) if last.is_some_and(|last| line.sequence <= last) || !query.wants(&line) => {}
            Ok(line) => {
                if lines.send(encode(&line)).await.is_err() {
                    return;
                }
            }
            // The client is too slow: it misses lines, and their numbers show it.
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

fn encode(line: &LogLine) -> Bytes {
    // A line is strings and numbers: it cannot fail to serialise.
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    Bytes::from(bytes)
}

impl Query {
    fn parse(query: &str) -> Result<Self, ApiError> {
        let mut parsed = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "app" => parsed.app = Some(value.to_owned()),
                "component" => parsed.component = Some(value.to_owned()),
                "follow" => parsed.follow = value == "true",
                "tail" => {
                    let tail = value.parse().map_err(|_| {
                        ApiError::bad_request(format!(
                            "expected a number for `tail`, found `{value}`"
                        ))
                    })?;
                    parsed.tail = Some(tail);
                }
                _ => {
                    return Err(ApiError::bad_request(format!(
                        "expected `app`, `component`, `tail` or `follow`, found `{key}`"
                    )));
                }
            }
        }
        Ok(parsed)
    }

    fn wants(&self, line: &LogLine) -> bool {
        self.app.as_ref().is_none_or(|app| *app == line.app)
            && self
                .component
                .as_ref()
                .is_none_or(|component| *component == line.component)
    }
}

struct Lines(mpsc::Receiver<Bytes>);

impl HttpBody for Lines {
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
