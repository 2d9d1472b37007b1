//! Hosts: their durable state, and the process that runs them. A process is a whole host of
//! `weft-node`; only its components are simulated.

mod components;
mod watcher;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use weft_bus::local::LocalNetwork;
use weft_bus::{Bus, Scope};
use weft_lattice_config::AppName;
use weft_link::Hosts;
use weft_membership::Identity;
use weft_node::controller::{self, Controller};
use weft_node::{Environment, Gate, HostLabels, HostTasks, Joined, Mesh, Parts};
use weft_provider::Registry;
use weft_state::artifacts::Artifacts;
use weft_state::buckets::BucketOptions;
use weft_state::store::{Record, Store};
use weft_telemetry::events::Events;

use self::components::{Components, SimulatedRuntime};
use crate::mutations::Mutation;
use crate::network::{host_name, twin_name};
use crate::rng::{Purpose, Rng};
use crate::shared::Shared;

/// The time of the start of a world by the most retarded wall clock, in milliseconds since the Unix
/// epoch.
const WALL_CLOCK_START_MS: u64 = 1_700_000_000_000;

/// The most that the wall clock of a process is ahead of its host's: at a restart it may go back.
const WALL_CLOCK_STEP_MAX_MS: u64 = 600_000;

/// The longest wait of a drained host for its components to be ready elsewhere.
const HAND_OVER_MAX: Duration = Duration::from_secs(5);

/// A host.
pub(crate) struct Host {
    pub(crate) disk: Disk,
    /// Number of starts, also of second processes.
    starts: u64,
    pub(crate) process: Option<Process>,
    /// A second process with the identity of the host, on a copy of its disk.
    pub(crate) twin: Option<Process>,
    /// True if the process reaches the bus.
    pub(crate) is_connected: bool,
    /// True after a drain, until the fault ends.
    pub(crate) has_left: bool,
}

/// The disk of a host. Clones share it.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) store: Arc<Store>,
    /// The last incarnation.
    pub(crate) incarnation: Arc<AtomicU64>,
}

/// A copy of a disk.
pub(crate) struct Backup {
    pub(crate) records: Vec<(AppName, Arc<Record>)>,
    pub(crate) incarnation: u64,
}

/// A process that runs a host.
pub(crate) struct Process {
    /// The number of the start.
    pub(crate) start: u64,
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
    /// The tasks outside of the process that observe it.
    observers: Vec<AbortHandle>,
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
            disk: Disk::new()?,
            starts: 0,
            process: None,
            twin: None,
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
        let shared = site.shared;
        let incarnation = self.disk.incarnation.fetch_add(1, Ordering::Relaxed) + 1;
        shared.trace(&format!("{number} starts incarnation {incarnation}"));
        if shared.options.mutation == Some(Mutation::ForgetsDisk) {
            self.disk.store = Arc::new(Store::in_memory()?);
        }
        let now = shared.now();
        {
            let truth = &mut shared.state().truths[number];
            truth.begin(now);
            if is_connected {
                (truth.connected_at, truth.first_connected_at) = (Some(now), Some(now));
            }
        }
        let bus = site.network.join(&host_name(number), site.scope);
        if !is_connected {
            site.network.disconnect(&host_name(number));
        }
        self.is_connected = is_connected;
        let disk = self.disk.clone();
        let mut process = self.process(number, bus, &disk, site).await?;
        let (joined, controller) = (process.joined.clone(), process.controller.clone());
        let watcher = watcher::watch(shared.clone(), number, joined, controller);
        let watcher = site.watchers.spawn(watcher).abort_handle();
        process.observers.push(watcher);
        self.process = Some(process);
        Ok(())
    }

    /// Starts a second process on a copy of the disk, with a later or an earlier incarnation.
    pub(crate) async fn start_twin(
        &mut self,
        number: usize,
        is_later: bool,
        site: &Site<'_>,
    ) -> anyhow::Result<()> {
        let backup = self.disk.backup()?;
        let own = backup.incarnation;
        let incarnation = match (site.shared.options.mutation, is_later) {
            (Some(Mutation::SharesIncarnation), _) => own,
            (_, true) => own + 1,
            // No process has the incarnation before the first.
            (_, false) if own > 1 => own - 1,
            (_, false) => own + 1,
        };
        let shared = site.shared;
        shared.trace(&format!(
            "{number} has a second process of incarnation {incarnation}"
        ));
        let disk = Disk::new()?;
        disk.restore(&Backup {
            incarnation,
            ..backup
        })?;
        let bus = site.network.join(&twin_name(number), site.scope);
        self.twin = Some(self.process(number, bus, &disk, site).await?);
        Ok(())
    }

    async fn process(
        &mut self,
        number: usize,
        bus: Bus,
        disk: &Disk,
        site: &Site<'_>,
    ) -> anyhow::Result<Process> {
        self.starts += 1;
        let (shared, start) = (site.shared, self.starts);
        let gate = Arc::new(Gate::default());
        let tasks = HostTasks::with_gate(gate.clone());
        let rng = Rng::of_host(site.seed, Purpose::Hosts, number, start);
        let mesh = mesh(number, start, bus.clone(), &tasks, disk, site)?;
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
            store: disk.store.clone(),
            runtime,
            find_handler: Arc::new(|_, _| None),
            local_stores: Arc::new(BTreeSet::new()),
            calls_max: shared.scenario.sites[number].limit,
        };
        let joined = mesh.join(parts).await?;
        let superseded = {
            let (joined, shared) = (joined.clone(), shared.clone());
            async move {
                joined.superseded().await;
                shared.state().superseded.push((number, start));
            }
        };
        Ok(Process {
            start,
            joined,
            controller,
            hosts,
            tasks,
            bus,
            gate,
            hung_since: None,
            drain: None,
            observers: vec![site.watchers.spawn(superseded).abort_handle()],
        })
    }

    /// Ends the process at once, as `kill -9` does.
    pub(crate) fn end(&mut self) {
        self.is_connected = false;
        if let Some(process) = self.process.take() {
            process.end();
        }
    }

    /// Ends the second process.
    pub(crate) fn end_twin(&mut self) {
        if let Some(twin) = self.twin.take() {
            twin.end();
        }
    }
}

impl Disk {
    /// The empty disk of a host that never started.
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            store: Arc::new(Store::in_memory()?),
            incarnation: Arc::default(),
        })
    }

    /// Copies the content.
    pub(crate) fn backup(&self) -> anyhow::Result<Backup> {
        let records = self.store.all()?.into_iter();
        Ok(Backup {
            records: records
                .map(|(app, record)| (app, Arc::new(record)))
                .collect(),
            incarnation: self.incarnation.load(Ordering::Relaxed),
        })
    }

    /// Writes a copy to this empty disk.
    fn restore(&self, backup: &Backup) -> anyhow::Result<()> {
        self.store.keep(&backup.records, &[])?;
        self.incarnation
            .store(backup.incarnation, Ordering::Relaxed);
        Ok(())
    }

    /// A new disk with the content of a backup.
    pub(crate) fn restored(backup: &Backup) -> anyhow::Result<Self> {
        let disk = Self::new()?;
        disk.restore(backup)?;
        Ok(disk)
    }
}

impl Process {
    fn end(self) {
        // In memory, the bus closes at once. The tasks stay suspended until the world ends.
        let _ = self.bus.close().now_or_never();
        self.gate.close();
        self.observers.iter().for_each(AbortHandle::abort);
    }

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
        let (joined, shared, start) = (self.joined.clone(), shared.clone(), self.start);
        let drain = self.tasks.spawn(async move {
            joined.drain();
            joined.hand_over(HAND_OVER_MAX).await;
            joined.leave().await;
            shared.state().left.push((number, start));
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
    start: u64,
    bus: Bus,
    tasks: &HostTasks,
    disk: &Disk,
    site: &Site<'_>,
) -> anyhow::Result<Mesh> {
    let shared = site.shared;
    let spec = &shared.scenario.sites[number];
    let identity = Identity {
        lattice: site.scope.lattice().to_owned(),
        host: spec.id,
        incarnation: disk.incarnation.load(Ordering::Relaxed),
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
    let mut choices = Rng::of_host(site.seed, Purpose::Choices, number, start);
    let ahead = spec.wall_ahead_ms + choices.next_u64() % WALL_CLOCK_STEP_MAX_MS;
    let seeds = Mutex::new(choices);
    let seed = move || {
        let mut seeds = seeds.lock().unwrap_or_else(PoisonError::into_inner);
        seeds.next_u64()
    };
    let clock = Arc::downgrade(shared);
    let now_ms = move || {
        let elapsed = clock.upgrade().map_or(Duration::ZERO, |world| world.now());
        WALL_CLOCK_START_MS + ahead + elapsed.as_millis() as u64
    };
    let stored = disk.incarnation.clone();
    let mesh = mesh.with_environment(Environment::new(seed, now_ms));
    let mesh = mesh.with_stored_incarnation(Arc::new(move |incarnation| {
        stored.store(incarnation, Ordering::Relaxed);
        Ok(())
    }));
    Ok(mesh.with_capacity(spec.capacity))
}
