//! A component of this host that handles HTTP. The runtime implements [`Handler`].

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Body of a response.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Body of a request, as a component reads it.
pub type RequestBody = UnsyncBoxBody<Bytes, BodyError>;

/// Answers HTTP requests by one component.
pub trait Handler: Send + Sync {
    /// `app/component`, for messages.
    fn name(&self) -> String;

    /// The most bytes that a request body may have.
    fn body_bytes_max(&self) -> u64;

    /// The longest duration of a request.
    fn deadline(&self) -> std::time::Duration;

    /// Handles a request, by a deadline. A component that goes on after the head of its response runs in
    /// `tasks`. If the future is dropped before the head is there, the component is stopped.
    ///
    /// A failure of the component is a response of the host.
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

/// The component did not run, for it or its host is full: another host may.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Overloaded(pub String);

/// Why a body ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender ended or failed.
    #[error("body incomplete: its sender ended")]
    Incomplete,
    /// The body exceeds its limit.
    #[error("body too large: expected at most {0} bytes")]
    TooLarge(u64),
    /// The connection to the client failed.
    #[error("connection failed while a body was read")]
    Connection(#[source] hyper::Error),
    /// The host that forwards the body failed or broke the protocol.
    #[error("body from another host broken off")]
    Forwarding,
    /// The component failed.
    #[error("body broken off by the component")]
    Component(#[source] Box<dyn std::error::Error + Send + Sync>),
}
