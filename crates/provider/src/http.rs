//! Outgoing HTTP, the backend of `wasi:http/outgoing-handler` (0.2) and `wasi:http/client` (0.3).

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// The WIT interfaces of this capability. Only the outgoing side of `wasi:http` belongs to a
/// provider, so these are interfaces and not the package.
pub const INTERFACES: &[&str] = &["wasi:http/outgoing-handler", "wasi:http/client"];

/// A streamed request or response body.
pub type Body = UnsyncBoxBody<Bytes, HttpClientError>;

/// An HTTP client for one component.
#[async_trait]
pub trait HttpClient: Send + Sync + 'static {
    /// Sends `request`, whose URI is absolute, and returns when the head of the response has
    /// arrived. Redirects are not followed.
    ///
    /// Dropping the future, or later the body of the response, cancels the request.
    ///
    /// # Errors
    ///
    /// If the component may not send the request, or if sending fails. The body of the response
    /// fails with the same type.
    async fn send(
        &self,
        request: http::Request<Body>,
        options: RequestOptions,
    ) -> Result<http::Response<Body>, HttpClientError>;
}

/// Timeouts of a request; `None` selects the default of the backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions {
    /// Time to resolve the name and to connect, with TLS.
    pub connect_timeout: Option<Duration>,
    /// Time from the connection to the head of the response.
    pub first_byte_timeout: Option<Duration>,
    /// Time between two parts of the response body.
    pub between_bytes_timeout: Option<Duration>,
}

/// The reason why a request failed. Each case has one counterpart in `wasi:http/types.error-code`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpClientError {
    /// The link does not allow the target (`HTTP-request-denied`). The text has the needed
    /// configuration.
    #[error("{0}")]
    Denied(String),
    /// The name resolves to an address that the link does not allow (`destination-IP-prohibited`).
    #[error(
        "`{host}` resolves to `{address}`, an address of this host or its private network; {advice}"
    )]
    AddressProhibited {
        /// The name in the request.
        host: String,
        /// The resolved address.
        address: IpAddr,
        /// The configuration that would allow the address.
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
        /// The error of the resolver.
        reason: String,
    },
    /// The target does not listen (`connection-refused`).
    #[error("`{0}` refused the connection")]
    ConnectionRefused(String),
    /// Connecting took longer than the limit (`connection-timeout`).
    #[error("no connection to `{authority}` within {limit:?}")]
    ConnectTimeout {
        /// Host and port of the target.
        authority: String,
        /// The exceeded limit.
        limit: Duration,
    },
    /// The head of the response took longer than the limit (`HTTP-response-timeout`).
    #[error("no response from `{authority}` within {limit:?}")]
    FirstByteTimeout {
        /// Host and port of the target.
        authority: String,
        /// The exceeded limit.
        limit: Duration,
    },
    /// The body of the response stalled (`connection-read-timeout`).
    #[error("the response stalled for {0:?}")]
    BetweenBytesTimeout(Duration),
    /// The connection ended early (`connection-terminated`).
    #[error("the connection ended early: {0}")]
    ConnectionTerminated(String),
    /// The link has too many open connections (`connection-limit-reached`).
    #[error("{0} requests of this link are in flight, which is its limit; wait for one to end")]
    ConnectionLimit(usize),
    /// The certificate is not trusted (`TLS-certificate-error`).
    #[error("the certificate of `{authority}` is not trusted: {reason}")]
    TlsCertificate {
        /// Host and port of the target.
        authority: String,
        /// The reason.
        reason: String,
    },
    /// TLS failed for another reason (`TLS-protocol-error`).
    #[error("TLS with `{authority}` failed: {reason}")]
    Tls {
        /// Host and port of the target.
        authority: String,
        /// The error of the TLS library.
        reason: String,
    },
    /// The peer violates HTTP (`HTTP-protocol-error`).
    #[error("the peer violated the HTTP protocol: {0}")]
    Protocol(String),
    /// The component's request body failed (`internal-error`).
    #[error("the body of the request failed: {0}")]
    RequestBody(String),
    /// Any other error (`internal-error`).
    #[error("{0}")]
    Internal(String),
}
