//! One world: hosts, their network, and events, one after another.

mod calls;
mod convergence;
mod desired;
mod lifecycle;
mod membership;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::runtime::Runtime;
use weft_bus::Scope;
use weft_bus::local::{JetStreamContent, LocalNetwork, LocalOptions};
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

/// The name of the lattice.
const LATTICE: &str = "simulated";

/// The interval of the checks for convergence after the last fault.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// The interval of the snapshots of the store, for faults that bring back an older content.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(3);

/// The options of a world.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most hosts.
    pub hosts_max: usize,
    /// The rule that hosts break.
    pub mutation: Option<Mutation>,
    /// Keep the lines of the trace.
    pub keeps_trace: bool,
}

impl Default for Options {
    /// As many hosts as the seed gives, which keep all rules.
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
    /// Number of events.
    pub events: u64,
    /// The duration, by the world's own clock.
    pub lasted: Duration,
    /// The time from the last fault to convergence.
    pub converged_after: Duration,
}

/// Runs a world until it has converged after the last fault, or an invariant is violated.
///
/// # Errors
/// An error of the operating system, if no runtime can be created.
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
    /// The ids of the hosts, for placement.
    names: Vec<placement::HostId>,
    numbers: BTreeMap<HostId, usize>,
    scope: Scope,
    store: LocalNetwork,
    /// Snapshots of the store, the oldest first.
    snapshots: Vec<JetStreamContent>,
    call_log: CallLog,
    history: History,
    trace: Trace,
    host_rng: Rng,
    call_rng: Rng,
    change_rng: Rng,
    /// The time of convergence after the last fault.
    converged_at: Option<Duration>,
    is_over: bool,
    /// Owns the idle task of the local network: only its stores are used.
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

    /// Schedules the events that do not depend on hosts.
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

    /// Traces the hosts and faults.
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
                self.snapshots.push(self.store.jetstream_content());
                let next = self.now + SNAPSHOT_EVERY;
                self.events.push(next, WorldEvent::Snapshot);
                Ok(())
            }
            WorldEvent::CheckConvergence => self.check_convergence(),
        }
    }

    /// Delivers an event to a process, if it still runs; after the hang, if it hangs.
    fn deliver(&mut self, id: ProcessId, event: ProcessEvent) -> Checked {
        let host = &mut self.hosts[id.host];
        let is_there = host
            .process
            .as_ref()
            .is_some_and(|process| process.life == id.life);
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

    /// The running process of a host.
    fn process_of(&self, host: usize) -> Option<ProcessId> {
        let process = self.hosts[host].process.as_ref()?;
        let life = process.life;
        Some(ProcessId { host, life })
    }

    fn trace_line(&mut self, line: &str) {
        self.trace.line(self.now, line);
    }
}
