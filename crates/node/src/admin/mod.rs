//! The admin API: the server side of the control protocol (`weft_control`).
//!
//! It listens on loopback and on a Unix socket only, and rejects requests without the token, except
//! for the readiness of the host.

mod bus_server;
mod call;
mod errors;
mod events;
mod fault;
mod json_lines;
mod links;
mod listener;
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
mod typed_routes;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weft_ingress::BodyBudget;
use weft_ingress::ReadinessSource;
use weft_provider::Registry;
use weft_state::artifacts::Artifacts;
use weft_telemetry::events::Events;
use weft_telemetry::logs::Logs;

use crate::Faults;
use crate::HostLabels;
use crate::Joined;
use crate::controller::Controller;
use crate::runtime::Runtime;

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
    /// Listens on `address`, and on a Unix socket at the path `local` for commands of the host's
    /// own user.
    ///
    /// # Errors
    /// The error of the operating system if the address cannot be used.
    pub async fn start(address: SocketAddr, local: &Path, sources: Sources) -> io::Result<Self> {
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
        if let Some(local) = listener::listen_local(local) {
            tasks.spawn(listener::accept(local, api.clone()));
        }
        tasks.spawn(listener::accept(listener, api));
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
