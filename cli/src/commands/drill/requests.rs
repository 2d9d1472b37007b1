//! HTTP requests to one host over pooled connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::Address;

/// The time limit for a response.
const RESPONSE_MAX: Duration = Duration::from_secs(10);

/// An HTTP client of one host.
pub(super) struct Requests {
    address: Address,
    /// Idle connections.
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    /// The tasks that drive connections; each ends with its connection.
    tasks: Mutex<JoinSet<()>>,
}

impl Requests {
    pub(super) fn to(address: Address) -> Self {
        Self {
            address,
            idle: Mutex::default(),
            tasks: Mutex::default(),
        }
    }

    /// Creates clients of several hosts.
    pub(super) fn to_all(addresses: &[Address]) -> Vec<Arc<Self>> {
        let hosts = addresses.iter().map(|address| Self::to(address.clone()));
        hosts.map(Arc::new).collect()
    }

    /// Sends a GET, and returns the status; `None` if the request is lost.
    pub(super) async fn get(&self, path: &str) -> Option<StatusCode> {
        let response = self.send(Request::get(path), Bytes::new()).await;
        let status = response.map(|(status, _)| status);
        status.filter(|status| status.as_u16() < 500)
    }

    /// Sends a GET, and returns whether the status is 200.
    pub(super) async fn exists(&self, path: &str) -> bool {
        let response = self.send(Request::get(path), Bytes::new()).await;
        response.is_some_and(|(status, _)| status == StatusCode::OK)
    }

    /// Sends a POST with JSON, and returns the location of the created resource, if acknowledged.
    pub(super) async fn create(&self, path: &str, body: Bytes) -> Option<String> {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let (status, headers) = self.send(request, body).await?;
        let location = headers.get(header::LOCATION)?.to_str().ok()?;
        (status == StatusCode::CREATED).then(|| location.to_owned())
    }

    /// Sends a request; `None` without a complete response in time.
    async fn send(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Option<(StatusCode, HeaderMap)> {
        timeout(RESPONSE_MAX, self.exchange(request, body))
            .await
            .ok()?
    }

    async fn exchange(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Option<(StatusCode, HeaderMap)> {
        let idle = self.idle().pop().filter(|idle| !idle.is_closed());
        let mut connection = match idle {
            Some(idle) => idle,
            None => self.connect().await?,
        };
        connection.ready().await.ok()?;
        let request = request
            .header(header::HOST, self.address.as_str())
            .body(Full::new(body));
        let response = connection.send_request(request.ok()?).await.ok()?;
        let (head, body) = response.into_parts();
        // A response counts only with its whole body.
        body.collect().await.ok()?;
        self.idle().push(connection);
        Some((head.status, head.headers))
    }

    async fn connect(&self) -> Option<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address.as_str()).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            // If the connection fails, its request counts as lost.
            let _ = connection.await;
        });
        Some(sender)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        // No code panics while it holds the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
