//! The client of one link: checks, timeouts and connection pools.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderValue, Method, Request, Response, Version, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::rt::TokioTimer;
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use weft_provider::http::{Body, HttpClient, HttpClientError, RequestOptions};

use crate::address::{AddressScope, ScopedResolver};
use crate::allow::AllowList;
use crate::body::ResponseBody;
use crate::connection_tasks::ConnectionTasks;
use crate::error_mapping::client_error;
use crate::headers::remove_connection_headers;
use crate::origin::Origin;

/// The default timeout of a connection: across an ocean, with TLS and one lost packet.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The default timeout of a response head; slower calls must set their own.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(30);

/// The default timeout between two parts of a response body.
pub const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest number of idle connections to one origin, for one link.
pub const IDLE_PER_ORIGIN_MAX: usize = 8;

/// The lifetime of an idle connection: less than the minute after which common servers close it.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest number of requests of one link in flight, until their response bodies end. Further
/// requests fail, so that a component cannot use up the sockets of the host.
pub const IN_FLIGHT_MAX: usize = 256;

/// The most bytes of one response that a component does not read, over HTTP/2: as many as a
/// connection of HTTP/1.1 buffers.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 256 << 10;

/// The same for all responses of one connection.
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// The most bytes of the head of a response over HTTP/2.
const HTTP2_HEAD_BYTES_MAX: u32 = 64 << 10;

/// The HTTP client of one component.
pub(crate) struct LinkClient {
    allow: AllowList,
    public: Connections,
    /// Separate, so that a connection to a private address is never reused for a name without
    /// access to private addresses.
    private: Connections,
    in_flight: Arc<Semaphore>,
}

type Connections = Client<HttpsConnector<HttpConnector<ScopedResolver>>, Body>;

// === impl LinkClient ===

impl LinkClient {
    pub(crate) fn new(allow: AllowList, tls: &ClientConfig, tasks: &ConnectionTasks) -> Self {
        Self {
            allow,
            public: connections(AddressScope::Public, tls, tasks),
            private: connections(AddressScope::Private, tls, tasks),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
        }
    }

    fn connections(&self, scope: AddressScope) -> &Connections {
        match scope {
            AddressScope::Public => &self.public,
            AddressScope::Private => &self.private,
        }
    }
}

#[async_trait]
impl HttpClient for LinkClient {
    async fn send(
        &self,
        mut request: Request<Body>,
        options: RequestOptions,
    ) -> Result<Response<Body>, HttpClientError> {
        let origin = Origin::of(request.uri()).map_err(HttpClientError::InvalidRequest)?;
        let connections = self.connections(self.allow.scope(&origin)?);
        let in_flight = Arc::clone(&self.in_flight).try_acquire_owned();
        let in_flight = in_flight.map_err(|_| HttpClientError::ConnectionLimit(IN_FLIGHT_MAX))?;
        prepare(&mut request)?;

        let authority = request
            .uri()
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default();
        let mut response = send_request(connections, request, &options, &authority).await?;
        remove_connection_headers(response.headers_mut());
        Ok(response.map(|incoming| {
            let between_bytes_timeout = options
                .between_bytes_timeout
                .unwrap_or(BETWEEN_BYTES_TIMEOUT);
            let stall_timer = None;
            ResponseBody {
                incoming,
                between_bytes_timeout,
                stall_timer,
                authority,
                _in_flight: in_flight,
            }
            .boxed_unsync()
        }))
    }
}

fn connections(scope: AddressScope, tls: &ClientConfig, tasks: &ConnectionTasks) -> Connections {
    let mut tcp = HttpConnector::new_with_resolver(ScopedResolver { scope });
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let tls = HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_http1()
        // Where a server offers it in the handshake of TLS. Without TLS nothing tells which servers
        // have it.
        .enable_http2();
    Client::builder(tasks.clone())
        .http2_initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(HTTP2_HEAD_BYTES_MAX)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_ORIGIN_MAX)
        .pool_timer(TokioTimer::new())
        .build(tls.wrap_connector(tcp))
}

/// Turns the component's request into one for a connection of the provider.
fn prepare(request: &mut Request<Body>) -> Result<(), HttpClientError> {
    if request.method() == Method::CONNECT {
        return Err(HttpClientError::InvalidRequest(
            "`CONNECT` is for proxies".to_owned(),
        ));
    }
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    remove_connection_headers(headers);
    // Set from the URI, which was checked.
    headers.remove(header::HOST);
    // Servers send trailers only to clients that read them, and servers of gRPC require it.
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    Ok(())
}

/// Sends the request and waits for the head of the response. If this future is dropped or times
/// out, the connection of HTTP/1.1 is closed, because the response could still arrive, and the
/// stream of HTTP/2 is reset.
async fn send_request(
    connections: &Connections,
    mut request: Request<Body>,
    options: &RequestOptions,
    authority: &str,
) -> Result<Response<Incoming>, HttpClientError> {
    let connect_limit = options.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
    let first_byte_limit = options.first_byte_timeout.unwrap_or(FIRST_BYTE_TIMEOUT);
    let mut connection = capture_connection(&mut request);
    let connected = async {
        let _ = connection.wait_for_connection_metadata().await;
    };
    let mut response = std::pin::pin!(connections.request(request));

    let response = tokio::select! {
        biased;
        response = &mut response => Ok(response),
        () = connected => timeout(first_byte_limit, response).await.map_err(|_| HttpClientError::FirstByteTimeout {
            authority: authority.to_owned(),
            limit: first_byte_limit,
        }),
        () = sleep(connect_limit) => Err(HttpClientError::ConnectTimeout {
            authority: authority.to_owned(),
            limit: connect_limit,
        }),
    };
    response?.map_err(|error| client_error(&error, authority))
}
