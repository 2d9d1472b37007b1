//! Hosts: their durable state, and the process that runs them. A process is a whole host of
//! `weft-node`; only its components are simulated.

mod components;
mod watcher;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use weft_bus::local::LocalNetwork;
use weft_bus::{Bus, Scope};
use weft_link::Hosts;
use weft_membership::Identity;
use weft_node::controller::{self, Controller};
use weft_node::{Environment, Gate, HostLabels, HostTasks, Joined, Mesh, Parts};
use weft_provider::Registry;
use weft_state::artifacts::Artifacts;
use weft_state::buckets::BucketOptions;
use weft_state::store::Store;
use weft_telemetry::events::Events;

use self::components::{Components, SimulatedRuntime};
use crate::mutations::Mutation;
use crate::network::host_name;
use crate::rng::{Purpose, Rng};
use crate::shared::Shared;

/// The time of the start of a world by the most retarded wall clock, in milliseconds since the Unix
/// epoch.
const WALL_CLOCK_START_MS: u64 = 1_700_000_000_000;

/// The longest wait of a drained host for its components to be ready elsewhere.
const HAND_OVER_MAX: Duration = Duration::from_secs(5);

/// A host.
pub(crate) struct Host {
    /// Its database.
    pub(crate) store: Arc<Store>,
    /// Number of starts.
    pub(crate) lives: u64,
    pub(crate) process: Option<Process>,
    /// True if the process reaches the bus.
    pub(crate) is_connected: bool,
    /// True after a drain, until the fault ends.
    pub(crate) has_left: bool,
}

/// A process that runs a host.
pub(crate) struct Process {
    pub(crate) life: u64,
    pub(crate) joined: Joined,
    pub(crate) controller: Controller,
    /// The transport of its calls.
    pub(crate) hosts: Arc<dyn Hosts>,
    pub(crate) tasks: HostTasks,
    bus: Bus,
    gate: Arc<Gate>,
    /// The time at which it hung, while it hangs.
    pub(crate) hung_since: Option<Duration>,
    drain: Option<AbortHandle>,
    watcher: AbortHandle,
}

/// The surroundings of all hosts.
pub(crate) struct Site<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) network: &'a LocalNetwork,
    pub(crate) scope: &'a Scope,
    pub(crate) artifacts: &'a Artifacts,
    /// Owns the tasks that check hosts.
    pub(crate) watchers: &'a TaskTracker,
    /// A directory in which nothing is written.
    pub(crate) directory: &'a Path,
    pub(crate) seed: u64,
}

impl Host {
    /// A host with an empty disk.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            store: Arc::new(Store::in_memory()?),
            lives: 0,
            process: None,
            is_connected: false,
            has_left: false,
        })
    }

    /// Starts a process.
    pub(crate) async fn start(
        &mut self,
        number: usize,
        is_connected: bool,
        site: &Site<'_>,
    ) -> anyhow::Result<()> {
        self.lives += 1;
        let shared = site.shared;
        shared.trace(&format!("{number} starts life {}", self.lives));
        if shared.options.mutation == Some(Mutation::ForgetsDisk) {
            self.store = Arc::new(Store::in_memory()?);
        }
        let now = shared.now();
        {
            let truth = &mut shared.state().truths[number];
            truth.begin(now);
            if is_connected {
                (truth.connected_at, truth.was_connected) = (Some(now), true);
            }
        }
        let bus = site.network.join(&host_name(number), site.scope);
        if !is_connected {
            site.network.disconnect(&host_name(number));
        }
        self.is_connected = is_connected;
        self.process = Some(self.process(number, bus, site).await?);
        Ok(())
    }

    async fn process(&self, number: usize, bus: Bus, site: &Site<'_>) -> anyhow::Result<Process> {
        let (shared, life) = (site.shared, self.lives);
        let gate = Arc::new(Gate::default());
        let tasks = HostTasks::with_gate(gate.clone());
        let rng = Rng::of_host(site.seed, Purpose::Hosts, number, life);
        let mesh = mesh(number, life, bus.clone(), &tasks, site)?;
        let hosts = mesh.hosts();
        let components = Arc::new(Components::new(shared.clone(), number));
        let runtime = Arc::new(SimulatedRuntime::new(shared.clone(), number, rng));
        let parts = controller::Parts {
            runtime: runtime.clone(),
            server: components.clone(),
            hosts: Some(hosts.clone()),
            registry: Registry::default(),
            providers_directory: site.directory.to_owned(),
            events: Events::new(),
        };
        let controller = Controller::start(parts, &tasks);
        components.serve(controller.clone());
        let parts = Parts {
            controller: controller.clone(),
            server: components,
            artifacts: site.artifacts.clone(),
            store: self.store.clone(),
            runtime,
            find_handler: Arc::new(|_, _| None),
            local_stores: Arc::new(BTreeSet::new()),
            calls_max: shared.scenario.sites[number].limit,
        };
        let joined = mesh.join(parts).await?;
        let watcher = watcher::watch(shared.clone(), number, joined.clone(), controller.clone());
        Ok(Process {
            life,
            joined,
            controller,
            hosts,
            tasks,
            bus,
            gate,
            hung_since: None,
            drain: None,
            watcher: site.watchers.spawn(watcher).abort_handle(),
        })
    }

    /// Ends the process at once, as `kill -9` does.
    pub(crate) fn end(&mut self) {
        self.is_connected = false;
        if let Some(process) = self.process.take() {
            // In memory, the bus closes at once. The tasks stay suspended until the world ends.
            let _ = process.bus.close().now_or_never();
            process.gate.close();
            process.watcher.abort();
        }
    }
}

impl Process {
    pub(crate) fn suspend(&mut self, now: Duration) {
        self.hung_since = Some(now);
        self.gate.close();
    }

    pub(crate) fn resume(&mut self) {
        self.hung_since = None;
        self.gate.open();
    }

    /// Hands over the components of the host, then leaves.
    pub(crate) fn drain(&mut self, number: usize, shared: &Arc<Shared>) {
        if self.drain.is_some() {
            return;
        }
        shared.trace(&format!("{number} drains"));
        let (joined, shared, life) = (self.joined.clone(), shared.clone(), self.life);
        let drain = self.tasks.spawn(async move {
            joined.drain();
            joined.hand_over(HAND_OVER_MAX).await;
            joined.leave().await;
            shared.state().left.push((number, life));
        });
        self.drain = Some(drain.abort_handle());
    }

    /// Ends a drain that is not complete.
    pub(crate) fn end_drain(&mut self) {
        if let Some(drain) = self.drain.take() {
            drain.abort();
            self.joined.end_drain();
        }
    }
}

/// A host that is prepared to join.
fn mesh(
    number: usize,
    life: u64,
    bus: Bus,
    tasks: &HostTasks,
    site: &Site<'_>,
) -> anyhow::Result<Mesh> {
    let shared = site.shared;
    let spec = &shared.scenario.sites[number];
    let identity = Identity {
        lattice: site.scope.lattice().to_owned(),
        host: spec.id,
        incarnation: life,
    };
    let mut labels: BTreeMap<String, String> = spec.labels.clone();
    if shared.options.mutation == Some(Mutation::PublishesWrongLabels) {
        labels.insert("disk".to_owned(), "ssd".to_owned());
    }
    let labels = HostLabels::open(site.directory.join("labels"), &labels)?;
    let buckets = BucketOptions::default();
    let mesh = Mesh::over_bus(
        bus,
        identity,
        &host_name(number),
        buckets,
        &labels,
        &Events::new(),
        tasks.clone(),
    );
    let mesh = mesh.context("the scenario's hosts are valid")?;
    let seeds = Mutex::new(Rng::of_host(site.seed, Purpose::Choices, number, life));
    let seed = move || {
        let mut seeds = seeds.lock().unwrap_or_else(PoisonError::into_inner);
        seeds.next_u64()
    };
    let (clock, ahead) = (Arc::downgrade(shared), spec.wall_ahead_ms);
    let now_ms = move || {
        let elapsed = clock.upgrade().map_or(Duration::ZERO, |world| world.now());
        WALL_CLOCK_START_MS + ahead + elapsed.as_millis() as u64
    };
    let mesh = mesh.with_environment(Environment::new(seed, now_ms));
    Ok(mesh.with_capacity(spec.capacity))
}
