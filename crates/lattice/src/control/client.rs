//! The client side of the control protocol: one connection per request, every wait bounded.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use weft_lattice_config::{App, AppName, Digest};

use super::rows::LinkWhyRow;
use super::{
    CallReply, CallRequest, DeployReport, DeployRequest, ErrorBody, JSON_BYTES_MAX, LinkQuery,
    LogLine, UndeployReport,
};

/// How long a connection to a host may take: it is on this machine or one hop away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a host may take to answer. A deploy compiles, and a large component (a language runtime)
/// takes tens of seconds on a small machine.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);

/// The longest line of a log stream that is read.
const LOG_LINE_BYTES_MAX: usize = 1024 * 1024;

/// A host's admin API, seen from outside.
#[derive(Debug, Clone)]
pub struct Client {
    address: String,
    token: String,
}

/// Why a request to a host's admin API did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("cannot reach a host's admin API at `{address}`; is `weft up` running there?")]
    Unreachable {
        /// The address tried.
        address: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The host did not answer in time.
    #[error("the host at `{address}` did not answer within {} s", limit.as_secs())]
    Timeout {
        /// The address tried.
        address: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("the connection to `{address}` broke")]
    Protocol {
        /// The address tried.
        address: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The host refused, and said why.
    #[error("{}", body.message)]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// What the host said.
        body: ErrorBody,
    },
    /// The answer is not what this version of the protocol has.
    #[error(
        "the host at `{address}` answered {status} with something else than expected; do versions differ?"
    )]
    Unexpected {
        /// The address tried.
        address: String,
        /// The status of the answer.
        status: StatusCode,
    },
}

impl Client {
    /// A client for the host at `address` (`host:port`), authorised by `token`.
    #[must_use]
    pub fn new(address: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            token: token.into(),
        }
    }

    /// The rows of `what` (`apps`, `components`, `links`, `providers`, `routes`, `hosts`).
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn rows<R: DeserializeOwned>(&self, what: &str) -> Result<Vec<R>, ClientError> {
        self.json(Method::GET, &format!("/v1/{what}"), Bytes::new())
            .await
    }

    /// How the link that `query` names works, and why not faster.
    ///
    /// # Errors
    /// Any [`ClientError`]; a link that is not there is [`ClientError::Refused`] with the code
    /// `not-found`.
    pub async fn link_why(&self, query: &LinkQuery) -> Result<LinkWhyRow, ClientError> {
        let path = format!("/v1/links/why?{query}");
        self.json(Method::GET, &path, Bytes::new()).await
    }

    /// Whether the host has the bytes of `digest`.
    ///
    /// # Errors
    /// Any [`ClientError`] but a refusal with `404`, which is the answer "no".
    pub async fn has_artifact(&self, digest: &Digest) -> Result<bool, ClientError> {
        let answer = self
            .send(Method::HEAD, &artifact_path(digest), Bytes::new())
            .await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            // An answer to HEAD has no body to say it.
            StatusCode::UNAUTHORIZED => Err(ClientError::Refused {
                status: answer.status,
                body: ErrorBody::unauthorized(),
            }),
            _ => Err(self.refusal(answer).await),
        }
    }

    /// Uploads the bytes of `digest`.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn put_artifact(&self, digest: &Digest, bytes: Bytes) -> Result<(), ClientError> {
        let answer = self
            .send(Method::PUT, &artifact_path(digest), bytes)
            .await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.refusal(answer).await)
    }

    /// Downloads the bytes of `digest`.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn artifact(&self, digest: &Digest) -> Result<Bytes, ClientError> {
        let answer = self
            .send(Method::GET, &artifact_path(digest), Bytes::new())
            .await?;
        if answer.status.is_success() {
            return self
                .collect(answer, crate::artifacts::ARTIFACT_BYTES_MAX)
                .await;
        }
        Err(self.refusal(answer).await)
    }

    /// Deploys `app`, whose sources are digests that were uploaded before.
    ///
    /// # Errors
    /// Any [`ClientError`]; a link or component that cannot be made is [`ClientError::Refused`].
    pub async fn deploy(&self, app: &App) -> Result<DeployReport, ClientError> {
        let request = DeployRequest { app: app.clone() };
        self.json(Method::POST, "/v1/apps", self.encode(&request)?)
            .await
    }

    /// Removes an app.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn undeploy(&self, app: &AppName) -> Result<UndeployReport, ClientError> {
        self.json(Method::DELETE, &format!("/v1/apps/{app}"), Bytes::new())
            .await
    }

    /// Calls a function of a deployed component.
    ///
    /// # Errors
    /// Any [`ClientError`]; a trap is [`ClientError::Refused`] with the code `trapped`.
    pub async fn call(&self, request: &CallRequest) -> Result<CallReply, ClientError> {
        self.json(Method::POST, "/v1/call", self.encode(request)?)
            .await
    }

    /// Opens the stream of log lines that `query` selects (`app=…&component=…&tail=…&follow=true`).
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn logs(&self, query: &str) -> Result<LogStream, ClientError> {
        let answer = self
            .send(Method::GET, &format!("/v1/logs?{query}"), Bytes::new())
            .await?;
        if !answer.status.is_success() {
            return Err(self.refusal(answer).await);
        }
        Ok(LogStream {
            client: self.clone(),
            answer,
            buffer: Vec::new(),
        })
    }

    async fn json<R: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<R, ClientError> {
        let answer = self.send(method, path, body).await?;
        let status = answer.status;
        if !status.is_success() {
            return Err(self.refusal(answer).await);
        }
        let bytes = self.collect(answer, JSON_BYTES_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.unexpected(status))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, ClientError> {
        let exchange = async {
            let stream = self.connect().await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| self.protocol(error))?;
            let mut driver = JoinSet::new();
            // What breaks the connection also fails the request or the body, where it is reported.
            driver.spawn(async move { drop(connection.await) });
            let request = self.request(method, path, body)?;
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| self.protocol(error))?;
            Ok(Answer {
                status: response.status(),
                body: response.into_body(),
                driver,
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

    async fn collect(&self, answer: Answer, limit: usize) -> Result<Bytes, ClientError> {
        let Answer {
            body,
            driver: _driver,
            ..
        } = answer;
        let collected = Limited::new(body, limit)
            .collect()
            .await
            .map_err(|source| ClientError::Protocol {
                address: self.address.clone(),
                source,
            })?;
        Ok(collected.to_bytes())
    }

    async fn refusal(&self, answer: Answer) -> ClientError {
        let status = answer.status;
        let bytes = match self.collect(answer, JSON_BYTES_MAX).await {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        match serde_json::from_slice(&bytes) {
            Ok(body) => ClientError::Refused { status, body },
            Err(_) => self.unexpected(status),
        }
    }

    fn encode(&self, value: &impl Serialize) -> Result<Bytes, ClientError> {
        serde_json::to_vec(value)
            .map(Bytes::from)
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

    fn unexpected(&self, status: StatusCode) -> ClientError {
        ClientError::Unexpected {
            address: self.address.clone(),
            status,
        }
    }
}

/// The head of an answer, its body, and the task that drives the connection: dropping the answer ends
/// the task.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: Incoming,
    driver: JoinSet<()>,
}

/// Log lines as they arrive.
#[derive(Debug)]
pub struct LogStream {
    client: Client,
    answer: Answer,
    buffer: Vec<u8>,
}

impl LogStream {
    /// The next line, or `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] if the connection breaks, [`ClientError::Unexpected`] if a line
    /// does not read.
    pub async fn next(&mut self) -> Result<Option<LogLine>, ClientError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return match serde_json::from_slice(&line) {
                    Ok(line) => Ok(Some(line)),
                    Err(_) => Err(self.client.unexpected(StatusCode::OK)),
                };
            }
            if self.buffer.len() > LOG_LINE_BYTES_MAX {
                return Err(self.client.unexpected(StatusCode::OK));
            }
            match self.answer.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.client.protocol(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

fn artifact_path(digest: &Digest) -> String {
    format!("/v1/artifacts/{digest}")
}
