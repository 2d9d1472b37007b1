//! Outgoing HTTP: what `wasi:http/outgoing-handler` (0.2) and `wasi:http/client` (0.3) are served from.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// The WIT interfaces that this capability stands behind: of `wasi:http` only the outgoing side is a
/// provider's, so these are interfaces and not the package.
pub const INTERFACES: &[&str] = &["wasi:http/outgoing-handler", "wasi:http/client"];

/// A streamed request or response body.
pub type Body = UnsyncBoxBody<Bytes, HttpClientError>;

/// Requests that one component may send.
#[async_trait]
pub trait HttpClient: Send + Sync + 'static {
    /// Sends `request`, whose URI is absolute, and returns when the head of the response is there.
    /// Redirects are not followed.
    ///
    /// Dropping the future, or later the body of the response, abandons the request.
    ///
    /// # Errors
    ///
    /// If the component may not send it, or if sending fails; the body of the response fails with the
    /// same type.
    async fn send(
        &self,
        request: http::Request<Body>,
        options: RequestOptions,
    ) -> Result<http::Response<Body>, HttpClientError>;
}

/// How long to wait; `None` leaves it to the backend, which always has a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions {
    /// For the name to be resolved and the connection, with TLS, to stand.
    pub connect_timeout: Option<Duration>,
    /// From there to the head of the response.
    pub first_byte_timeout: Option<Duration>,
    /// Between two parts of the body of the response.
    pub between_bytes_timeout: Option<Duration>,
}

/// Why a request failed. Each case has one counterpart in `wasi:http/types.error-code`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpClientError {
    /// The link does not allow the target (`HTTP-request-denied`). The text says what to add where.
    #[error("{0}")]
    Denied(String),
    /// The name resolves to an address that the link does not allow (`destination-IP-prohibited`).
    #[error(
        "`{host}` resolves to `{address}`, an address of this host or its private network; {advice}"
    )]
    AddressProhibited {
        /// The name in the request.
        host: String,
        /// What it resolves to.
        address: IpAddr,
        /// How to allow it.
        advice: String,
    },
    /// The URI or a header cannot be sent (`HTTP-request-URI-invalid`).
    #[error("the request cannot be sent: {0}")]
    InvalidRequest(String),
    /// The name could not be resolved (`DNS-error`).
    #[error("`{host}` could not be resolved: {reason}")]
    Dns {
        /// The name in the request.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nobody listens at the target (`connection-refused`).
    #[error("`{0}` refused the connection")]
    ConnectionRefused(String),
    /// No connection within the limit (`connection-timeout`).
    #[error("no connection to `{authority}` within {limit:?}")]
    ConnectTimeout {
        /// Host and port of the target.
        authority: String,
        /// The limit that passed.
        limit: Duration,
    },
    /// No head of a response within the limit (`HTTP-response-timeout`).
    #[error("no response from `{authority}` within {limit:?}")]
    FirstByteTimeout {
        /// Host and port of the target.
        authority: String,
        /// The limit that passed.
        limit: Duration,
    },
    /// The body of the response stalled (`connection-read-timeout`).
    #[error("the response stalled for {0:?}")]
    BetweenBytesTimeout(Duration),
    /// The connection ended early (`connection-terminated`).
    #[error("the connection ended early: {0}")]
    ConnectionTerminated(String),
    /// As many connections are open as may be (`connection-limit-reached`).
    #[error("{0} requests of this link are in flight, which is its limit; wait for one to end")]
    ConnectionLimit(usize),
    /// The certificate is not trusted (`TLS-certificate-error`).
    #[error("the certificate of `{authority}` is not trusted: {reason}")]
    TlsCertificate {
        /// Host and port of the target.
        authority: String,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS failed for another reason (`TLS-protocol-error`).
    #[error("TLS with `{authority}` failed: {reason}")]
    Tls {
        /// Host and port of the target.
        authority: String,
        /// What failed.
        reason: String,
    },
    /// The peer does not speak HTTP as it should (`HTTP-protocol-error`).
    #[error("the peer broke the HTTP protocol: {0}")]
    Protocol(String),
    /// The body of the request failed on the way in (`internal-error`).
    #[error("the body of the request failed: {0}")]
    RequestBody(String),
    /// Anything else (`internal-error`).
    #[error("{0}")]
    Internal(String),
}
