//! A host, from start to drain.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use weft_control::{HostNameError, check_host_name, token};
use weft_ingress::{ReadinessSource, Server};
use weft_link::CallServer;
use weft_node::admin::{About, Admin, Sources};
use weft_node::controller::{Controller, Parts};
use weft_node::runtime::Runtime;
use weft_node::{Files, HostLabels, HostTasks, Joined, LabelsError, Mesh, MeshError};
use weft_provider::Registry;
use weft_runtime::{FrameServer, RuntimeConfig, RuntimeError, RuntimeLinks, WasmRuntime};
use weft_state::artifacts::{ArtifactError, Artifacts};
use weft_state::data_directory::{self, DataDirectoryError};
use weft_state::store::{Store, StoreError};
use weft_telemetry::events::Events;

use crate::capacity;
use crate::config::HostConfig;
use crate::control_runtime::ControlRuntime;
use crate::descriptors;

/// The longest time at shutdown for the admin API, and then for the background tasks, to end.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// The pause between two looks at the requests in flight of a superseded process.
const IDLE_POLL: Duration = Duration::from_millis(20);

/// The reason in the responses of a superseded process.
const SUPERSEDED: &str = "another process has taken over the identity of this host";
/// The notice of a drain by default, if a load balancer follows the readiness of the host: the time
/// in which balancers that poll every second, and the services of a container platform, send
/// requests elsewhere.
const NOTICE_DEFAULT: Duration = Duration::from_secs(5);

/// The share of a drain's deadline, as a divisor, in which other hosts may take over the components
/// of this host. The rest is for the requests in flight.
const HAND_OVER_DIVISOR: u32 = 2;

/// A running host.
pub struct Host {
    controller: Controller,
    mesh: Joined,
    readiness: Arc<ReadinessSource>,
    http: Option<Server>,
    admin: Admin,
    token: String,
    /// The folder of the host in its data directory.
    data_dir: PathBuf,
    tasks: TaskTracker,
    // Dropped last: its threads run the tasks of the other fields.
    _control: ControlRuntime,
}

/// The limits of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainLimits {
    /// The time for which the host still takes connections, after it has reported that it is not
    /// ready. `None`: five seconds if a load balancer follows its readiness, else none.
    pub notice: Option<Duration>,
    /// The time for the requests in flight, after the notice.
    pub deadline: Duration,
}

/// The outcome of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainOutcome {
    /// Every request was completed.
    Complete,
    /// The deadline passed before every request was completed.
    DeadlineReached {
        /// Number of requests and calls that were aborted.
        in_flight: u64,
    },
}

/// A reason for which a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDirectory(#[from] DataDirectoryError),
    /// The host's name is invalid.
    #[error("invalid host name; choose another with `--name`")]
    Name(#[source] HostNameError),
    /// The host's labels are invalid, or cannot be read.
    #[error("cannot use the labels of the host")]
    Labels(#[source] LabelsError),
    /// The lattice cannot be joined.
    #[error("cannot join lattice `{lattice}`")]
    Mesh {
        /// Name of the lattice.
        lattice: String,
        /// The cause.
        #[source]
        source: MeshError,
    },
    /// The runtime does not start.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The task that opens the data directory panicked.
    #[error("cannot open the data directory: internal error")]
    Open(#[source] tokio::task::JoinError),
    /// The database of the desired state cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The artifacts cannot be opened.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The apps of the desired state cannot be started.
    #[error("cannot start the apps of the stored desired state")]
    Restore(#[source] MeshError),
    /// A server cannot listen on its address.
    #[error("cannot listen on `{address}` for {what}; choose another address with `--{flag}`")]
    Listen {
        /// `HTTP` or `the admin API`.
        what: &'static str,
        /// `http` or `admin`.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The admin address is not a loopback address.
    #[error(
        "the admin API is not encrypted: `--admin` expects a loopback address, found `{address}`"
    )]
    AdminAddress {
        /// The address.
        address: SocketAddr,
    },
    /// The threads of the host cannot be started.
    #[error("cannot start the threads of the host")]
    Threads(#[source] io::Error),
    /// The token of the admin API cannot be generated.
    #[error("cannot generate the admin token: the system's random number generator failed")]
    Token,
}

impl Host {
    /// Starts a host. The apps of its desired state serve when this returns.
    ///
    /// # Errors
    /// Any [`StartError`].
    pub async fn start(mut config: HostConfig, registry: Registry) -> Result<Self, StartError> {
        if !config.admin.ip().is_loopback() {
            return Err(StartError::AdminAddress {
                address: config.admin,
            });
        }
        check_host_name(&config.name).map_err(StartError::Name)?;
        config.http_settings.connections_max = descriptors::raise_limit();
        let tasks = TaskTracker::new();
        let control = ControlRuntime::start().map_err(StartError::Threads)?;
        config.data_dir = data_directory::prepare(&config.data_dir)?;
        let events = Events::new();
        let labels = HostLabels::open(config.paths().labels(), &config.labels);
        let labels = labels.map_err(StartError::Labels)?;
        let host_tasks = HostTasks::on(tasks.clone(), control.handle(), Handle::current());
        let mesh = prepare_mesh(&config, &labels, &events, &host_tasks);
        let mut mesh = control.run(mesh).await?;
        let server = FrameServer::default();
        // A route or a link to a component that does not run here leads nowhere on a host alone.
        let hosts = config.mesh.as_ref().map(|_| mesh.hosts());
        let links = RuntimeLinks {
            tasks: tasks.clone(),
            server: server.clone(),
            over_frames: config.links_over_wire,
            hosts: hosts.clone(),
        };
        let Storage {
            store,
            artifacts,
            runtime,
        } = open(&config, registry.clone(), links).await?;
        // After the database was locked: a process with the same directory is reported as such.
        let checked = control.run(mesh.check_identity(config.takeover)).await;
        checked.map_err(|source| mesh_error(&config, source))?;
        let call_server: Arc<dyn CallServer> = Arc::new(server.clone());
        let parts = Parts {
            runtime: runtime.clone(),
            server: call_server.clone(),
            hosts,
            registry: registry.clone(),
            providers_directory: config.paths().providers(),
            events: events.clone(),
        };
        let controller = Controller::start(parts, &tasks.clone().into());
        let snapshots = controller.watch();
        server.find_in(move |app| snapshots.borrow().running(app).cloned());
        let snapshots = controller.watch();
        let parts = weft_node::Parts {
            controller: controller.clone(),
            server: call_server,
            find_handler: Arc::new(move |app, component| {
                snapshots.borrow().handler(app, component)
            }),
            artifacts: artifacts.clone(),
            store,
            runtime: runtime.clone(),
            local_stores: Arc::new(local_stores(&registry)),
            calls_max: runtime.instances_max(),
        };
        let capacity = config.capacity.unwrap_or_else(capacity::of_machine);
        let mesh = control
            .run(mesh.with_capacity(Some(capacity)).join(parts))
            .await;
        let mesh = mesh.map_err(|source| mesh_error(&config, source))?;
        let joined = mesh.clone();
        let readiness = Arc::new(ReadinessSource::new(move || joined.readiness()));
        let http = start_http(&config, &controller, &readiness).await?;
        let token = make_token()?;
        let about = About {
            name: config.name.clone(),
            labels,
            http: http.as_ref().map(Server::address),
            started: Instant::now(),
            runtime,
            token: token.clone(),
        };
        let sources = Sources {
            about,
            controller: controller.clone(),
            mesh: mesh.clone(),
            readiness: readiness.clone(),
            artifacts,
            registry,
            logs: config.logs,
            events,
            faults: config.faults,
        };
        let socket = config.data_dir.join(token::SOCKET_FILE);
        let admin = control
            .run(Admin::start(config.admin, &socket, sources))
            .await;
        let admin =
            admin.map_err(|source| listen_error("the admin API", "admin", config.admin, source))?;
        let host = Self {
            controller,
            mesh,
            readiness,
            http,
            admin,
            token,
            data_dir: config.data_dir,
            tasks,
            _control: control,
        };
        host.write_address()?;
        Ok(host)
    }

    /// The address of the HTTP server; `None` if it is disabled.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Server::address)
    }

    /// The address of the admin API.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// The token of the admin API, generated at each start.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Drains and stops the host:
    ///
    /// 1. Reports that it is not ready, and serves on for the notice. In a lattice, other hosts
    ///    take over its components meanwhile, for a part of the deadline.
    /// 2. Takes no new requests, and completes those in flight within the rest of the deadline.
    /// 3. Closes the providers.
    ///
    /// Dropping the future aborts the requests in flight.
    pub async fn shutdown(self, limits: DrainLimits) -> DrainOutcome {
        let notice = self.notice(limits);
        let until = tokio::time::Instant::now() + notice + limits.deadline;
        // From now on, calls go to other hosts; this host serves the components that other hosts do
        // not run yet.
        self.mesh.drain();
        if let Some(server) = &self.http {
            server.announce_end();
        }
        let hand_over = self.mesh.hand_over(limits.deadline / HAND_OVER_DIVISOR);
        let (is_handed_over, ()) = tokio::join!(hand_over, tokio::time::sleep(notice));
        if !is_handed_over {
            tracing::warn!("other hosts did not take over all components in time");
        }
        self.finish(until).await
    }

    /// Takes no new requests, completes those in flight, and stops.
    async fn finish(self, until: tokio::time::Instant) -> DrainOutcome {
        let deadline = until.saturating_duration_since(tokio::time::Instant::now());
        let finished = match self.http {
            Some(server) => server.drain(deadline).await,
            None => true,
        };
        let in_flight = self.controller.snapshot().in_flight();
        self.admin.stop(STOP_DEADLINE).await;
        self.mesh.leave().await;
        self.controller.stop().await;
        self.tasks.close();
        if tokio::time::timeout(STOP_DEADLINE, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("a background task did not end before the shutdown deadline");
        }
        // Leftover files are harmless: the next host of the directory replaces them.
        for file in [token::ADDRESS_FILE, token::SOCKET_FILE] {
            let _ = std::fs::remove_file(self.data_dir.join(file));
        }
        if finished {
            DrainOutcome::Complete
        } else {
            DrainOutcome::DeadlineReached { in_flight }
        }
    }

    /// Waits until another process with the identity of this host supersedes this one, and returns
    /// the incarnation of the other. The lattice ignores this process from then on:
    /// [`end_superseded`](Self::end_superseded) has to follow.
    pub async fn superseded(&self) -> u64 {
        self.mesh.superseded().await
    }

    /// Stops a superseded host: it rejects new requests with `503` while it completes those in
    /// flight, for `deadline` at most, and hands over nothing, because the other process has the
    /// same components.
    ///
    /// Dropping the future aborts the requests in flight.
    pub async fn end_superseded(self, deadline: Duration) -> DrainOutcome {
        let until = tokio::time::Instant::now() + deadline;
        if let Some(server) = &self.http {
            server.reject_requests(SUPERSEDED);
        }
        let idle = async {
            while self.controller.snapshot().in_flight() > 0 {
                tokio::time::sleep(IDLE_POLL).await;
            }
        };
        // The drain that follows reports requests that are not complete.
        let _ = tokio::time::timeout_at(until, idle).await;
        self.finish(until).await
    }

    /// The notice of a drain that begins now.
    fn notice(&self, limits: DrainLimits) -> Duration {
        let notice = match limits.notice {
            Some(notice) => notice,
            None if self.readiness.is_followed() => NOTICE_DEFAULT,
            None => Duration::ZERO,
        };
        self.readiness.notice_left(notice)
    }

    /// Writes the token and the admin address to the files that the `weft` command reads.
    fn write_address(&self) -> Result<(), StartError> {
        let written = token::write(&self.data_dir, &self.token, self.admin_address());
        written.map_err(|source| {
            let path = self.data_dir.clone();
            DataDirectoryError::Io { path, source }.into()
        })
    }
}

/// Prepares the host to join the lattice of the config, or to be alone.
async fn prepare_mesh(
    config: &HostConfig,
    labels: &HostLabels,
    events: &Events,
    tasks: &HostTasks,
) -> Result<Mesh, StartError> {
    let Some(mesh) = &config.mesh else {
        let alone = Mesh::alone(&config.name, labels, events, tasks.clone());
        return alone.map_err(|source| mesh_error(config, source));
    };
    let paths = config.paths();
    let files = Files {
        key: paths.host_key(),
        life: paths.host_life(),
    };
    let prepared = Mesh::prepare(mesh, &files, labels, events, tasks.clone()).await;
    prepared.map_err(|source| mesh_error(config, source))
}

fn mesh_error(config: &HostConfig, source: MeshError) -> StartError {
    match &config.mesh {
        Some(mesh) => StartError::Mesh {
            lattice: mesh.lattice.clone(),
            source,
        },
        None => StartError::Restore(source),
    }
}

/// The storage of a data directory, and the runtime over it.
struct Storage {
    store: Arc<Store>,
    artifacts: Artifacts,
    runtime: Arc<dyn Runtime>,
}

/// Opens the data directory, off the async threads.
async fn open(
    config: &HostConfig,
    registry: Registry,
    links: RuntimeLinks,
) -> Result<Storage, StartError> {
    let config = config.clone();
    let opening = move || open_blocking(&config, registry, links);
    let opened = tokio::task::spawn_blocking(opening).await;
    opened.map_err(StartError::Open)?
}

fn open_blocking(
    config: &HostConfig,
    registry: Registry,
    links: RuntimeLinks,
) -> Result<Storage, StartError> {
    let paths = config.paths();
    // First, because the database is locked while another host uses the directory.
    let store = Store::open(paths.state())?;
    let artifacts = Artifacts::open(paths.artifacts())?;
    let runtime = WasmRuntime::start(RuntimeConfig {
        cache: paths.cache(),
        cache_key: paths.cache_key(),
        artifacts: artifacts.clone(),
        registry,
        links,
    })?;
    Ok(Storage {
        store: Arc::new(store),
        artifacts,
        runtime: Arc::new(runtime),
    })
}

/// The types of providers whose data is stored on the host that runs them.
fn local_stores(registry: &Registry) -> BTreeSet<String> {
    let kinds = registry.kinds();
    let local = kinds.filter(|kind| {
        let factory = registry.get(kind);
        factory.is_ok_and(|factory| factory.keeps_state_on_host())
    });
    local.map(str::to_owned).collect()
}

async fn start_http(
    config: &HostConfig,
    controller: &Controller,
    readiness: &Arc<ReadinessSource>,
) -> Result<Option<Server>, StartError> {
    let Some(address) = config.http else {
        return Ok(None);
    };
    let (routes, readiness) = (controller.routes(), readiness.clone());
    let server = Server::start(address, routes, readiness, config.http_settings);
    let server = server.await;
    server
        .map(Some)
        .map_err(|source| listen_error("HTTP", "http", address, source))
}

fn listen_error(
    what: &'static str,
    flag: &'static str,
    address: SocketAddr,
    source: io::Error,
) -> StartError {
    StartError::Listen {
        what,
        flag,
        address,
        source,
    }
}

fn make_token() -> Result<String, StartError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| StartError::Token)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
