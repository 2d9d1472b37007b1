//! One world: hosts, what lies between them, and what happens, one thing after another.

mod calls;
mod convergence;
mod desired;
mod lifecycle;
mod membership;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::runtime::Runtime;
use weft_bus::Scope;
use weft_bus::local::{LocalNetwork, LocalOptions, StoreContent};
use weft_lattice_config::placement;
use weft_membership::HostId;

use crate::call_log::CallLog;
use crate::event_queue::{EventQueue, Payload, ProcessEvent, ProcessId, WorldEvent};
use crate::history::History;
use crate::invariants::{Checked, Violation};
use crate::mutations::Mutation;
use crate::network::{Network, Reachability};
use crate::process::{Host, Process};
use crate::rng::{Purpose, Rng};
use crate::scenario::Scenario;
use crate::trace::{Trace, TraceDigest};

/// The lattice that hosts are of.
const LATTICE: &str = "simulated";

/// How often it is looked at whether all is as it has to be, once nothing is wrong any more.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// How often the store's content is kept, to come back later as an older one.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(3);

/// How a world is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most hosts.
    pub hosts_max: usize,
    /// What hosts do not keep.
    pub mutation: Option<Mutation>,
    /// Whether what happens is kept as lines.
    pub keeps_trace: bool,
}

impl Default for Options {
    /// As many hosts as the seed says, which keep all rules.
    fn default() -> Self {
        Self {
            hosts_max: crate::scenario::HOSTS_MAX,
            mutation: None,
            keeps_trace: false,
        }
    }
}

/// What became of a world.
#[derive(Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The invariant that did not hold, if there is one.
    pub violation: Option<Violation>,
    /// Stands for all that happened.
    pub digest: TraceDigest,
    /// What happened, for people; empty if it was not kept.
    pub lines: Vec<String>,
    /// How large it was.
    pub size: Size,
}

/// How large a world was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many hosts there were.
    pub hosts: usize,
    /// How many faults.
    pub faults: usize,
    /// How many calls were made.
    pub calls: usize,
    /// How many things happened.
    pub events: u64,
    /// How long it took, by its own time.
    pub lasted: Duration,
    /// How long after the last fault all was as it has to be.
    pub converged_after: Duration,
}

/// Lets a world go on until all is as it has to be after the last fault, or an invariant does not hold.
///
/// # Errors
/// If the machine has no room for a runtime.
pub fn run(seed: u64, options: Options) -> std::io::Result<Outcome> {
    let mut world = World::new(seed, options)?;
    let violation = world.run().err();
    if let Some(violation) = &violation {
        world
            .trace
            .line(world.now, &format!("VIOLATION {violation}"));
    }
    Ok(Outcome {
        seed,
        violation,
        digest: world.trace.digest(),
        size: world.size(),
        lines: world.trace.into_lines(),
    })
}

struct World {
    options: Options,
    scenario: Scenario,
    now: Duration,
    events: EventQueue,
    event_count: u64,
    network: Network,
    hosts: Vec<Host>,
    /// What the ids of hosts are to placement.
    names: Vec<placement::HostId>,
    numbers: BTreeMap<HostId, usize>,
    scope: Scope,
    store: LocalNetwork,
    /// Contents of the store, the oldest first.
    snapshots: Vec<StoreContent>,
    call_log: CallLog,
    history: History,
    trace: Trace,
    host_rng: Rng,
    call_rng: Rng,
    change_rng: Rng,
    /// Since when all is as it has to be, after the last fault.
    converged_at: Option<Duration>,
    is_over: bool,
    /// Owns the task of the local network, which has nothing to do: only its stores are used.
    _runtime: Runtime,
}

impl World {
    fn new(seed: u64, options: Options) -> std::io::Result<Self> {
        let scenario = Scenario::from_seed(seed, options.hosts_max);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let store = {
            let _entered = runtime.enter();
            LocalNetwork::new(LocalOptions::default())
        };
        let ids = scenario.sites.iter().map(|site| site.id);
        let names: Result<Vec<placement::HostId>, _> =
            ids.clone().map(|id| id.to_string().parse()).collect();
        let names = names.map_err(std::io::Error::other)?;
        let mut world = Self {
            options,
            now: Duration::ZERO,
            events: EventQueue::default(),
            event_count: 0,
            network: Network::new(seed, &scenario.sites),
            hosts: scenario.sites.iter().map(|_| Host::default()).collect(),
            numbers: ids.zip(0..).collect(),
            names,
            scope: Scope::new(LATTICE).map_err(std::io::Error::other)?,
            store,
            snapshots: Vec::new(),
            call_log: CallLog::default(),
            history: History::default(),
            trace: Trace::new(options.keeps_trace),
            host_rng: Rng::new(seed, Purpose::Hosts),
            call_rng: Rng::new(seed, Purpose::Calls),
            change_rng: Rng::new(seed, Purpose::Changes),
            converged_at: None,
            is_over: false,
            scenario,
            _runtime: runtime,
        };
        world.describe();
        world.schedule();
        Ok(world)
    }

    /// Puts in what happens whatever hosts do.
    fn schedule(&mut self) {
        for site in &self.scenario.sites {
            self.events.push(site.starts_at, WorldEvent::HostStart);
        }
        for fault in &self.scenario.faults {
            self.events.push(fault.begins, WorldEvent::FaultsChange);
            self.events.push(fault.ends, WorldEvent::FaultsChange);
        }
        self.events
            .push(self.scenario.faults_end_at, WorldEvent::FaultsChange);
        for (at, change) in &self.scenario.changes {
            self.events.push(*at, WorldEvent::Change(change.clone()));
        }
        self.events.push(SNAPSHOT_EVERY, WorldEvent::Snapshot);
        self.events
            .push(self.scenario.calls_every, WorldEvent::Call);
        let looks_at = self.scenario.faults_end_at + convergence::FIRST_CHECK_AFTER;
        self.events.push(looks_at, WorldEvent::CheckConvergence);
    }

    /// Says what there is.
    fn describe(&mut self) {
        for (number, site) in self.scenario.sites.iter().enumerate() {
            let labels: Vec<_> = site.contents.labels.iter().collect();
            let (short, capacity) = (site.id.short(), site.contents.capacity);
            let line = format!("host {number} is {short}: {labels:?}, capacity {capacity:?}");
            self.trace.line(Duration::ZERO, &line);
        }
        for fault in &self.scenario.faults {
            let (begins, ends, kind) = (fault.begins, fault.ends, &fault.kind);
            let line = format!("fault from {begins:?} to {ends:?}: {kind:?}");
            self.trace.line(Duration::ZERO, &line);
        }
    }

    fn run(&mut self) -> Checked {
        while let Some((due, event)) = self.events.pop() {
            self.now = due;
            self.event_count += 1;
            self.apply(event)?;
            if self.is_over {
                break;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: WorldEvent) -> Checked {
        match event {
            WorldEvent::Process(process, event) => self.deliver(process, event),
            WorldEvent::FaultsChange | WorldEvent::HostStart => self.change_faults(),
            WorldEvent::Change(change) => {
                self.change(change);
                Ok(())
            }
            WorldEvent::Call => self.call(),
            WorldEvent::Snapshot => {
                self.snapshots.push(self.store.store_content());
                let next = self.now + SNAPSHOT_EVERY;
                self.events.push(next, WorldEvent::Snapshot);
                Ok(())
            }
            WorldEvent::CheckConvergence => self.check_convergence(),
        }
    }

    /// Has something happen to a process, if it still runs; later, if it stands still.
    fn deliver(&mut self, id: ProcessId, event: ProcessEvent) -> Checked {
        let host = &mut self.hosts[id.host];
        let is_there = host.process.as_ref().is_some_and(|it| it.life == id.life);
        if !is_there {
            return Ok(());
        }
        if let ProcessEvent::Delivery(message) = &event {
            let from = message.from.host;
            let is_open = self.network.reachability(from, id.host) == Reachability::Reachable;
            let arrives = from == id.host || (host.is_connected && is_open);
            if !arrives {
                return Ok(());
            }
        }
        if host.hung_since.is_some() {
            host.deferred.push(event);
            return Ok(());
        }
        self.handle(id, event)
    }

    fn handle(&mut self, id: ProcessId, event: ProcessEvent) -> Checked {
        match event {
            ProcessEvent::Heartbeat => {
                self.send_heartbeat(id);
                let next = self.now + weft_membership::HEARTBEAT_EVERY;
                self.events
                    .push(next, WorldEvent::Process(id, ProcessEvent::Heartbeat));
                Ok(())
            }
            ProcessEvent::Tick => self.tick(id),
            ProcessEvent::Retry => self.retry(id),
            ProcessEvent::PollStore => self.poll_store(id),
            ProcessEvent::Prepared => self.on_prepared(id),
            ProcessEvent::Delivery(message) => match message.payload {
                Payload::Lattice { .. } => self.on_lattice_message(id, message),
                Payload::Request(request) => self.serve(id, request),
                Payload::Reply { request, outcome } => self.on_outcome(id, request, outcome),
            },
            ProcessEvent::CallDone(request) => self.on_run(id, request),
            ProcessEvent::TimedOut { call, attempt } => self.on_timeout(id, call, attempt),
            ProcessEvent::Leave => {
                self.leave(id);
                Ok(())
            }
        }
    }

    fn size(&self) -> Size {
        let faults_end_at = self.scenario.faults_end_at;
        let converged_at = self.converged_at.unwrap_or(faults_end_at);
        Size {
            hosts: self.hosts.len(),
            faults: self.scenario.faults.len(),
            calls: self.call_log.calls.len(),
            events: self.event_count,
            lasted: self.now,
            converged_after: converged_at.saturating_sub(faults_end_at),
        }
    }

    fn process(&self, id: ProcessId) -> Option<&Process> {
        let process = self.hosts[id.host].process.as_ref();
        process.filter(|process| process.life == id.life)
    }

    fn process_mut(&mut self, id: ProcessId) -> Option<&mut Process> {
        let process = self.hosts[id.host].process.as_mut();
        process.filter(|process| process.life == id.life)
    }

    /// The process of a host, if one runs.
    fn process_of(&self, host: usize) -> Option<ProcessId> {
        let process = self.hosts[host].process.as_ref()?;
        let life = process.life;
        Some(ProcessId { host, life })
    }

    fn trace_line(&mut self, line: &str) {
        self.trace.line(self.now, line);
    }
}
