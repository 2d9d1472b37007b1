//! Handlers without a component.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_ingress::{Body, Handler, Overloaded, RequestBody, RouteTarget, error_response};

use crate::PATIENCE;

/// The most bytes of a request body that a [`FakeHandler`] accepts.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// Behavior of a handler.
#[derive(Clone)]
pub(crate) enum FakeHandler {
    /// Reads the whole body, then responds with it, and with the path in `x-path`.
    Echo,
    /// Responds with the body while the body arrives.
    StreamBack,
    /// Rejects every request.
    Full,
    /// Responds after the test allows it.
    Blocked(Arc<Gate>),
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

async fn echo(request: Request<RequestBody>) -> Response<Body> {
    let path = HeaderValue::from_str(request.uri().path()).unwrap();
    match request.into_body().collect().await {
        Ok(body) => {
            let body = Full::new(body.to_bytes()).map_err(|never| match never {});
            let mut response = Response::new(body.boxed_unsync());
            response.headers_mut().insert("x-path", path);
            response
        }
        Err(error) => error_response::text(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
    }
}
