//! This host as a member of a lattice of many ([ADR
//! 8](../../../docs/adr/0008-one-lattice-of-many-hosts.md)) or of one ([ADR
//! 14](../../../docs/adr/0014-a-host-alone-is-a-lattice-of-one.md)): prepared ([`Mesh`]), then
//! joined ([`Joined`]). Spawns and connects the tasks in between.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use weft_bus::local::{self, LocalOptions};
use weft_bus::nats::{self, NatsError, NatsOptions};
use weft_bus::{Bus, Lane, Scope, SubjectError};
use weft_control::JSON_BYTES_MAX;
use weft_ingress::ForwardedRequests;
use weft_ingress::forwarded::FindHandler;
use weft_lattice_config::{App, AppName, NameError, placement};
use weft_link::{CallServer, Hosts};
use weft_membership::message::{Contents, HostCondition, HostState, Load};
use weft_membership::{HostId, Identity, Membership};
use weft_state::artifacts::Artifacts;
use weft_state::buckets::{BucketError, BucketOptions};
use weft_state::desired::DesiredReplica;
use weft_state::desired::record_codec::DecodedRecord;
use weft_state::objects::Objects;
use weft_state::store::{Store, StoreError};
use weft_telemetry::events::Events;

use crate::HostLabels;
use crate::artifact_fetcher::{ArtifactFetcher, LocalArtifacts};
use crate::bus_channel::BusChannels;
use crate::call_client::CallClient;
use crate::call_routing::CallRouter;
use crate::call_server::CallListener;
use crate::claim_check::ClaimChecks;
use crate::controller::{Controller, DeployError, Deployment, Snapshot};
use crate::desired_writer::DesiredWriter;
use crate::environment::Environment;
use crate::health_probe::HealthProbe;
use crate::host_tasks::HostTasks;
use crate::lattice_stores::LatticeStores;
use crate::membership_task::{MembershipSnapshot, MembershipTask, SelfReport};
use crate::peer_rpc::{PeerClient, PeerServer};
use crate::peer_sync::PeerSync;
use crate::precompile::Precompiler;
use crate::reconciler::{self, Decision, Reconciler, ReconcilerOutput};
use crate::replica_file::ReplicaFile;
use crate::running_calls::RunningCalls;
use crate::runtime::Runtime;
use crate::stream_server::StreamServer;
use crate::subjects::Subjects;
use crate::{claim_check, inventory_publisher};

/// The most records of peers that wait for the reconciler; then the peer sync waits.
const PEER_RECORDS_QUEUED_MAX: usize = 64;

/// The lattice of a host alone. No other host sees the name, and no command prints it.
const LATTICE_ALONE: &str = "alone";

/// The settings for joining a lattice.
#[derive(Debug, Clone)]
pub struct MeshConfig {
    /// The lattice's name. Hosts of other lattices on the same servers are not seen.
    pub lattice: String,
    /// The display name of this host.
    pub host: String,
    /// The connection to the bus.
    pub nats: NatsOptions,
    /// The options of the desired-state buckets.
    pub buckets: BucketOptions,
}

/// The reason a host cannot join a lattice.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// The lattice's name is invalid.
    #[error("invalid lattice name")]
    Lattice(#[source] SubjectError),
    /// The options of the bus are invalid.
    #[error("invalid options of the bus")]
    Bus(#[source] NatsError),
    /// The host's identity cannot be read or written.
    #[error("cannot use the host's identity in `{path}`")]
    Identity {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The names or options of the buckets are invalid.
    #[error("invalid options of the desired-state buckets")]
    Buckets(#[source] BucketError),
    /// The local replica of the desired state cannot be read.
    #[error("cannot read the host's replica of the desired state")]
    Replica(#[source] StoreError),
    /// The host's id is not valid for placement.
    #[error("the host's id is not valid for placement")]
    HostId(#[source] NameError),
    /// The host's name or a label is invalid.
    #[error("invalid host name or label: {0}")]
    Contents(String),
}

/// A host that is prepared to join a lattice.
pub struct Mesh {
    bus: Bus,
    subjects: Subjects,
    me: HostId,
    incarnation: u64,
    membership_task: MembershipTask,
    contents: watch::Sender<Contents>,
    state: watch::Sender<HostState>,
    about: Contents,
    labels: HostLabels,
    membership: watch::Receiver<Arc<MembershipSnapshot>>,
    claim_checks: ClaimChecks,
    channels: BusChannels,
    buckets: BucketOptions,
    tasks: HostTasks,
    events: Events,
    environment: Environment,
}

/// A host that has joined. Cheap to clone.
#[derive(Clone)]
pub struct Joined {
    /// The name of the lattice; `None` for a host alone.
    pub(crate) lattice: Option<Arc<str>>,
    pub(crate) me: HostId,
    pub(crate) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    /// The desired state, as far as this host has received it.
    pub(crate) replica: watch::Receiver<Arc<DesiredReplica>>,
    pub(crate) decision: watch::Receiver<Arc<Decision>>,
    pub(crate) local_stores: Arc<BTreeSet<String>>,
    pub(crate) writer: DesiredWriter,
    pub(crate) state: Arc<watch::Sender<HostState>>,
    pub(crate) stop: CancellationToken,
    /// Cancelled once this host has reported that it left.
    pub(crate) left: CancellationToken,
    pub(crate) bus: Bus,
    tasks: HostTasks,
}

/// The parts of a host that work in a lattice.
pub struct Parts {
    /// Runs this host's share.
    pub controller: Controller,
    /// Serves calls of other hosts.
    pub server: Arc<dyn CallServer>,
    /// The artifacts on disk.
    pub artifacts: Artifacts,
    /// The database of the local replica.
    pub store: Arc<Store>,
    /// Compiles for failover.
    pub runtime: Arc<dyn Runtime>,
    /// Finds the component of a forwarded request.
    pub find_handler: FindHandler,
    /// The types of providers that store their data on the host that runs them.
    pub local_stores: Arc<BTreeSet<String>>,
    /// The most calls and requests that the host takes.
    pub calls_max: u32,
}

/// The files of the host's identity.
pub struct Files {
    /// The ed25519 key.
    pub key: PathBuf,
    /// The number of starts.
    pub life: PathBuf,
}

/// The published state of the reconciliation tasks.
struct TaskOutputs {
    replica: watch::Receiver<Arc<DesiredReplica>>,
    conditions: watch::Receiver<BTreeSet<HostCondition>>,
    decision: watch::Receiver<Arc<Decision>>,
    has_reconciled: watch::Receiver<bool>,
}

impl Mesh {
    /// Prepares a host to join. The bus may be unreachable still.
    ///
    /// # Errors
    /// A [`MeshError`] if the settings can never work.
    pub async fn prepare(
        config: &MeshConfig,
        files: &Files,
        labels: &HostLabels,
        events: &Events,
        tasks: HostTasks,
    ) -> Result<Self, MeshError> {
        let scope = Scope::new(&config.lattice).map_err(MeshError::Lattice)?;
        let unusable = |path: &PathBuf| {
            let path = path.clone();
            move |source| MeshError::Identity { path, source }
        };
        let identity = crate::identity::Identity::open(&files.key).map_err(unusable(&files.key))?;
        let incarnation =
            crate::identity::next_incarnation(&files.life).map_err(unusable(&files.life))?;
        let bus = nats::connect(scope, &config.nats);
        let bus = bus.await.map_err(MeshError::Bus)?;
        let identity = Identity {
            lattice: config.lattice.clone(),
            host: identity.host_id(),
            incarnation,
        };
        let (host, buckets) = (&config.host, config.buckets);
        Self::over_bus(bus, identity, host, buckets, labels, events, tasks)
    }

    /// Prepares a host alone: a lattice of one, on a bus that no other host can join.
    ///
    /// # Errors
    /// A [`MeshError`] if the settings can never work.
    pub fn alone(
        host: &str,
        labels: &HostLabels,
        events: &Events,
        tasks: HostTasks,
    ) -> Result<Self, MeshError> {
        let scope = Scope::new(LATTICE_ALONE).map_err(MeshError::Lattice)?;
        let options = LocalOptions {
            // A manifest is limited by the admin API alone.
            max_payload: JSON_BYTES_MAX,
            ..LocalOptions::default()
        };
        let identity = Identity {
            lattice: LATTICE_ALONE.to_owned(),
            host: HostId::from_key([0; 32]),
            incarnation: 1,
        };
        let (bus, buckets) = (local::alone(&scope, options), BucketOptions::default());
        Self::over_bus(bus, identity, host, buckets, labels, events, tasks)
    }

    /// Prepares a host to join the lattice of a bus, which may be in-process. `host` is the display
    /// name.
    ///
    /// # Errors
    /// A [`MeshError`] if the settings can never work.
    pub fn over_bus(
        bus: Bus,
        identity: Identity,
        host: &str,
        buckets: BucketOptions,
        labels: &HostLabels,
        events: &Events,
        tasks: HostTasks,
    ) -> Result<Self, MeshError> {
        let (me, incarnation) = (identity.host, identity.incarnation);
        // A host alone has no moves between hosts to report.
        let events = match bus.is_alone() {
            true => Events::new(),
            false => events.clone(),
        };
        let invalid = |error: &dyn std::error::Error| MeshError::Contents(error.to_string());
        let about = Contents {
            name: host.to_owned(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            labels: labels.current(),
            ..Contents::default()
        };
        let subjects = Subjects::new(bus.scope(), me).map_err(MeshError::Lattice)?;
        let membership =
            Membership::new(identity, about.clone()).map_err(|error| invalid(&error))?;
        let contents = watch::Sender::new(about.clone());
        let state = watch::Sender::new(HostState::Joining);
        let self_report = SelfReport {
            contents: contents.subscribe(),
            state: state.subscribe(),
            load: Box::new(Load::default),
        };
        let membership_task = MembershipTask::new(
            membership,
            bus.clone(),
            subjects.clone(),
            self_report,
            events.clone(),
        );
        let calls_bus = bus.lane(Lane::Calls);
        let claim_checks = ClaimChecks::new(calls_bus.clone(), subjects.clone(), me);
        let channels = BusChannels::new(
            calls_bus,
            subjects.clone(),
            claim_checks.clone(),
            tasks.clone(),
        );
        Ok(Self {
            me,
            incarnation,
            channels,
            buckets,
            membership: membership_task.snapshots(),
            claim_checks,
            membership_task,
            contents,
            state,
            about,
            labels: labels.clone(),
            bus,
            subjects,
            tasks,
            events,
            environment: Environment::default(),
        })
    }

    /// Replaces the system's randomness and clock.
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.membership_task.set_environment(environment.clone());
        self.environment = environment;
        self
    }

    /// Limits the sum of the weights of the components that are placed on this host.
    #[must_use]
    pub fn with_capacity(mut self, capacity: Option<u64>) -> Self {
        self.about.capacity = capacity;
        self.contents.send_replace(self.about.clone());
        self
    }

    /// The transport of links to other hosts.
    pub fn hosts(&self) -> Arc<dyn Hosts> {
        let bus = self.bus.lane(Lane::Calls);
        let router = CallRouter::new(
            self.membership_task.table(),
            bus.status(),
            self.membership_task.clock(),
            self.environment.seed(),
        );
        Arc::new(CallClient {
            channels: self.channels.clone(),
            bus,
            subjects: self.subjects.clone(),
            router,
            membership: self.membership.clone(),
            claim_checks: self.claim_checks.clone(),
            tasks: self.tasks.clone(),
        })
    }

    /// Spawns the servers of calls, channels and claim checks, and the health probe.
    async fn spawn_call_tasks(
        &mut self,
        server: Arc<dyn CallServer>,
        find: FindHandler,
        stop: &CancellationToken,
    ) {
        let bus = self.bus.lane(Lane::Calls);
        let fetches = bus.subscribe(&self.subjects.claims).await;
        let (store, rejected) = (self.claim_checks.store.clone(), server.rejected().clone());
        let claim_server = claim_check::serve(fetches, bus.clone(), store, rejected);
        self.tasks.spawn(claim_server);
        let calls = bus.subscribe(&self.subjects.calls).await;
        let call_listener = CallListener {
            bus: bus.clone(),
            server: server.clone(),
            claim_checks: self.claim_checks.clone(),
            running: RunningCalls::default(),
            tasks: self.tasks.clone(),
        };
        self.tasks.spawn(call_listener.run(calls, stop.clone()));
        self.tasks.spawn(self.channels.serve(
            bus.subscribe(&self.subjects.channels).await,
            StreamServer {
                server: server.clone(),
                http: ForwardedRequests {
                    find,
                    tasks: self.tasks.tracker().clone(),
                },
                claim_checks: self.claim_checks.clone(),
            },
            stop.clone(),
        ));
        let health_probe = HealthProbe {
            bus,
            subjects: self.subjects.clone(),
            clock: self.membership_task.clock(),
            environment: self.environment.clone(),
            tasks: self.tasks.clone(),
        };
        let probes = self.membership_task.probes();
        self.tasks.spawn(health_probe.run(probes, stop.clone()));
    }

    /// Joins: sends and receives heartbeats, reconciles, and serves calls. A host alone has
    /// started its apps when this returns.
    ///
    /// # Errors
    /// A [`MeshError`] if the settings can never work.
    pub async fn join(mut self, parts: Parts) -> Result<Joined, MeshError> {
        let control = self.bus.lane(Lane::Control);
        let stores = LatticeStores::open(&control, &self.buckets, &parts.store)?;
        let stop = CancellationToken::new();
        let (controller, artifacts) = (parts.controller.clone(), parts.artifacts.clone());
        let snapshots: watch::Receiver<Arc<Snapshot>> = controller.watch();
        let (load_snapshots, calls_max) = (snapshots.clone(), parts.calls_max);
        self.membership_task.set_load(move || Load {
            running: u32::try_from(load_snapshots.borrow().in_flight()).unwrap_or(u32::MAX),
            limit: calls_max,
        });
        if !self.bus.is_alone() {
            let (server, find) = (parts.server.clone(), parts.find_handler.clone());
            self.spawn_call_tasks(server, find, &stop).await;
        }
        let local_stores = parts.local_stores.clone();
        let TaskOutputs {
            replica,
            conditions,
            decision,
            mut has_reconciled,
        } = self.spawn_tasks(parts, stores.clone(), &stop).await?;
        let publisher = inventory_publisher::publish(
            snapshots,
            self.labels.watch(),
            conditions,
            self.about,
            self.contents,
            stop.clone(),
        );
        self.tasks.spawn(publisher);
        let left = CancellationToken::new();
        let membership_run = {
            let (stop, left) = (stop.clone(), left.clone());
            async move {
                let _left = left.drop_guard();
                self.membership_task.run(stop).await;
            }
        };
        self.tasks.spawn(membership_run);
        self.state.send_replace(HostState::Ready);
        if self.bus.is_alone() {
            // An error means that the host is stopping.
            let _ = has_reconciled
                .wait_for(|has_reconciled| *has_reconciled)
                .await;
        }
        Ok(Joined {
            lattice: (!self.bus.is_alone()).then(|| self.bus.scope().lattice().into()),
            me: self.me,
            membership: self.membership,
            replica: replica.clone(),
            decision,
            local_stores,
            writer: DesiredWriter {
                stores,
                controller,
                artifacts,
                replica,
                environment: self.environment,
                turn: Arc::new(Semaphore::new(1)),
            },
            state: Arc::new(self.state),
            stop,
            left,
            bus: self.bus,
            tasks: self.tasks,
        })
    }

    /// Spawns and connects the reconciliation tasks.
    async fn spawn_tasks(
        &self,
        parts: Parts,
        stores: LatticeStores,
        stop: &CancellationToken,
    ) -> Result<TaskOutputs, MeshError> {
        let me: placement::HostId = self.me.to_string().parse().map_err(MeshError::HostId)?;
        let (replica_file, replica) =
            ReplicaFile::read(parts.store.clone()).map_err(MeshError::Replica)?;
        let output = ReconcilerOutput {
            replica: watch::Sender::new(Arc::new(replica.clone())),
            is_bucket_unavailable: watch::Sender::new(false),
            needed_artifacts: watch::Sender::default(),
            conditions: watch::Sender::default(),
            decision: watch::Sender::default(),
            has_reconciled: watch::Sender::new(false),
        };
        let outputs = TaskOutputs {
            replica: output.replica.subscribe(),
            conditions: output.conditions.subscribe(),
            decision: output.decision.subscribe(),
            has_reconciled: output.has_reconciled.subscribe(),
        };
        let (peer_records, received_records) = mpsc::channel(PEER_RECORDS_QUEUED_MAX);
        let local_artifacts = watch::Sender::<LocalArtifacts>::default();
        let received_artifacts = local_artifacts.subscribe();
        if let Some(objects) = stores.objects {
            let channels = (peer_records, local_artifacts);
            self.spawn_peer_tasks(&parts, &me, objects, &output, channels, stop)
                .await;
        }
        let reconciler = Reconciler::new(reconciler::Parts {
            records: stores.records,
            membership: self.membership.clone(),
            bus: self.bus.status(),
            last_tick: self.membership_task.last_tick(),
            me,
            controller: parts.controller,
            replica_file,
            replica,
            local_stores: parts.local_stores,
            events: self.events.clone(),
            peer_records: received_records,
            local_artifacts: received_artifacts,
            output,
        });
        self.tasks.spawn(reconciler.run(stop.clone()));
        Ok(outputs)
    }

    /// Spawns the tasks that exchange records and artifacts with other hosts, and prepare for their
    /// loss.
    async fn spawn_peer_tasks(
        &self,
        parts: &Parts,
        me: &placement::HostId,
        objects: Objects,
        output: &ReconcilerOutput,
        (peer_records, local_artifacts): (
            mpsc::Sender<DecodedRecord>,
            watch::Sender<LocalArtifacts>,
        ),
        stop: &CancellationToken,
    ) {
        let peer_client = PeerClient {
            bus: self.bus.lane(Lane::Calls),
            subjects: self.subjects.clone(),
            me: self.me,
            incarnation: self.incarnation,
            sequence: Arc::default(),
        };
        let peer_server = PeerServer {
            client: peer_client.clone(),
            artifacts: parts.artifacts.clone(),
            replica: output.replica.subscribe(),
            tasks: self.tasks.clone(),
        };
        let peer_sync = PeerSync {
            peer_client: peer_client.clone(),
            membership: self.membership.clone(),
            replica: output.replica.subscribe(),
            is_bucket_unavailable: output.is_bucket_unavailable.subscribe(),
            records: peer_records,
            seed: self.environment.seed(),
        };
        let precompiler = Precompiler {
            me: me.clone(),
            membership: self.membership.clone(),
            replica: output.replica.subscribe(),
            local_artifacts: local_artifacts.subscribe(),
            controller: parts.controller.clone(),
            runtime: parts.runtime.clone(),
            artifacts: parts.artifacts.clone(),
            local_stores: parts.local_stores.clone(),
        };
        let artifact_fetcher = ArtifactFetcher {
            objects,
            artifacts: parts.artifacts.clone(),
            membership: self.membership.clone(),
            is_bucket_unavailable: peer_sync.is_bucket_unavailable.clone(),
            needed: output.needed_artifacts.subscribe(),
            peer_client,
            local: local_artifacts,
        };
        let requests = self.bus.lane(Lane::Calls);
        let requests = requests.subscribe(&self.subjects.peer_requests).await;
        self.tasks.spawn(peer_server.run(requests, stop.clone()));
        self.tasks.spawn(peer_sync.run(stop.clone()));
        self.tasks.spawn(artifact_fetcher.run(stop.clone()));
        if parts.runtime.prepares_ahead() {
            self.tasks.spawn(precompiler.run(stop.clone()));
        }
    }
}

impl Joined {
    /// The membership as of the last tick, now and later.
    #[must_use]
    pub fn membership(&self) -> watch::Receiver<Arc<MembershipSnapshot>> {
        self.membership.clone()
    }

    /// This host's replica of the desired state, now and later.
    #[must_use]
    pub fn replica(&self) -> watch::Receiver<Arc<DesiredReplica>> {
        self.replica.clone()
    }

    /// The last decision of the reconciler, published before the host acts on it.
    #[must_use]
    pub fn decision(&self) -> watch::Receiver<Arc<Decision>> {
        self.decision.clone()
    }

    /// Deploys `app` to the lattice. Dropping the future does not undo the deploy.
    ///
    /// # Errors
    /// Any [`DeployError`]; then nothing is changed.
    pub async fn deploy(&self, app: App) -> Result<Deployment, DeployError> {
        let writer = self.writer.clone();
        let deploy = self.tasks.spawn(async move { writer.deploy(app).await });
        deploy.await.map_err(|_| DeployError::Internal)?
    }

    /// Removes an app from the lattice. Returns the revision of the removal. Dropping the future
    /// does not undo the removal.
    ///
    /// # Errors
    /// Any [`DeployError`]; then nothing is changed.
    pub async fn undeploy(&self, app: AppName) -> Result<u64, DeployError> {
        let writer = self.writer.clone();
        let undeploy = self.tasks.spawn(async move { writer.undeploy(app).await });
        undeploy.await.map_err(|_| DeployError::Internal)?
    }

    /// Reports that this host has left, and stops its tasks.
    pub async fn leave(&self) {
        self.stop.cancel();
        // The last heartbeat reports it; if that is lost, other hosts detect the silence.
        self.left.cancelled().await;
        self.bus.close().await;
    }
}
