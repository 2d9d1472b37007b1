//! Handlers of HTTP requests on this host. The runtime implements [`Handler`] for components.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Body of a response.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Body of a request.
pub type RequestBody = UnsyncBoxBody<Bytes, BodyError>;

/// Handles HTTP requests with one component.
pub trait Handler: Send + Sync {
    /// Name of the component for messages, `app/component`.
    fn name(&self) -> String;

    /// The most bytes of a request body.
    fn body_bytes_max(&self) -> u64;

    /// The longest duration of a request.
    fn deadline(&self) -> std::time::Duration;

    /// Handles a request until a deadline. A failure of the component is a response of the host.
    ///
    /// A component that continues after the head of its response runs in `tasks`. Dropping the
    /// future before the head stops the component.
    ///
    /// # Errors
    /// [`Overloaded`] if the component did not run.
    fn handle<'a>(
        &'a self,
        request: Request<RequestBody>,
        deadline: Instant,
        tasks: &'a TaskTracker,
    ) -> BoxFuture<'a, Result<Response<Body>, Overloaded>>;
}

/// The component did not run, because its host has no capacity; another host may run it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Overloaded(pub String);

/// The reason why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender ended or failed.
    #[error("body incomplete: its sender failed or ended")]
    Incomplete,
    /// The body exceeds its limit.
    #[error("body too large: expected at most {0} bytes")]
    TooLarge(u64),
    /// The connection to the client failed.
    #[error("body incomplete: the connection failed")]
    Connection(#[source] hyper::Error),
    /// The host that forwards the body failed or broke the protocol.
    #[error("body incomplete: the forwarding host failed")]
    Forwarding,
    /// The component failed.
    #[error("body incomplete: its component failed")]
    Component(#[source] Box<dyn std::error::Error + Send + Sync>),
}
