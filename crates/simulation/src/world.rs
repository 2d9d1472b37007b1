//! One world: hosts, what lies between them, and what happens, one thing after another.

mod calls;
mod desired;
mod members;
mod power;
mod settled;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::runtime::Runtime;
use weft_bus::Scope;
use weft_bus::local::{LocalNetwork, LocalOptions, StoreContent};
use weft_lattice_config::placement;
use weft_membership::HostId;

use crate::agenda::{Agenda, Event, Happening, Payload, ProcessId};
use crate::draw::{Draw, Purpose};
use crate::history::History;
use crate::invariants::{Checked, Violation};
use crate::ledger::Ledger;
use crate::network::{Network, Way};
use crate::process::{Host, Process};
use crate::rule::BrokenRule;
use crate::scenario::Scenario;
use crate::trace::{Trace, TraceDigest};

/// The lattice that hosts are of.
const LATTICE: &str = "simulated";

/// How often it is looked at whether all is as it has to be, once nothing is wrong any more.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How often the store's content is kept, to come back later as an older one.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(3);

/// How a world is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most hosts.
    pub hosts_max: usize,
    /// What hosts do not keep.
    pub broken: Option<BrokenRule>,
    /// Whether what happens is kept as lines.
    pub keeps_trace: bool,
}

impl Default for Options {
    /// As many hosts as the seed says, which keep all rules.
    fn default() -> Self {
        Self {
            hosts_max: crate::scenario::HOSTS_MAX,
            broken: None,
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
    pub happenings: u64,
    /// How long it took, by its own time.
    pub lasted: Duration,
    /// How long after the last fault all was as it has to be.
    pub settled_after: Duration,
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
            .say(world.now, &format!("VIOLATION {violation}"));
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
    agenda: Agenda,
    happenings: u64,
    network: Network,
    hosts: Vec<Host>,
    /// What the ids of hosts are to placement.
    names: Vec<placement::HostId>,
    numbers: BTreeMap<HostId, usize>,
    scope: Scope,
    store: LocalNetwork,
    /// Contents of the store, the oldest first.
    snapshots: Vec<StoreContent>,
    ledger: Ledger,
    history: History,
    trace: Trace,
    draw_hosts: Draw,
    draw_calls: Draw,
    draw_changes: Draw,
    /// Since when all is as it has to be, after the last fault.
    settled_at: Option<Duration>,
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
            agenda: Agenda::default(),
            happenings: 0,
            network: Network::new(seed, &scenario.sites),
            hosts: scenario.sites.iter().map(|_| Host::default()).collect(),
            numbers: ids.zip(0..).collect(),
            names,
            scope: Scope::new(LATTICE).map_err(std::io::Error::other)?,
            store,
            snapshots: Vec::new(),
            ledger: Ledger::default(),
            history: History::default(),
            trace: Trace::new(options.keeps_trace),
            draw_hosts: Draw::new(seed, Purpose::Hosts),
            draw_calls: Draw::new(seed, Purpose::Calls),
            draw_changes: Draw::new(seed, Purpose::Changes),
            settled_at: None,
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
            self.agenda.put(site.starts_at, Happening::Starts);
        }
        for fault in &self.scenario.faults {
            self.agenda.put(fault.begins, Happening::FaultsChange);
            self.agenda.put(fault.ends, Happening::FaultsChange);
        }
        self.agenda
            .put(self.scenario.calm_at, Happening::FaultsChange);
        for (at, change) in &self.scenario.changes {
            self.agenda.put(*at, Happening::Change(change.clone()));
        }
        self.agenda.put(SNAPSHOT_EVERY, Happening::Snapshot);
        self.agenda.put(self.scenario.calls_every, Happening::Call);
        let looks_at = self.scenario.calm_at + settled::SETTLES_AFTER;
        self.agenda.put(looks_at, Happening::Look);
    }

    /// Says what there is.
    fn describe(&mut self) {
        for (number, site) in self.scenario.sites.iter().enumerate() {
            let labels: Vec<_> = site.about.labels.iter().collect();
            let (short, capacity) = (site.id.short(), site.about.capacity);
            let line = format!("host {number} is {short}: {labels:?}, capacity {capacity:?}");
            self.trace.say(Duration::ZERO, &line);
        }
        for fault in &self.scenario.faults {
            let (begins, ends, kind) = (fault.begins, fault.ends, &fault.kind);
            let line = format!("fault from {begins:?} to {ends:?}: {kind:?}");
            self.trace.say(Duration::ZERO, &line);
        }
    }

    fn run(&mut self) -> Checked {
        while let Some((due, happening)) = self.agenda.next() {
            self.now = due;
            self.happenings += 1;
            self.happen(happening)?;
            if self.is_over {
                break;
            }
        }
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Checked {
        match happening {
            Happening::To(process, event) => self.reach(process, event),
            Happening::FaultsChange | Happening::Starts => self.change_faults(),
            Happening::Change(change) => {
                self.change(change);
                Ok(())
            }
            Happening::Call => self.call(),
            Happening::Snapshot => {
                self.snapshots.push(self.store.store_content());
                let next = self.now + SNAPSHOT_EVERY;
                self.agenda.put(next, Happening::Snapshot);
                Ok(())
            }
            Happening::Look => self.look(),
        }
    }

    /// Has something happen to a process, if it still runs; later, if it stands still.
    fn reach(&mut self, id: ProcessId, event: Event) -> Checked {
        let host = &mut self.hosts[id.host];
        let is_there = host.process.as_ref().is_some_and(|it| it.life == id.life);
        if !is_there {
            return Ok(());
        }
        if let Event::Arrives(message) = &event {
            let from = message.from.host;
            let is_open = self.network.way(from, id.host) == Way::Open;
            let arrives = from == id.host || (host.is_connected && is_open);
            if !arrives {
                return Ok(());
            }
        }
        if host.hung_since.is_some() {
            host.held.push(event);
            return Ok(());
        }
        self.handle(id, event)
    }

    fn handle(&mut self, id: ProcessId, event: Event) -> Checked {
        match event {
            Event::Beat => {
                self.beat(id);
                let next = self.now + weft_membership::HEARTBEAT_EVERY;
                self.agenda.put(next, Happening::To(id, Event::Beat));
                Ok(())
            }
            Event::Tick => self.tick(id),
            Event::Retry => self.retry(id),
            Event::LookAtStore => self.look_at_store(id),
            Event::Prepared => self.on_prepared(id),
            Event::Arrives(message) => match message.payload {
                Payload::Lattice { .. } => self.hear(id, message),
                Payload::Request(request) => self.serve(id, request),
                Payload::Reply { request, outcome } => self.on_outcome(id, request, outcome),
            },
            Event::HasRun(request) => self.on_run(id, request),
            Event::TimedOut { call, attempt } => self.on_timeout(id, call, attempt),
            Event::Leaves => {
                self.leave(id);
                Ok(())
            }
        }
    }

    fn size(&self) -> Size {
        let calm_at = self.scenario.calm_at;
        let settled_at = self.settled_at.unwrap_or(calm_at);
        Size {
            hosts: self.hosts.len(),
            faults: self.scenario.faults.len(),
            calls: self.ledger.calls.len(),
            happenings: self.happenings,
            lasted: self.now,
            settled_after: settled_at.saturating_sub(calm_at),
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

    fn say(&mut self, line: &str) {
        self.trace.say(self.now, line);
    }
}
