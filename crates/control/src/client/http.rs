//! Requests over HTTP: one connection for each.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use super::{ANSWER_TIMEOUT, Answer, Body, ClientError};

/// The longest time to connect to a host: it is on this machine or one hop away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A host, reached by the address of its admin API.
#[derive(Debug, Clone)]
pub(super) struct HttpTransport {
    pub(super) address: String,
    pub(super) token: String,
    /// The Unix socket of the same host, which is used if it can be connected to.
    pub(super) socket: Option<PathBuf>,
}

impl HttpTransport {
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let request = self.request(method, path, body)?;
        let exchange = async {
            match self.connect_local().await {
                Some(stream) => self.exchange(stream, request).await,
                None => self.exchange(self.connect().await?, request).await,
            }
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.timeout(ANSWER_TIMEOUT)),
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, ClientError> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.protocol(error))?;
        let mut driver = JoinSet::new();
        // A failure of the connection also fails the request or the body, where it is reported.
        driver.spawn(async move { drop(connection.await) });
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| self.protocol(error))?;
        Ok(Answer {
            status: response.status(),
            body: Body::Streamed(response.into_body(), driver),
        })
    }

    /// Connects to the socket. One that cannot be connected to was left behind by a host that was
    /// killed.
    async fn connect_local(&self) -> Option<UnixStream> {
        let socket = self.socket.as_ref()?;
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(socket));
        connected.await.ok()?.ok()
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.address)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(source)) => Err(ClientError::Unreachable {
                address: self.address.clone(),
                source,
            }),
            Err(_) => Err(self.timeout(CONNECT_TIMEOUT)),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.address)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::new(body))
            .map_err(|error| self.protocol(error))
    }

    fn protocol(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
        ClientError::Protocol {
            address: self.address.clone(),
            source: source.into(),
        }
    }

    fn timeout(&self, limit: Duration) -> ClientError {
        ClientError::Timeout {
            address: self.address.clone(),
            limit,
        }
    }
}
