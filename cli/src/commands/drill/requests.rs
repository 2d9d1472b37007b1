//! Requests to one host, over connections that are used again.

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

/// How long an answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The way to one host.
pub(super) struct Requests {
    address: Address,
    /// Connections that no request uses.
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    /// What moves their bytes; each ends with its connection.
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

    /// The ways to several hosts.
    pub(super) fn to_all(addresses: &[Address]) -> Vec<Arc<Self>> {
        let ways = addresses.iter().map(|address| Self::to(address.clone()));
        ways.map(Arc::new).collect()
    }

    /// Sends a GET, and answers the status of its answer if that is as it should be.
    pub(super) async fn answered(&self, path: &str) -> Option<StatusCode> {
        let answer = self.send(Request::get(path), Bytes::new()).await;
        let status = answer.map(|(status, _)| status);
        status.filter(|status| status.as_u16() < 500)
    }

    /// Sends a GET, and says whether what it asks for is there.
    pub(super) async fn is_there(&self, path: &str) -> bool {
        let answer = self.send(Request::get(path), Bytes::new()).await;
        answer.is_some_and(|(status, _)| status == StatusCode::OK)
    }

    /// Sends a POST with JSON; answers where the thing is that it made, if it made one.
    pub(super) async fn make(&self, path: &str, body: Bytes) -> Option<String> {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let (status, headers) = self.send(request, body).await?;
        let location = headers.get(header::LOCATION)?.to_str().ok()?;
        (status == StatusCode::CREATED).then(|| location.to_owned())
    }

    /// None if there is no whole answer in time.
    async fn send(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Option<(StatusCode, HeaderMap)> {
        timeout(ANSWER_MAX, self.ask(request, body)).await.ok()?
    }

    async fn ask(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Option<(StatusCode, HeaderMap)> {
        let kept = self.idle().pop().filter(|kept| !kept.is_closed());
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        connection.ready().await.ok()?;
        let request = request
            .header(header::HOST, self.address.as_str())
            .body(Full::new(body));
        let answer = connection.send_request(request.ok()?).await.ok()?;
        let (head, body) = answer.into_parts();
        // The answer is there when all of it is.
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
            // A request that it breaks is lost, and that is counted.
            let _ = connection.await;
        });
        Some(sender)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        // Nothing panics while it holds the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
