//! One world: the hosts, the network between them, and the events that happen to them.

mod calls;
mod changes;
mod convergence;
mod faults;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use tokio::time::sleep_until;
use tokio_util::task::TaskTracker;
use weft_bus::local::{JetStreamContent, LocalNetwork, LocalOptions};
use weft_bus::{Message, Scope};
use weft_lattice_config::Digest;
use weft_membership::message::Message as MembershipMessage;
use weft_state::artifacts::Artifacts;
use weft_state::buckets::BucketOptions;
use weft_state::desired::record_codec::RECORDS;
use weft_state::desired::{Records, Watch};

use crate::history::History;
use crate::host::{Backup, Host, Process, Site};
use crate::invariants::{Checked, Violation};
use crate::mutations::Mutation;
use crate::network::{host_of, identity_of};
use crate::rng::{Purpose, Rng};
use crate::scenario::{Fault, FaultKind, Scenario};
use crate::schedule::{Schedule, WorldEvent};
use crate::shared::Shared;
use crate::trace::TraceDigest;

/// The name of the lattice.
const LATTICE: &str = "simulated";

/// The name under which the world itself joins the network, without faults.
const OBSERVER: &str = "observer";

/// The interval of the checks for convergence after the last fault.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// The interval of the snapshots of the bucket, for faults that bring back an older content.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(3);

/// The options of a world.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most hosts.
    pub hosts_max: usize,
    /// The planted mistake.
    pub mutation: Option<Mutation>,
    /// Keep the lines of the trace.
    pub keeps_trace: bool,
}

impl Default for Options {
    /// As many hosts as the seed gives, without mistakes.
    fn default() -> Self {
        Self {
            hosts_max: crate::scenario::HOSTS_MAX,
            mutation: None,
            keeps_trace: false,
        }
    }
}

/// The outcome of a world.
#[derive(Debug)]
pub struct Outcome {
    /// The seed of the world.
    pub seed: u64,
    /// The violated invariant, if there is one.
    pub violation: Option<Violation>,
    /// The digest of all events.
    pub digest: TraceDigest,
    /// The lines of the trace; empty unless requested.
    pub lines: Vec<String>,
    /// The size of the world.
    pub size: Size,
}

/// The size of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Number of hosts.
    pub hosts: usize,
    /// Number of faults.
    pub faults: usize,
    /// Number of calls.
    pub calls: usize,
    /// Number of messages that arrived.
    pub messages: u64,
    /// The duration, by the world's own clock.
    pub lasted: Duration,
    /// The time from the last fault to convergence.
    pub converged_after: Duration,
}

/// Runs a world until it has converged after the last fault, or an invariant is violated.
///
/// # Errors
/// An error of the operating system, if no runtime or directory can be created.
pub fn run(seed: u64, options: Options) -> Result<Outcome> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true);
    // Of several tasks that wait for the same state, tokio wakes a random one first.
    #[cfg(tokio_unstable)]
    runtime.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    let runtime = runtime.build()?;
    runtime.block_on(async {
        let mut world = World::new(seed, options)?;
        world.run().await?;
        Ok(world.outcome())
    })
}

/// The start of a process.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// The process of a host.
    Host { is_connected: bool },
    /// A second process of its identity, with a later or an earlier incarnation.
    Twin { is_later: bool },
}

struct World {
    seed: u64,
    shared: Arc<Shared>,
    schedule: Schedule,
    network: LocalNetwork,
    scope: Scope,
    hosts: Vec<Host>,
    artifacts: Artifacts,
    watchers: TaskTracker,
    directory: TempDir,
    /// The records of the bucket, which the world always reaches.
    records: Records,
    watch: Watch,
    /// Snapshots of the bucket, the oldest first.
    snapshots: Vec<JetStreamContent>,
    /// The time of the last change of faults.
    faults_changed_at: Option<Duration>,
    /// Backups of the disks, the oldest first; by host.
    backups: Vec<Vec<Backup>>,
    /// The time from which the bucket is available again, by host.
    bucket_returns_at: Vec<Duration>,
    history: Arc<Mutex<History>>,
    fault_rng: Rng,
    change_rng: Rng,
    is_over: bool,
}

impl World {
    fn new(seed: u64, options: Options) -> Result<Self> {
        let scenario = Scenario::from_seed(seed, options.hosts_max)?;
        let hosts = scenario.sites.iter().map(|_| Host::new());
        let hosts = hosts.collect::<Result<Vec<_>>>()?;
        let shared = Shared::new(seed, options, scenario);
        let mut random = Rng::new(seed, Purpose::Network);
        let network = LocalNetwork::new(LocalOptions {
            random: Box::new(move || random.next_u64()),
            ..LocalOptions::default()
        });
        let observed = shared.clone();
        network.set_delivery_filter(Box::new(move |from, to, message| {
            deliver(&observed, from, to, message)
        }));
        let scope = Scope::new(LATTICE)?;
        let observer = network.join(OBSERVER, &scope);
        let records = Records::open(&observer, RECORDS, &BucketOptions::default())?;
        let directory = tempfile::tempdir()?;
        let artifacts = Artifacts::open(directory.path().join("artifacts"))?;
        artifacts.put(&Digest::of(&[]), &[])?;
        let world = Self {
            seed,
            schedule: Schedule::default(),
            scope,
            artifacts,
            watchers: TaskTracker::new(),
            directory,
            watch: records.watch(),
            records,
            snapshots: Vec::new(),
            faults_changed_at: None,
            backups: hosts.iter().map(|_| Vec::new()).collect(),
            bucket_returns_at: vec![Duration::ZERO; hosts.len()],
            history: Arc::default(),
            fault_rng: Rng::new(seed, Purpose::Faults),
            change_rng: Rng::new(seed, Purpose::Changes),
            is_over: false,
            hosts,
            network,
            shared,
        };
        Ok(world.scheduled())
    }

    /// Schedules the events of the scenario, and traces it.
    fn scheduled(mut self) -> Self {
        let (shared, schedule) = (self.shared.clone(), &mut self.schedule);
        let scenario = &shared.scenario;
        for (number, site) in scenario.sites.iter().enumerate() {
            let (short, labels, capacity) = (site.id.short(), &site.labels, site.capacity);
            shared.trace(&format!(
                "host {number} is {short}: {labels:?}, capacity {capacity:?}"
            ));
            schedule.push(site.starts_at, WorldEvent::FaultsChange);
        }
        for fault in &scenario.faults {
            let (begins, ends, kind) = (fault.begins, fault.ends, &fault.kind);
            shared.trace(&format!("fault from {begins:?} to {ends:?}: {kind:?}"));
            schedule.push(begins, WorldEvent::FaultsChange);
            schedule.push(ends, WorldEvent::FaultsChange);
        }
        schedule.push(scenario.faults_end_at, WorldEvent::FaultsChange);
        for (at, change) in &scenario.changes {
            schedule.push(*at, WorldEvent::Change(change.clone()));
        }
        schedule.push(SNAPSHOT_EVERY, WorldEvent::Snapshot);
        schedule.push(scenario.calls_every, WorldEvent::Call);
        let first_check = scenario.faults_end_at + convergence::FIRST_CHECK_AFTER;
        schedule.push(first_check, WorldEvent::CheckConvergence);
        self
    }

    async fn run(&mut self) -> Result<()> {
        if self.shared.options.mutation == Some(Mutation::NeverRefills) {
            let history = self.history.clone();
            self.network.set_write_filter(Box::new(move |_, _, value| {
                let history = history.lock().unwrap_or_else(PoisonError::into_inner);
                !history.is_known(value)
            }));
        }
        while let Some((due, event)) = self.schedule.pop() {
            let shared = self.shared.clone();
            tokio::select! {
                biased;
                () = shared.failed.notified() => return Ok(()),
                () = sleep_until(shared.instant(due)) => {}
            }
            self.confirm_changes();
            self.end_left();
            self.end_superseded();
            let checked = self.apply(event).await?;
            self.shared.check(checked);
            if self.is_over {
                break;
            }
        }
        Ok(())
    }

    async fn apply(&mut self, event: WorldEvent) -> Result<Checked> {
        match event {
            WorldEvent::FaultsChange => self.change_faults().await?,
            WorldEvent::BucketReturns => self.change_bucket(&self.active_faults()),
            WorldEvent::Change(change) => self.change(change),
            WorldEvent::Call => self.call(),
            WorldEvent::Snapshot => {
                self.snapshots.push(self.network.jetstream_content());
                self.back_up_disks()?;
                let next = self.shared.now() + SNAPSHOT_EVERY;
                self.schedule.push(next, WorldEvent::Snapshot);
            }
            WorldEvent::CheckConvergence => return Ok(self.check_convergence()),
        }
        Ok(Ok(()))
    }

    async fn start(&mut self, host: usize, start: Start) -> Result<()> {
        let site = Site {
            shared: &self.shared,
            network: &self.network,
            scope: &self.scope,
            artifacts: &self.artifacts,
            watchers: &self.watchers,
            directory: self.directory.path(),
            seed: self.seed,
        };
        let entry = &mut self.hosts[host];
        let started = match start {
            Start::Host { is_connected } => entry.start(host, is_connected, &site).await,
            Start::Twin { is_later } => entry.start_twin(host, is_later, &site).await,
        };
        started.with_context(|| format!("host {host} does not start: {start:?}"))
    }

    fn active_faults(&self) -> Vec<FaultKind> {
        let now = self.shared.now();
        let faults = self.shared.scenario.faults.iter();
        let is_active = |fault: &&Fault| fault.begins <= now && now < fault.ends;
        let active = faults.filter(is_active);
        active.map(|fault| fault.kind.clone()).collect()
    }

    fn process(&self, host: usize) -> Option<&Process> {
        self.hosts[host].process.as_ref()
    }

    /// The hosts whose processes run and do not hang.
    fn responsive(&self) -> Vec<usize> {
        let hosts = 0..self.hosts.len();
        let responds = |host: &usize| {
            let process = self.process(*host);
            process.is_some_and(|process| process.hung_since.is_none())
        };
        hosts.filter(responds).collect()
    }

    fn outcome(self) -> Outcome {
        let lasted = self.shared.now();
        let mut state = self.shared.state();
        let violation = state.violation.take();
        if let Some(violation) = &violation {
            let line = format!("VIOLATION {violation}");
            state.trace.line(lasted, &line);
        }
        let scenario = &self.shared.scenario;
        let converged_at = state.converged_at.unwrap_or(scenario.faults_end_at);
        Outcome {
            seed: self.seed,
            violation,
            digest: state.trace.digest(),
            size: Size {
                hosts: self.hosts.len(),
                faults: scenario.faults.len(),
                calls: state.call_log.calls.len(),
                messages: state.deliveries,
                lasted,
                converged_after: converged_at.saturating_sub(scenario.faults_end_at),
            },
            lines: state.trace.take_lines(),
        }
    }
}

/// Records a message that arrives. Returns whether it is delivered.
fn deliver(shared: &Shared, from: &str, to: &str, message: &Message) -> bool {
    let is_lost = shared.options.mutation == Some(Mutation::LosesRefutations)
        && message.subject.names().next().as_deref() == Some("refutations");
    let (Some(from), Some(to)) = (identity_of(from), host_of(to)) else {
        return !is_lost;
    };
    let now = shared.now();
    let state = &mut *shared.state();
    state.deliveries += 1;
    state.trace.numbers(now, &[from as u64, to as u64]);
    let is_membership = message.reply.is_none();
    let decoded = is_membership.then(|| MembershipMessage::decode(&message.payload, LATTICE));
    let is_live = message.subject.names().next().as_deref() == Some("heartbeats");
    let Some(Ok(MembershipMessage::Heartbeat(heartbeat))) = decoded.filter(|_| is_live) else {
        return !is_lost;
    };
    let origin = heartbeat.origin;
    let order = (origin.incarnation, origin.sequence);
    // Five seconds of each ten: longer than a host may be silent.
    let is_window = to == 0 && now.as_secs() % 10 < 5;
    let mutation = shared.options.mutation.filter(|_| is_window);
    if from != to && mutation != Some(Mutation::ForgesHeartbeats) {
        state.truths[to].receive(from, order, now);
    }
    mutation != Some(Mutation::MissesHeartbeats)
}
