//! The client side of the control protocol, over HTTP or the bus. Every wait is bounded.

mod bus;
mod error;
pub mod gather;
mod http;
mod lines;

use std::path::PathBuf;
use std::time::Duration;

use ::http::{Method, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use weft_lattice_config::{App, AppName, Digest};

use self::bus::BusTransport;
pub use self::error::ClientError;
pub use self::gather::{GatherError, Gathered, SilentHost};
use self::http::HttpTransport;
pub use self::lines::Lines;

use super::rows::{HostRow, LinkWhyRow};
use super::{
    AcceptReport, AcceptRequest, AppRecord, CallReply, CallRequest, CollectionReport,
    CollectionRequest, DeployReport, DeployRequest, DrainReport, DrainRequest, ErrorBody, EventRow,
    FaultReport, FaultRequest, HostRef, JSON_BYTES_MAX, LabelReport, LabelRequest, LinkQuery,
    LogLine, LogQuery, PlanReport, StatusReport, UndeployReport,
};
use weft_bus::Bus;
use weft_membership::HostId;
use weft_state::buckets::{BucketError, BucketOptions};
use weft_state::desired::record_codec::OBJECTS;
use weft_state::objects::Objects;

/// The longest wait for an answer. A deploy compiles, and a large component (a language runtime)
/// takes tens of seconds on a small machine.
pub const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);

/// A client of a host's admin API.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
    /// Another host that the host at the address forwards requests to.
    forward_to: Option<HostId>,
}

/// The transport to a host.
#[derive(Debug, Clone)]
enum Transport {
    Http(HttpTransport),
    Bus(Box<BusTransport>),
}

impl Client {
    /// Creates a client for the host at `address` (`host:port`), authorised by `token`.
    #[must_use]
    pub fn new(address: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            transport: Transport::Http(HttpTransport {
                address: address.into(),
                token: token.into(),
                socket: None,
            }),
            forward_to: None,
        }
    }

    /// Connects to the Unix socket of the same host instead of its address, where that is possible.
    #[must_use]
    pub fn with_socket(mut self, path: Option<PathBuf>) -> Self {
        if let Transport::Http(http) = &mut self.transport {
            http.socket = path;
        }
        self
    }

    /// Creates a client for a host of the lattice of the bus.
    ///
    /// # Errors
    /// A [`BucketError`] if the lattice's name cannot be part of a bucket's name.
    pub fn over_bus(bus: Bus, host: HostId) -> Result<Self, BucketError> {
        let objects = Objects::open(&bus, OBJECTS, &BucketOptions::default())?;
        let transport = Transport::Bus(Box::new(BusTransport { bus, host, objects }));
        Ok(Self {
            transport,
            forward_to: None,
        })
    }

    /// A client for another host of the lattice. Over the bus it sends requests to that host; over
    /// HTTP the host at the address forwards them.
    #[must_use]
    pub fn for_host(&self, host: HostId) -> Self {
        match &self.transport {
            Transport::Http(_) => Self {
                forward_to: Some(host),
                ..self.clone()
            },
            Transport::Bus(bus) => {
                let (bus, forward_to) = ((**bus).clone(), None);
                let transport = Transport::Bus(Box::new(BusTransport { host, ..bus }));
                Self {
                    transport,
                    forward_to,
                }
            }
        }
    }

    /// A client for the host of a row; this client for a host alone.
    ///
    /// # Errors
    /// [`ClientError::Unexpected`] if the row has an invalid id.
    pub fn for_row(&self, host: &HostRow) -> Result<Self, ClientError> {
        match host.id.as_ref().map(|id| id.parse::<HostId>()) {
            None => Ok(self.clone()),
            Some(Ok(id)) => Ok(self.for_host(id)),
            Some(Err(_)) => Err(self.unexpected(StatusCode::OK)),
        }
    }

    /// True if requests go over the bus, and so need no other host than their target.
    #[must_use]
    pub fn is_over_bus(&self) -> bool {
        matches!(self.transport, Transport::Bus(_))
    }

    /// Fetches the rows of `what` (`apps`, `components`, `links`, `providers`, `routes`, `hosts`).
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn rows<R: DeserializeOwned>(&self, what: &str) -> Result<Vec<R>, ClientError> {
        self.json(Method::GET, &format!("/v1/{what}"), Bytes::new())
            .await
    }

    /// Explains the link that `query` names: the path of its calls, and why the path is not a
    /// faster one.
    ///
    /// # Errors
    /// Any [`ClientError`]; a missing link is [`ClientError::Refused`] with the code `not-found`.
    pub async fn link_why(&self, query: &LinkQuery) -> Result<LinkWhyRow, ClientError> {
        let path = format!("/v1/links/why?{query}");
        self.json(Method::GET, &path, Bytes::new()).await
    }

    /// Returns whether the host has the bytes of `digest`.
    ///
    /// # Errors
    /// Any [`ClientError`], except for an answer with `404`, which is `false`.
    pub async fn has_artifact(&self, digest: &Digest) -> Result<bool, ClientError> {
        let answer = self
            .send(Method::HEAD, &artifact_path(digest), Bytes::new())
            .await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            // An answer to HEAD has no body with the reason.
            StatusCode::UNAUTHORIZED => Err(ClientError::Refused {
                status: answer.status,
                body: ErrorBody::unauthorized(),
            }),
            _ => Err(self.error_of(answer).await),
        }
    }

    /// Uploads the bytes of `digest`.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn put_artifact(&self, digest: &Digest, bytes: Bytes) -> Result<(), ClientError> {
        if let Transport::Bus(bus) = &self.transport {
            return bus.put(bytes).await;
        }
        let answer = self
            .send(Method::PUT, &artifact_path(digest), bytes)
            .await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.error_of(answer).await)
    }

    /// Downloads the bytes of `digest`; over the bus from the object store of the lattice, or from
    /// the host if the store has none.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn artifact(&self, digest: &Digest) -> Result<Bytes, ClientError> {
        if let Transport::Bus(bus) = &self.transport
            && let Some(bytes) = bus.get(digest).await
        {
            return Ok(bytes);
        }
        let answer = self
            .send(Method::GET, &artifact_path(digest), Bytes::new())
            .await?;
        if answer.status.is_success() {
            return self
                .collect(answer, weft_state::artifacts::ARTIFACT_BYTES_MAX)
                .await;
        }
        Err(self.error_of(answer).await)
    }

    /// Deploys an app, whose sources are digests of uploaded bytes.
    ///
    /// # Errors
    /// Any [`ClientError`]; a link or component that the host rejects is [`ClientError::Refused`].
    pub async fn deploy(&self, request: &DeployRequest) -> Result<DeployReport, ClientError> {
        self.json(Method::POST, "/v1/apps", self.encode(request)?)
            .await
    }

    /// Fetches the desired state of an app: its manifest, with digests as sources.
    ///
    /// # Errors
    /// Any [`ClientError`]; a missing app is [`ClientError::Refused`] with the code `not-found`.
    pub async fn app(&self, app: &AppName) -> Result<AppRecord, ClientError> {
        self.json(Method::GET, &format!("/v1/apps/{app}"), Bytes::new())
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

    /// Calls a function of a component on the host of this client, and on no other one.
    ///
    /// # Errors
    /// As [`call`](Self::call); [`ClientError::Refused`] if the host does not run the component.
    pub async fn call_here(&self, request: &CallRequest) -> Result<CallReply, ClientError> {
        self.json(Method::POST, "/v1/call?here=true", self.encode(request)?)
            .await
    }

    /// Fetches the log lines that `query` selects, oldest first.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn logs(&self, query: &LogQuery) -> Result<Vec<LogLine>, ClientError> {
        let mut lines = self.lines(&format!("/v1/logs?{query}")).await?;
        let mut all = Vec::new();
        while let Some(line) = lines.next().await? {
            all.push(line);
        }
        Ok(all)
    }

    /// Opens the stream of events that `query` selects (`since_ms=…&follow=true`).
    ///
    /// # Errors
    /// Any [`ClientError`]; [`ClientError::Follow`] if the query follows over the bus.
    pub async fn events(&self, query: &str) -> Result<Lines<EventRow>, ClientError> {
        self.lines(&format!("/v1/events?{query}")).await
    }

    /// Fetches the state of an app: its desired revision and the hosts that are ready for it.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn status(&self, app: &AppName) -> Result<StatusReport, ClientError> {
        self.json(Method::GET, &format!("/v1/status?app={app}"), Bytes::new())
            .await
    }

    /// Computes what deploying `app` would change; changes nothing.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn plan(&self, app: &App) -> Result<PlanReport, ClientError> {
        let request = DeployRequest {
            app: app.clone(),
            force: false,
        };
        self.json(Method::POST, "/v1/plan", self.encode(&request)?)
            .await
    }

    /// Fetches the progress of a host's drain.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn drained(&self, host: &HostRef) -> Result<DrainReport, ClientError> {
        self.json(
            Method::GET,
            &format!("/v1/hosts/{host}/drain"),
            Bytes::new(),
        )
        .await
    }

    /// Drains a host, or ends its drain.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn drain(
        &self,
        host: &HostRef,
        request: DrainRequest,
    ) -> Result<DrainReport, ClientError> {
        let path = format!("/v1/hosts/{host}/drain");
        self.json(Method::POST, &path, self.encode(&request)?).await
    }

    /// Sets and removes labels of a host.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn label(
        &self,
        host: &HostRef,
        request: &LabelRequest,
    ) -> Result<LabelReport, ClientError> {
        let path = format!("/v1/hosts/{host}/labels");
        self.json(Method::POST, &path, self.encode(request)?).await
    }

    /// Has the stores of a provider begin again, after they were lost.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn accept_store(&self, request: &AcceptRequest) -> Result<AcceptReport, ClientError> {
        let body = self.encode(request)?;
        self.json(Method::POST, "/v1/keyvalue/accept", body).await
    }

    /// Deletes what no app needs on the host of this client.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn gc(&self, request: CollectionRequest) -> Result<CollectionReport, ClientError> {
        let body = self.encode(&request)?;
        self.json(Method::POST, "/v1/gc", body).await
    }

    /// The report of a change of labels, without making it.
    ///
    /// # Errors
    /// As [`label`](Self::label).
    pub async fn check_label(
        &self,
        host: &HostRef,
        request: &LabelRequest,
    ) -> Result<LabelReport, ClientError> {
        let path = format!("/v1/hosts/{host}/labels?check=true");
        self.json(Method::POST, &path, self.encode(request)?).await
    }

    /// Injects a fault into the host, [`FAULT_AFTER`](super::fault::FAULT_AFTER) after its answer.
    ///
    /// # Errors
    /// Any [`ClientError`]; a host with `--no-drills` rejects the request.
    pub async fn fault(&self, request: &FaultRequest) -> Result<FaultReport, ClientError> {
        self.json(Method::POST, "/v1/fault", self.encode(request)?)
            .await
    }

    /// Checks whether the host would take a fault; injects nothing.
    ///
    /// # Errors
    /// As [`fault`](Self::fault).
    pub async fn check_fault(&self, request: &FaultRequest) -> Result<FaultReport, ClientError> {
        let path = "/v1/fault?check=true";
        self.json(Method::POST, path, self.encode(request)?).await
    }

    async fn lines<T: DeserializeOwned>(&self, path: &str) -> Result<Lines<T>, ClientError> {
        let answer = self.send(Method::GET, path, Bytes::new()).await?;
        if !answer.status.is_success() {
            return Err(self.error_of(answer).await);
        }
        Ok(Lines::new(self.clone(), answer))
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
            return Err(self.error_of(answer).await);
        }
        let bytes = self.collect(answer, JSON_BYTES_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.unexpected(status))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, ClientError> {
        let forwarded = match (&self.forward_to, path.strip_prefix("/v1/")) {
            (Some(host), Some(rest)) => Some(format!("/v1/hosts/{host}/{rest}")),
            (None, _) | (_, None) => None,
        };
        let path = forwarded.as_deref().unwrap_or(path);
        match &self.transport {
            Transport::Http(http) => http.send(method, path, body).await,
            Transport::Bus(bus) => bus.send(&method, path, body).await,
        }
    }

    async fn collect(&self, answer: Answer, limit: usize) -> Result<Bytes, ClientError> {
        let (body, _driver) = match answer.body {
            Body::Whole(bytes) => return Ok(bytes),
            Body::Streamed(body, driver) => (body, driver),
        };
        let collected = Limited::new(body, limit).collect().await;
        let collected = collected.map_err(|source| self.protocol(source))?;
        Ok(collected.to_bytes())
    }

    async fn error_of(&self, answer: Answer) -> ClientError {
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
            address: self.address(),
            source: source.into(),
        }
    }

    fn unexpected(&self, status: StatusCode) -> ClientError {
        ClientError::Unexpected {
            address: self.address(),
            status,
        }
    }

    /// The host that answers, for people.
    fn address(&self) -> String {
        match &self.transport {
            Transport::Http(http) => http.address.clone(),
            Transport::Bus(bus) => bus.address(),
        }
    }
}

/// The status and body of an answer.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// The body arrives from the connection that the task drives; dropping the task ends both.
    Streamed(Incoming, JoinSet<()>),
    /// The complete body.
    Whole(Bytes),
}

fn artifact_path(digest: &Digest) -> String {
    format!("/v1/artifacts/{digest}")
}
