//! The admin API: the server side of the control protocol (`weft_control`).
//!
//! It listens on loopback only and rejects requests without the token, except for the readiness of
//! the host.

mod body_budget;
mod bus_server;
mod call;
mod errors;
mod events;
mod fault;
mod json_lines;
mod links;
mod logs;
mod operator_routes;
mod placement_report;
mod placement_texts;
mod query;
mod router;
mod rows;
mod targets;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weft_ingress::{ReadinessSource, serve_until};
use weft_provider::Registry;
use weft_state::artifacts::Artifacts;
use weft_telemetry::events::Events;
use weft_telemetry::logs::Logs;

use self::body_budget::BodyBudget;
use crate::Faults;
use crate::HostLabels;
use crate::Joined;
use crate::controller::Controller;
use crate::runtime::Runtime;

/// The most connections at once: a few operators and their scripts.
const CONNECTIONS_MAX: usize = 64;

/// The longest time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The host that answers, in the rows of `weft get hosts`.
#[derive(Clone)]
pub struct About {
    /// The display name.
    pub name: String,
    /// The labels.
    pub labels: HostLabels,
    /// The address of the HTTP server.
    pub http: Option<SocketAddr>,
    /// The time of the start.
    pub started: Instant,
    /// The runtime, for its limits and counters.
    pub runtime: Arc<dyn Runtime>,
    /// The token that requests need.
    pub token: String,
}

/// The server of the admin API.
pub struct Admin {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The state that requests read and change.
pub struct Sources {
    /// The host itself.
    pub about: About,
    /// The apps of the host.
    pub controller: Controller,
    /// The lattice of the host.
    pub mesh: Joined,
    /// The readiness of the host.
    pub readiness: Arc<ReadinessSource>,
    /// The artifacts on disk.
    pub artifacts: Artifacts,
    /// The types of providers.
    pub registry: Registry,
    /// The logs of guests.
    pub logs: Logs,
    /// The events of the host.
    pub events: Events,
    /// The faults for drills, if the host takes drills.
    pub faults: Option<Arc<dyn Faults>>,
}

/// Answers requests.
struct Api {
    sources: Sources,
    address: SocketAddr,
    /// The memory for bodies of requests.
    bodies: BodyBudget,
    /// Ends the streams of followers.
    stop: CancellationToken,
    /// Owns the tasks that feed the streams.
    tasks: TaskTracker,
}

impl Admin {
    /// Listens on `address`.
    ///
    /// # Errors
    /// The error of the operating system if the address cannot be used.
    pub async fn start(address: SocketAddr, sources: Sources) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mesh = sources.mesh.clone();
        let api = Api {
            sources,
            address,
            bodies: BodyBudget::default(),
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        let api = Arc::new(api);
        if let Some(lattice) = mesh.lattice.clone() {
            tasks.spawn(bus_server::run(api.clone(), mesh, lattice));
        }
        tasks.spawn(accept(listener, api));
        Ok(Self {
            address,
            stop,
            tasks,
        })
    }

    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new requests and finishes those in progress.
    pub async fn stop(self, deadline: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(deadline, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("a request to the admin API was cut off at the deadline");
        }
    }
}

async fn accept(listener: TcpListener, api: Arc<Api>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = api.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let task_api = api.clone();
                api.tasks.spawn(async move {
                    let _permit = permit;
                    connection(stream, task_api).await;
                });
            }
            Err(error) => tracing::warn!(%error, "the admin API cannot accept a connection"),
        }
    }
}

async fn connection(stream: TcpStream, api: Arc<Api>) {
    let stop = api.stop.clone();
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(api.answer(request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    serve_until(http.serve_connection(TokioIo::new(stream), service), &stop).await;
}
