//! Handlers without a component.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_ingress::{
    Body, BodyError, Handler, Overloaded, RequestBody, RouteTarget, error_response,
};

use crate::PATIENCE;

/// The most bytes of a request body that a [`FakeHandler`] accepts.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// Behavior of a handler.
#[derive(Clone)]
pub(crate) enum FakeHandler {
    /// Reads the whole body, then responds with it, and with the path in `x-path`, the authority in
    /// `x-authority` and the host in `x-host`.
    Echo,
    /// Responds with the body while the body arrives.
    StreamBack,
    /// Responds with these frames of a body, and does not read the request.
    Frames(Vec<FakeFrame>),
    /// Responds with this status, `content-length: 4`, and a body of four bytes. Adds a permit
    /// when the body is read to its end.
    Status(StatusCode, Arc<Semaphore>),
    /// Responds with a body without an end. Adds a permit when the body is dropped.
    Endless(Arc<Semaphore>),
    /// Responds after this time.
    Late(Duration),
    /// Never responds. Adds a permit when the request is dropped.
    Waiting(Arc<Semaphore>),
    /// Rejects every request.
    Full,
    /// Responds after the test allows it.
    Blocked(Arc<Gate>),
}

/// A frame of a response body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FakeFrame {
    Data(&'static str),
    /// One trailer, `grpc-status: 0`.
    Trailers,
    /// The body fails.
    Failure,
}

/// Holds a request until a test releases it.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) entered: Notify,
    pub(crate) released: Notify,
}

impl FakeHandler {
    pub(crate) fn target(self) -> RouteTarget {
        RouteTarget::Local(Arc::new(self))
    }
}

impl Handler for FakeHandler {
    fn name(&self) -> String {
        "app/echo".to_owned()
    }

    fn body_bytes_max(&self) -> u64 {
        BODY_BYTES_MAX as u64
    }

    fn deadline(&self) -> Duration {
        PATIENCE
    }

    fn handle<'a>(
        &'a self,
        request: Request<RequestBody>,
        _: Instant,
        _: &'a TaskTracker,
    ) -> BoxFuture<'a, Result<Response<Body>, Overloaded>> {
        Box::pin(async move {
            match self {
                Self::Echo => Ok(echo(request).await),
                Self::StreamBack => Ok(Response::new(request.into_body())),
                Self::Frames(frames) => {
                    let mut response = Response::new(body_of(frames.clone()));
                    // HTTP/1.1 sends no others.
                    let trailers = HeaderValue::from_static("grpc-status");
                    response.headers_mut().insert(header::TRAILER, trailers);
                    Ok(response)
                }
                Self::Status(status, read) => {
                    let read = read.clone();
                    let text = stream::once(async { Ok(Frame::data(Bytes::from("text"))) });
                    let end = stream::poll_fn(move |_| {
                        read.add_permits(1);
                        Poll::Ready(None)
                    });
                    let mut response =
                        Response::new(StreamBody::new(text.chain(end)).boxed_unsync());
                    *response.status_mut() = *status;
                    let length = HeaderValue::from(4);
                    response
                        .headers_mut()
                        .insert(header::CONTENT_LENGTH, length);
                    Ok(response)
                }
                Self::Endless(dropped) => {
                    let dropped = PermitOnDrop(dropped.clone());
                    let frames = stream::repeat_with(move || {
                        let _ = &dropped;
                        Ok(Frame::data(Bytes::from_static(&[b'x'; 64 << 10])))
                    });
                    Ok(Response::new(StreamBody::new(frames).boxed_unsync()))
                }
                Self::Late(wait) => {
                    tokio::time::sleep(*wait).await;
                    Ok(echo(request).await)
                }
                Self::Waiting(dropped) => {
                    let _request = (request, PermitOnDrop(dropped.clone()));
                    std::future::pending().await
                }
                Self::Full => Err(Overloaded("no free instance".to_owned())),
                Self::Blocked(gate) => {
                    gate.entered.notify_one();
                    gate.released.notified().await;
                    Ok(echo(request).await)
                }
            }
        })
    }
}

/// Adds a permit when dropped.
struct PermitOnDrop(Arc<Semaphore>);

impl Drop for PermitOnDrop {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

fn body_of(frames: Vec<FakeFrame>) -> Body {
    let frames = stream::iter(frames).then(|frame| async move {
        match frame {
            FakeFrame::Data(text) => Ok(Frame::data(Bytes::from(text))),
            FakeFrame::Trailers => {
                let status = HeaderValue::from_static("0");
                let trailers = [(HeaderName::from_static("grpc-status"), status)];
                Ok(Frame::trailers(HeaderMap::from_iter(trailers)))
            }
            FakeFrame::Failure => Err(BodyError::Incomplete),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

async fn echo(request: Request<RequestBody>) -> Response<Body> {
    let uri = request.uri();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = request.headers()[header::HOST].clone();
    let headers = [
        ("x-path", HeaderValue::from_str(uri.path()).unwrap()),
        ("x-authority", HeaderValue::from_str(authority).unwrap()),
        ("x-host", host),
    ];
    match request.into_body().collect().await {
        Ok(body) => {
            let body = Full::new(body.to_bytes()).map_err(|never| match never {});
            let mut response = Response::new(body.boxed_unsync());
            for (name, value) in headers {
                response.headers_mut().insert(name, value);
            }
            response
        }
        Err(error) => error_response::text(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
    }
}
