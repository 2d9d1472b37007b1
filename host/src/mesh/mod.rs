//! This host as one of a lattice of many ([ADR 8](../../../docs/adr/0008-one-lattice-of-many-hosts.md)).
//!
//! - [`identity`]: the host's key, and which of its lives this is.
//! - [`subjects`]: who speaks where on the bus.
//! - [`members`]: the task that knows who else there is.
//! - [`answering`], [`asking`]: calls from and to other hosts; [`large`] has what is larger than a message.
//! - [`ways`]: where calls go, and the wait for a host when everyone was lost.
//! - [`lines`], [`conversing`]: calls with streams, and requests from outside, from and to other hosts.
//! - [`gone`], [`replays`], [`probing`]: hosts that went, messages that came again, hosts that may be back.
//! - [`desired`], [`deploying`]: the lattice's desired state, and changes of it; [`kept`], what of it is on disk.
//! - [`following`]: the task that makes this host's share of it what runs here; [`share`] says what that is.
//! - [`fetching`]: the task that gets the bytes of components; [`ahead`]: the one that compiles ahead.
//! - [`peers`], [`learning`]: other hosts as a source of all that, where the stores are away.
//! - [`inventory`]: what this host says that it has.
//! - [`picture`], [`operating`]: what an operator is told of it all, and wants of this host.
//! - [`telling`]: what is told of changes, in the log and as events.
//! - [`starting`]: how these tasks are joined.
//! - [`clock`]: its own time.

mod ahead;
mod answering;
mod asking;
mod clock;
mod conversing;
mod deploying;
mod desired;
mod fetching;
mod following;
mod gone;
mod identity;
mod inventory;
mod kept;
mod large;
mod learning;
mod lines;
mod members;
mod operating;
mod peers;
mod picture;
mod probing;
mod replays;
#[cfg(test)]
mod rig;
mod share;
mod starting;
mod subjects;
mod telling;
mod ways;

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

use self::answering::Answering;
use self::asking::Asking;
use self::conversing::Conversing;
pub(crate) use self::deploying::ChangeError;
use self::deploying::Deploying;
use self::desired::Desired;
pub(crate) use self::inventory::holdings;
use self::large::Large;
use self::lines::Lines;
pub(crate) use self::members::Known;
use self::members::{Members, Said};
pub(crate) use self::picture::Picture;
use self::probing::Probing;
use self::starting::Heard;
use self::subjects::Subjects;
pub(crate) use self::telling::why as why_held;
use self::ways::Ways;
use crate::controller::{Builder, Controller, DeployError, Deployment, Snapshot};
use crate::events::Events;
use crate::ingress;
use crate::labels::HostLabels;
use crate::links::wire::{Hosts, Server};

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
pub(crate) struct Mesh {
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
pub(crate) struct Joined {
    pub(crate) lattice: Arc<str>,
    pub(crate) me: HostId,
    pub(crate) known: watch::Receiver<Arc<Known>>,
    /// What is wanted, as far as this host has heard.
    followed: watch::Receiver<Arc<DesiredReplica>>,
    local_stores: Arc<BTreeSet<String>>,
    deploying: Deploying,
    state: Arc<watch::Sender<HostState>>,
    stop: CancellationToken,
    /// Cancelled once the host has said that it left.
    left: CancellationToken,
    bus: Bus,
}

/// What takes part in the lattice.
pub(crate) struct Parts {
    pub(crate) controller: Controller,
    pub(crate) server: Arc<Server>,
    pub(crate) artifacts: Artifacts,
    /// Where the host keeps its copy of the desired state.
    pub(crate) store: Arc<Store>,
    pub(crate) builder: Builder,
    /// The types of providers that keep what they store on the host that runs them.
    pub(crate) local_stores: Arc<BTreeSet<String>>,
    /// How many calls and requests the host has room for.
    pub(crate) calls_max: u32,
}

/// Where the host keeps its identity.
pub(crate) struct Files {
    pub(crate) key: PathBuf,
    pub(crate) life: PathBuf,
}

impl Mesh {
    /// Prepares a host to join. The bus need not be there yet.
    ///
    /// # Errors
    /// A [`MeshError`] if something about it will never work.
    pub(crate) async fn prepare(
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
        let identity = identity::Identity::open(&files.key).map_err(unusable(&files.key))?;
        let incarnation = identity::begin_life(&files.life).map_err(unusable(&files.life))?;
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
    pub(crate) fn hosts(&self) -> Arc<dyn Hosts> {
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
    async fn serve_calls(&mut self, server: Arc<Server>, stop: &CancellationToken) {
        let bus = self.bus.lane(Lane::Calls);
        let fetches = bus.subscribe(&self.subjects.held).await;
        let (keeper, refusals) = (self.large.keeper.clone(), server.refusals().clone());
        let keeping = large::serve(fetches, bus.clone(), keeper, refusals);
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
            conversing::Answering {
                server: server.clone(),
                http: ingress::Answering {
                    server: server.clone(),
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
    pub(crate) async fn join(mut self, parts: Parts) -> Result<Joined, MeshError> {
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
        self.serve_calls(parts.server.clone(), &stop).await;
        let local_stores = parts.local_stores.clone();
        let Heard { copy, troubles } = self.follow(parts, desired.clone(), &stop).await?;
        let telling = inventory::tell(
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
    pub(crate) async fn deploy(&self, app: App) -> Result<Deployment, DeployError> {
        self.deploying.deploy(app).await
    }

    /// Removes an app from what the lattice wants, and answers the revision of that.
    ///
    /// # Errors
    /// Any [`DeployError`]; nothing is changed then.
    pub(crate) async fn undeploy(&self, app: AppName) -> Result<u64, DeployError> {
        self.deploying.undeploy(app).await
    }

    /// Says that this host has left, and ends what takes part.
    pub(crate) async fn leave(&self) {
        self.stop.cancel();
        // The last heartbeat says it; others find out by themselves if it is not heard.
        self.left.cancelled().await;
        self.bus.close().await;
    }
}

/// A seed that differs from use to use. Without the system's randomness, choices are spread a little worse.
fn random_seed() -> u64 {
    let mut seed = [0; 8];
    let _ = getrandom::fill(&mut seed);
    u64::from_le_bytes(seed)
}
