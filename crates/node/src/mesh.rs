//! This host as one of a lattice of many ([ADR 8](../../../docs/adr/0008-one-lattice-of-many-hosts.md)):
//! prepared ([`Mesh`]), then joined ([`Joined`]), and the tasks in between.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weft_bus::nats::{self, NatsError, NatsOptions};
use weft_bus::{Bus, Lane, Scope, SubjectError};
use weft_lattice_config::{App, AppName, NameError};
use weft_membership::message::{Contents, HostState, Load};
use weft_membership::{HostId, Identity, Membership};
use weft_state::artifacts::Artifacts;
use weft_state::buckets::{BucketOptions, StoreError};
use weft_state::desired::DesiredReplica;
use weft_state::store::{Store, StoreError as CopyError};

use tokio::sync::mpsc;
use weft_lattice_config::placement;
use weft_membership::message::HostCondition;

use crate::HostLabels;
use crate::artifact_fetcher::{Fetching, Here};
use crate::bus_channel::Lines;
use crate::call_client::Asking;
pub(crate) use crate::call_routing::Ways;
use crate::call_server::Answering;
use crate::claim_check::Large;
use crate::controller::{Controller, DeployError, Deployment, Snapshot};
use crate::desired_writer::Deploying;
use crate::health_probe::Probing;
use crate::lattice_stores::Desired;
use crate::membership_task::Known;
use crate::membership_task::{Members, Said};
use crate::peer_rpc::{Answerer, Asker};
use crate::peer_sync::Learning;
use crate::precompile::Ahead;
use crate::reconciler::{self, Following, Told};
use crate::replica_file::Kept;
use crate::runtime::Runtime;
use crate::stream_client::Conversing;
use crate::subjects::Subjects;
use crate::{claim_check, inventory_publisher, stream_server};
use weft_ingress::ForwardedRequests;
use weft_ingress::forwarded::FindHandler;
use weft_link::{CallServer, Hosts};
use weft_telemetry::events::Events;

/// How to reach a lattice.
#[derive(Debug, Clone)]
pub struct MeshConfig {
    /// Its name: hosts of other lattices on the same servers are not seen.
    pub lattice: String,
    /// What people call this host.
    pub host: String,
    /// Its bus.
    pub nats: NatsOptions,
    /// How the desired state is kept there.
    pub buckets: BucketOptions,
}

/// Why a host cannot take part in a lattice.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// The lattice's name is none.
    #[error("the lattice cannot have this name")]
    Lattice(#[source] SubjectError),
    /// The options of the bus cannot be used.
    #[error("the bus cannot be used")]
    Bus(#[source] NatsError),
    /// The host's identity cannot be read or kept.
    #[error("the host's identity in `{path}` cannot be used")]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The buckets cannot be named.
    #[error("the buckets of the lattice cannot be used")]
    Desired(#[source] StoreError),
    /// The host's own copy of the desired state cannot be read.
    #[error("the host's copy of the desired state cannot be used")]
    Copy(#[source] CopyError),
    /// The host's id is none for placement.
    #[error("the host's id cannot be used")]
    HostId(#[source] NameError),
    /// What the host is to say of itself cannot be said.
    #[error("the host cannot say of itself what it was given: {0}")]
    Contents(String),
}

/// This host's place in the lattice, before it takes part.
pub struct Mesh {
    bus: Bus,
    subjects: Subjects,
    me: HostId,
    incarnation: u64,
    members: Members,
    contents: watch::Sender<Contents>,
    state: watch::Sender<HostState>,
    about: Contents,
    labels: HostLabels,
    known: watch::Receiver<Arc<Known>>,
    large: Large,
    lines: Lines,
    buckets: BucketOptions,
    tasks: TaskTracker,
    events: Events,
}

/// A host that takes part.
#[derive(Clone)]
pub struct Joined {
    pub lattice: Arc<str>,
    pub me: HostId,
    pub known: watch::Receiver<Arc<Known>>,
    /// What is wanted, as far as this host has heard.
    pub(crate) followed: watch::Receiver<Arc<DesiredReplica>>,
    pub(crate) local_stores: Arc<BTreeSet<String>>,
    pub(crate) deploying: Deploying,
    pub(crate) state: Arc<watch::Sender<HostState>>,
    pub(crate) stop: CancellationToken,
    /// Cancelled once the host has said that it left.
    pub(crate) left: CancellationToken,
    pub(crate) bus: Bus,
}

/// What takes part in the lattice.
pub struct Parts {
    pub controller: Controller,
    pub server: Arc<dyn CallServer>,
    pub artifacts: Artifacts,
    /// Where the host keeps its copy of the desired state.
    pub store: Arc<Store>,
    pub runtime: Arc<dyn Runtime>,
    /// Finds the component of a forwarded request.
    pub find_handler: FindHandler,
    /// The types of providers that keep what they store on the host that runs them.
    pub local_stores: Arc<BTreeSet<String>>,
    /// How many calls and requests the host has room for.
    pub calls_max: u32,
}

/// Where the host keeps its identity.
pub struct Files {
    pub key: PathBuf,
    pub life: PathBuf,
}

impl Mesh {
    /// Prepares a host to join. The bus need not be there yet.
    ///
    /// # Errors
    /// A [`MeshError`] if something about it will never work.
    pub async fn prepare(
        config: &MeshConfig,
        files: &Files,
        labels: &HostLabels,
        events: &Events,
        tasks: TaskTracker,
    ) -> Result<Self, MeshError> {
        let scope = Scope::new(&config.lattice).map_err(MeshError::Lattice)?;
        let unusable = |path: &PathBuf| {
            let path = path.clone();
            move |source| MeshError::Identity { path, source }
        };
        let identity = crate::identity::Identity::open(&files.key).map_err(unusable(&files.key))?;
        let incarnation =
            crate::identity::begin_life(&files.life).map_err(unusable(&files.life))?;
        let me = identity.host_id();
        let unsaid = |error: &dyn std::error::Error| MeshError::Contents(error.to_string());
        let about = Contents {
            name: config.host.clone(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            labels: labels.current(),
            ..Contents::default()
        };
        let subjects = Subjects::new(&scope, me).map_err(MeshError::Lattice)?;
        let bus = nats::connect(scope, &config.nats);
        let bus = bus.await.map_err(MeshError::Bus)?;
        let identity = Identity {
            lattice: config.lattice.clone(),
            host: me,
            incarnation,
        };
        let membership =
            Membership::new(identity, about.clone()).map_err(|error| unsaid(&error))?;
        let contents = watch::Sender::new(about.clone());
        let state = watch::Sender::new(HostState::Joining);
        let said = Said {
            contents: contents.subscribe(),
            state: state.subscribe(),
            load: Box::new(Load::default),
        };
        let members = Members::new(
            membership,
            bus.clone(),
            subjects.clone(),
            said,
            events.clone(),
        );
        let lines = Lines::new(bus.lane(Lane::Calls), subjects.clone(), tasks.clone());
        Ok(Self {
            me,
            incarnation,
            lines,
            buckets: config.buckets,
            known: members.known(),
            large: Large::new(bus.lane(Lane::Calls), subjects.clone(), me),
            members,
            contents,
            state,
            about,
            labels: labels.clone(),
            bus,
            subjects,
            tasks,
            events: events.clone(),
        })
    }

    /// The way of links to other hosts.
    pub fn hosts(&self) -> Arc<dyn Hosts> {
        let bus = self.bus.lane(Lane::Calls);
        let ways = Ways::new(self.members.table(), bus.status(), self.members.clock());
        let conversing = Conversing {
            lines: self.lines.clone(),
            ways: ways.clone(),
            known: self.known.clone(),
        };
        Arc::new(Asking {
            conversing,
            bus,
            subjects: self.subjects.clone(),
            ways,
            known: self.known.clone(),
            large: self.large.clone(),
            tasks: self.tasks.clone(),
        })
    }

    /// Answers the calls of others, hands out what is too large for a message, and asks those that did not
    /// answer whether they do now.
    async fn serve_calls(
        &mut self,
        server: Arc<dyn CallServer>,
        find: FindHandler,
        stop: &CancellationToken,
    ) {
        let bus = self.bus.lane(Lane::Calls);
        let fetches = bus.subscribe(&self.subjects.held).await;
        let (keeper, refusals) = (self.large.keeper.clone(), server.rejected().clone());
        let keeping = claim_check::serve(fetches, bus.clone(), keeper, refusals);
        self.tasks.spawn(keeping);
        let calls = bus.subscribe(&self.subjects.calls).await;
        let answering = Answering {
            bus: bus.clone(),
            server: server.clone(),
            large: self.large.clone(),
            tasks: self.tasks.clone(),
        };
        self.tasks.spawn(answering.run(calls, stop.clone()));
        self.tasks.spawn(self.lines.serve(
            bus.subscribe(&self.subjects.lines).await,
            stream_server::Answering {
                server: server.clone(),
                http: ForwardedRequests {
                    find,
                    tasks: self.tasks.clone(),
                },
                bus: bus.clone(),
            },
            stop.clone(),
        ));
        let probing = Probing {
            bus,
            subjects: self.subjects.clone(),
            clock: self.members.clock(),
            tasks: self.tasks.clone(),
        };
        let probes = self.members.probes();
        self.tasks.spawn(probing.run(probes, stop.clone()));
    }

    /// Takes part: is heard, hears others, and answers calls.
    ///
    /// # Errors
    /// A [`MeshError`] if something about it will never work.
    pub async fn join(mut self, parts: Parts) -> Result<Joined, MeshError> {
        let control = self.bus.lane(Lane::Control);
        let desired = Desired::open(&control, &self.buckets).map_err(MeshError::Desired)?;
        let stop = CancellationToken::new();
        let (controller, artifacts) = (parts.controller.clone(), parts.artifacts.clone());
        let snapshots: watch::Receiver<Arc<Snapshot>> = controller.watch();
        let (measured, calls_max) = (snapshots.clone(), parts.calls_max);
        self.members.measure(move || Load {
            running: u32::try_from(measured.borrow().in_flight()).unwrap_or(u32::MAX),
            limit: calls_max,
        });
        self.serve_calls(parts.server.clone(), parts.find_handler.clone(), &stop)
            .await;
        let local_stores = parts.local_stores.clone();
        let Heard { copy, troubles } = self.follow(parts, desired.clone(), &stop).await?;
        let telling = inventory_publisher::tell(
            snapshots,
            self.labels.watch(),
            troubles,
            self.about,
            self.contents,
            stop.clone(),
        );
        self.tasks.spawn(telling);
        let left = CancellationToken::new();
        let taking_part = {
            let (stop, left) = (stop.clone(), left.clone());
            async move {
                let _left = left.drop_guard();
                self.members.run(stop).await;
            }
        };
        self.tasks.spawn(taking_part);
        self.state.send_replace(HostState::Ready);
        Ok(Joined {
            lattice: self.bus.scope().lattice().into(),
            me: self.me,
            known: self.known,
            followed: copy.clone(),
            local_stores,
            deploying: Deploying {
                desired,
                controller,
                artifacts,
                copy,
            },
            state: Arc::new(self.state),
            stop,
            left,
            bus: self.bus,
        })
    }
}

impl Joined {
    /// Makes `app` what the lattice wants.
    ///
    /// # Errors
    /// Any [`DeployError`]; nothing is changed then.
    pub async fn deploy(&self, app: App) -> Result<Deployment, DeployError> {
        self.deploying.deploy(app).await
    }

    /// Removes an app from what the lattice wants, and answers the revision of that.
    ///
    /// # Errors
    /// Any [`DeployError`]; nothing is changed then.
    pub async fn undeploy(&self, app: AppName) -> Result<u64, DeployError> {
        self.deploying.undeploy(app).await
    }

    /// Says that this host has left, and ends what takes part.
    pub async fn leave(&self) {
        self.stop.cancel();
        // The last heartbeat says it; others find out by themselves if it is not heard.
        self.left.cancelled().await;
        self.bus.close().await;
    }
}

/// How many records of peers wait to be taken; whoever asked for them waits too.
const LEARNED_WAITING_MAX: usize = 64;

/// What the tasks that follow the desired state tell.
pub(crate) struct Heard {
    pub(crate) copy: watch::Receiver<Arc<DesiredReplica>>,
    pub(crate) troubles: watch::Receiver<BTreeSet<HostCondition>>,
}

impl Mesh {
    /// Starts the tasks that make what is wanted what runs here.
    pub async fn follow(
        &self,
        parts: Parts,
        desired: Desired,
        stop: &CancellationToken,
    ) -> Result<Heard, MeshError> {
        let me: placement::HostId = self.me.to_string().parse().map_err(MeshError::HostId)?;
        let (kept, copy) = Kept::read(parts.store).map_err(MeshError::Copy)?;
        let told = Told {
            copy: watch::Sender::new(Arc::new(copy.clone())),
            store_away: watch::Sender::new(false),
            wanted: watch::Sender::default(),
            troubles: watch::Sender::default(),
        };
        let heard = Heard {
            copy: told.copy.subscribe(),
            troubles: told.troubles.subscribe(),
        };
        let asker = Asker {
            bus: self.bus.lane(Lane::Calls),
            subjects: self.subjects.clone(),
            me: self.me,
            incarnation: self.incarnation,
            sequence: Arc::default(),
        };
        let (learned, to_learn) = mpsc::channel(LEARNED_WAITING_MAX);
        let here = watch::Sender::<Here>::default();
        let answerer = Answerer {
            asker: asker.clone(),
            artifacts: parts.artifacts.clone(),
            copy: told.copy.subscribe(),
            tasks: self.tasks.clone(),
        };
        let learning = Learning {
            asker: asker.clone(),
            known: self.known.clone(),
            copy: told.copy.subscribe(),
            store_away: told.store_away.subscribe(),
            learned,
        };
        let ahead = Ahead {
            me: me.clone(),
            known: self.known.clone(),
            copy: told.copy.subscribe(),
            here: here.subscribe(),
            controller: parts.controller.clone(),
            runtime: parts.runtime,
            artifacts: parts.artifacts.clone(),
            local_stores: parts.local_stores.clone(),
        };
        let following = Following::new(reconciler::Parts {
            records: desired.records,
            known: self.known.clone(),
            me,
            controller: parts.controller,
            kept,
            copy,
            local_stores: parts.local_stores,
            events: self.events.clone(),
            learned: to_learn,
            here: here.subscribe(),
            told,
        });
        let fetching = Fetching {
            objects: desired.objects,
            artifacts: parts.artifacts,
            known: self.known.clone(),
            store_away: learning.store_away.clone(),
            wanted: following.wanted_bytes(),
            asker,
            here,
        };
        let questions = self.bus.lane(Lane::Calls);
        let questions = questions.subscribe(&self.subjects.questions).await;
        self.tasks.spawn(answerer.run(questions, stop.clone()));
        self.tasks.spawn(learning.run(stop.clone()));
        self.tasks.spawn(fetching.run(stop.clone()));
        self.tasks.spawn(ahead.run(stop.clone()));
        self.tasks.spawn(following.run(stop.clone()));
        Ok(heard)
    }
}

/// A seed that differs from use to use. Without the system's randomness, choices are spread a little worse.
pub(crate) fn random_seed() -> u64 {
    let mut seed = [0; 8];
    let _ = getrandom::fill(&mut seed);
    u64::from_le_bytes(seed)
}
