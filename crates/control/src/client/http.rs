//! Requests over HTTP: one connection for each.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{ANSWER_TIMEOUT, Answer, Body, ClientError};

/// The longest time to connect to a host: it is on this machine or one hop away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A host, reached by the address of its admin API.
#[derive(Debug, Clone)]
pub(super) struct HttpTransport {
    pub(super) address: String,
    pub(super) token: String,
}

impl HttpTransport {
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let exchange = async {
            let stream = self.connect().await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| self.protocol(error))?;
            let mut driver = JoinSet::new();
            // A failure of the connection also fails the request or the body, where it is reported.
            driver.spawn(async move { drop(connection.await) });
            let request = self.request(method, path, body)?;
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| self.protocol(error))?;
            Ok(Answer {
                status: response.status(),
                body: Body::Streamed(response.into_body(), driver),
            })
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.timeout(ANSWER_TIMEOUT)),
        }
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
