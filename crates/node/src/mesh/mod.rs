//! This host as a member of a lattice of many ([ADR
//! 8](../../../docs/adr/0008-one-lattice-of-many-hosts.md)) or of one ([ADR
//! 14](../../../docs/adr/0014-a-host-alone-is-a-lattice-of-one.md)): prepared ([`Mesh`]), then
//! joined ([`Joined`]). Spawns and connects the tasks in between.

mod joined;
mod tasks;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weft_bus::local::{self, LocalOptions};
use weft_bus::nats::{self, NatsError, NatsOptions};
use weft_bus::{Bus, Lane, Scope, SubjectError};
use weft_control::JSON_BYTES_MAX;
use weft_ingress::forwarded::FindHandler;
use weft_lattice_config::NameError;
use weft_link::{CallServer, Hosts};
use weft_membership::message::{Contents, HostState, Load, Origin};
use weft_membership::{HostId, Identity, Membership};
use weft_state::artifacts::Artifacts;
use weft_state::buckets::{BucketError, BucketOptions};
use weft_state::store::{Store, StoreError};
use weft_telemetry::events::Events;

pub use self::joined::Joined;
use self::tasks::TaskOutputs;
use crate::HostLabels;
use crate::bus_channel::BusChannels;
use crate::call_client::CallClient;
use crate::call_routing::CallRouter;
use crate::claim_check::ClaimChecks;
use crate::controller::{Controller, Snapshot};
use crate::desired_writer::{AppTurns, DesiredWriter};
use crate::environment::Environment;
use crate::host_tasks::HostTasks;
use crate::identity::{StoreIncarnation, incarnation_after, store_incarnation};
use crate::incarnation::running_process;
use crate::inventory_publisher;
use crate::lattice_stores::LatticeStores;
use crate::membership_task::{MembershipSnapshot, MembershipTask, SelfReport};
use crate::runtime::Runtime;
use crate::subjects::Subjects;
use crate::unplaceable::Unplaceable;

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
    /// Another process of the lattice has the host's identity.
    #[error(
        "the identity of this host, `{id}`, is in use by another process, of host `{name}`; a data \
         directory is of one host: start with an empty `--data-dir`, or end the other process \
         first, or have it end itself with `--takeover`"
    )]
    IdentityInUse {
        /// The id of the host.
        id: HostId,
        /// The display name of the other process.
        name: String,
    },
}

/// A host that is prepared to join a lattice.
pub struct Mesh {
    bus: Bus,
    subjects: Subjects,
    me: HostId,
    /// `None` if the incarnation is not stored.
    store_incarnation: Option<StoreIncarnation>,
    membership_task: MembershipTask,
    contents: watch::Sender<Contents>,
    state: watch::Sender<HostState>,
    about: Contents,
    labels: HostLabels,
    membership: watch::Receiver<Arc<MembershipSnapshot>>,
    claim_checks: ClaimChecks,
    channels: BusChannels,
    /// The components that no host may run.
    unplaceable: watch::Sender<Arc<Unplaceable>>,
    buckets: BucketOptions,
    tasks: HostTasks,
    events: Events,
    environment: Environment,
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
    /// The last incarnation.
    pub life: PathBuf,
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
        let seed = Environment::default().seed();
        let incarnation = crate::identity::next_incarnation(&files.life, seed);
        let incarnation = incarnation.map_err(unusable(&files.life))?;
        let calls_runtime = match tasks.guest_runtime() {
            Some(guests) => guests.clone(),
            None => Handle::current(),
        };
        let bus = nats::connect_with_calls_on(&calls_runtime, scope, &config.nats);
        let bus = bus.await.map_err(MeshError::Bus)?;
        let identity = Identity {
            lattice: config.lattice.clone(),
            host: identity.host_id(),
            incarnation,
        };
        let (host, buckets) = (&config.host, config.buckets);
        let mesh = Self::over_bus(bus, identity, host, buckets, labels, events, tasks)?;
        Ok(mesh.with_stored_incarnation(store_incarnation(files.life.clone())))
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
        let me = identity.host;
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
        let membership =
            Membership::new(identity, about.clone()).map_err(|error| invalid(&error))?;
        let contents = watch::Sender::new(about.clone());
        let state = watch::Sender::new(HostState::Joining);
        let self_report = SelfReport {
            contents: contents.subscribe(),
            state: state.subscribe(),
            load: Box::new(Load::default),
        };
        let membership_task =
            MembershipTask::new(membership, bus.clone(), self_report, events.clone());
        let membership_task = membership_task.map_err(MeshError::Lattice)?;
        let subjects = membership_task.subjects();
        let calls_bus = bus.lane(Lane::Calls);
        let claim_checks = ClaimChecks::new(calls_bus.clone(), subjects.clone(), me);
        let channels = BusChannels::new(
            calls_bus,
            subjects.clone(),
            claim_checks.clone(),
            tasks.for_guests(),
        );
        Ok(Self {
            me,
            store_incarnation: None,
            channels,
            unplaceable: watch::Sender::default(),
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

    /// Stores the larger incarnation that this host takes if its own went back.
    #[must_use]
    pub fn with_stored_incarnation(mut self, store: StoreIncarnation) -> Self {
        self.store_incarnation = Some(store);
        self
    }

    /// Requests a sign of another process with this host's identity. Such a process, as one on a
    /// copy of the data directory, refuses the start. With `takeover` this process gets a later
    /// incarnation than the other one, which thereby is superseded. Without a bus there is no
    /// answer; then the later of both processes supersedes the other once they meet.
    ///
    /// # Errors
    /// [`MeshError::IdentityInUse`].
    pub async fn check_identity(&mut self, takeover: bool) -> Result<(), MeshError> {
        if self.bus.is_alone() {
            return Ok(());
        }
        let incarnation = *self.membership_task.incarnation().borrow();
        let origin = Origin {
            host: self.me,
            incarnation,
            sequence: 0,
        };
        let bus = self.bus.lane(Lane::Control);
        let Some(other) = running_process(&bus, &self.subjects, origin).await else {
            return Ok(());
        };
        let (id, name) = (self.me, other.name);
        if !takeover {
            return Err(MeshError::IdentityInUse { id, name });
        }
        tracing::warn!(host = name, "taking over from another process of this host");
        let last = incarnation.max(other.incarnation);
        let next = incarnation_after(last, self.environment.seed());
        let next = next.ok_or(MeshError::IdentityInUse { id, name })?;
        if let Some(store) = &self.store_incarnation
            && let Err(error) = store(next)
        {
            tracing::error!(%error, "cannot store the incarnation of this host");
        }
        self.membership_task.set_incarnation(next);
        Ok(())
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
        let router = router.with_unplaceable(self.unplaceable.subscribe());
        Arc::new(CallClient {
            channels: self.channels.clone(),
            bus,
            subjects: self.subjects.clone(),
            router,
            membership: self.membership.clone(),
            claim_checks: self.claim_checks.clone(),
            tasks: self.tasks.for_guests(),
        })
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
            has_started,
            collector,
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
        let superseded_by = self.membership_task.superseded_by();
        let left = CancellationToken::new();
        let clock = self.membership_task.clock();
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
            let _ = controller.wait_for_starts().await;
        }
        Ok(Joined {
            lattice: (!self.bus.is_alone()).then(|| self.bus.scope().lattice().into()),
            me: self.me,
            superseded_by,
            membership: self.membership,
            replica: replica.clone(),
            decision: decision.clone(),
            local_stores,
            writer: DesiredWriter {
                decision,
                stores,
                controller,
                artifacts,
                replica,
                environment: self.environment,
                turns: AppTurns::default(),
            },
            state: Arc::new(self.state),
            has_started,
            collector,
            stop,
            left,
            bus: self.bus,
            clock,
            tasks: self.tasks,
        })
    }
}
