//! The life of processes: starts, ends, hangs, lost connections, and the faults of the store.

use std::time::Duration;

use futures_util::FutureExt as _;
use weft_bus::local::JetStreamContent;
use weft_membership::message::HostState;
use weft_membership::routing::Router;
use weft_membership::{BusStatus, Identity, Membership, STALL_MIN};
use weft_state::buckets::BucketOptions;
use weft_state::desired::Records;
use weft_state::desired::record_codec::RECORDS;

use super::{LATTICE, World};
use crate::call_log::CallEnd;
use crate::event_queue::{ProcessEvent, ProcessId, WorldEvent};
use crate::invariants::Checked;
use crate::mutations::Mutation;
use crate::process::{GroundTruth, Process};
use crate::reconciler::Reconciler;
use crate::scenario::{Fault, FaultKind};

/// The hang after which the bus has dropped the connection, with the messages on it.
const HUNG_LOSES_BUS: Duration = Duration::from_secs(10);

impl World {
    /// Applies the active faults to hosts, network and store.
    pub(super) fn change_faults(&mut self) -> Checked {
        let now = self.now;
        let faults = self.scenario.faults.clone();
        let is_active = |fault: &&Fault| fault.begins <= now && now < fault.ends;
        let active: Vec<_> = faults
            .iter()
            .filter(is_active)
            .map(|fault| &fault.kind)
            .collect();
        let ended = faults
            .iter()
            .filter(|fault| fault.ends == now && fault.begins < now);
        self.network.set_faults(active.iter().copied());
        for host in 0..self.hosts.len() {
            self.change_host(host, &active)?;
        }
        for fault in ended {
            self.replace_store(&fault.kind);
        }
        self.change_store(&active);
        Ok(())
    }

    fn change_host(&mut self, host: usize, active: &[&FaultKind]) -> Checked {
        let cloud = self.scenario.sites[host].cloud;
        let is = |what: &dyn Fn(&FaultKind) -> bool| active.iter().any(|fault| what(fault));
        let is_down = is(&|fault| match fault {
            FaultKind::Crash { host: faulty } => *faulty == host,
            FaultKind::LoseCloud { cloud: lost } => *lost == cloud,
            _ => false,
        });
        let is_cut =
            is(&|fault| matches!(fault, FaultKind::Disconnect { host: faulty } if *faulty == host));
        let is_hung =
            is(&|fault| matches!(fault, FaultKind::Hang { host: faulty } if *faulty == host));
        let is_drained =
            is(&|fault| matches!(fault, FaultKind::Drain { host: faulty } if *faulty == host));
        self.hosts[host].has_left &= is_drained;
        let is_time = self.scenario.sites[host].starts_at <= self.now;
        let is_up = is_time && !is_down && !self.hosts[host].has_left;
        match (self.hosts[host].process.is_some(), is_up) {
            (true, false) => self.end(host, "crashes"),
            (false, true) if !is_hung => self.start(host, !is_cut)?,
            _ => {}
        }
        self.set_hung(host, is_hung)?;
        self.set_connected(host, !is_cut)?;
        if is_drained {
            self.drain(host);
        }
        Ok(())
    }

    // === processes ===

    fn start(&mut self, host: usize, is_connected: bool) -> Checked {
        let life = self.hosts[host].lives + 1;
        self.hosts[host].lives = life;
        self.trace_line(&format!("{host} starts life {life}"));
        let Some(process) = self.make_process(host, life) else {
            return Ok(());
        };
        self.hosts[host].process = Some(process);
        self.hosts[host].is_connected = false;
        self.set_connected(host, is_connected)?;
        let id = ProcessId { host, life };
        if let Some(process) = self.process_mut(id) {
            process.membership.set_state(HostState::Ready);
        }
        for event in [
            ProcessEvent::Heartbeat,
            ProcessEvent::Tick,
            ProcessEvent::Retry,
            ProcessEvent::PollStore,
        ] {
            let due = self.now + self.host_rng.millis(0..=20);
            self.events.push(due, WorldEvent::Process(id, event));
        }
        Ok(())
    }

    fn make_process(&self, host: usize, life: u64) -> Option<Process> {
        let site = &self.scenario.sites[host];
        let identity = Identity {
            lattice: LATTICE.to_owned(),
            host: site.id,
            incarnation: life,
        };
        let bus = self.store.join(&name(host), &self.scope);
        let records = Records::open(&bus, RECORDS, &BucketOptions::default()).ok()?;
        Some(Process {
            life,
            started: self.now,
            last_tick_at: self.now,
            membership: Membership::new(identity, site.contents.clone()).ok()?,
            router: Router::new(site.id),
            base_contents: site.contents.clone(),
            watch: records.watch(),
            records,
            bus,
            reconciler: Reconciler::new(&self.hosts[host].disk),
            running: std::collections::BTreeMap::new(),
            steps: std::collections::VecDeque::new(),
            preparing: None,
            reconcile_pending: false,
            reconciled_view: None,
            calls: std::collections::BTreeMap::new(),
            executing: 0,
            truth: GroundTruth {
                heartbeats: vec![None; self.hosts.len()],
                ..GroundTruth::default()
            },
        })
    }

    fn end(&mut self, host: usize, how: &str) {
        self.trace_line(&format!("{host} {how}"));
        self.hosts[host].deferred.clear();
        self.hosts[host].hung_since = None;
        if let Some(process) = self.hosts[host].process.take() {
            // In memory, the bus closes at once.
            let _ = process.bus.close().now_or_never();
            for call in process.calls.keys() {
                self.call_log.call_mut(*call).end = Some(CallEnd::Abandoned);
            }
        }
    }

    /// Drains a host, which leaves some time later.
    fn drain(&mut self, host: usize) {
        let Some(id) = self.process_of(host) else {
            return;
        };
        let ends = self.scenario.faults.iter().filter_map(|fault| {
            let is_drain =
                matches!(fault.kind, FaultKind::Drain { host: drained } if drained == host);
            (is_drain && fault.begins <= self.now && self.now < fault.ends).then_some(fault.ends)
        });
        let left = ends.max().unwrap_or(self.now).saturating_sub(self.now);
        let leaves_at = self.now + left / 2;
        let Some(process) = self.process_mut(id) else {
            return;
        };
        process.membership.set_state(HostState::Draining);
        self.trace_line(&format!("{host} drains"));
        self.send_heartbeat(id);
        self.events
            .push(leaves_at, WorldEvent::Process(id, ProcessEvent::Leave));
    }

    pub(super) fn leave(&mut self, id: ProcessId) {
        let is_drained = self.scenario.faults.iter().any(|fault| {
            let is_drain = matches!(fault.kind, FaultKind::Drain { host } if host == id.host);
            is_drain && fault.begins <= self.now && self.now < fault.ends
        });
        let Some(process) = self.process_mut(id) else {
            return;
        };
        // The process hung for longer than its drain lasts.
        if !is_drained {
            process.membership.set_state(HostState::Ready);
            return;
        }
        process.membership.set_state(HostState::Left);
        self.send_heartbeat(id);
        self.hosts[id.host].has_left = true;
        self.end(id.host, "leaves");
    }

    // === hangs ===

    fn set_hung(&mut self, host: usize, is_hung: bool) -> Checked {
        let Some(id) = self.process_of(host) else {
            return Ok(());
        };
        match (self.hosts[host].hung_since, is_hung) {
            (None, true) => {
                self.trace_line(&format!("{host} hangs"));
                self.hosts[host].hung_since = Some(self.now);
            }
            (Some(since), false) => {
                self.trace_line(&format!("{host} resumes"));
                self.hosts[host].hung_since = None;
                self.hosts[host].hung_until = Some(self.now);
                return self.resume(id, self.now.saturating_sub(since));
            }
            _ => {}
        }
        Ok(())
    }

    /// Schedules the events that arrived during the hang for now, in their order.
    fn resume(&mut self, id: ProcessId, hung_for: Duration) -> Checked {
        let now = self.now;
        let deferred = std::mem::take(&mut self.hosts[id.host].deferred);
        let is_given_up = hung_for >= HUNG_LOSES_BUS;
        if let Some(process) = self.process_mut(id)
            && hung_for >= STALL_MIN
        {
            process.truth.returned_at = Some(now);
        }
        if is_given_up {
            self.set_connected(id.host, false)?;
        }
        for event in deferred {
            if is_given_up && matches!(event, ProcessEvent::Delivery(_)) {
                continue;
            }
            self.events.push(now, WorldEvent::Process(id, event));
        }
        Ok(())
    }

    // === the bus ===

    fn set_connected(&mut self, host: usize, is_connected: bool) -> Checked {
        let now = self.now;
        let is_hung = self.hosts[host].hung_since.is_some();
        if self.hosts[host].is_connected == is_connected || is_hung {
            return Ok(());
        }
        let Some(id) = self.process_of(host) else {
            return Ok(());
        };
        self.hosts[host].is_connected = is_connected;
        let never_freezes = self.options.mutation == Some(Mutation::NeverFreezes);
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let at = process.moment(now);
        if is_connected {
            let truth = &mut process.truth;
            truth.returned_at = truth.was_connected.then_some(now).or(truth.returned_at);
            (truth.connected_at, truth.was_connected) = (Some(now), true);
            process.membership.on_bus(at, BusStatus::Connected);
        } else {
            process.truth.connected_at = None;
            if !never_freezes {
                process.membership.on_bus(at, BusStatus::Disconnected);
            }
        }
        let how = if is_connected {
            "is connected"
        } else {
            "is cut off"
        };
        self.trace_line(&format!("{host} {how}"));
        if is_connected {
            self.store.connect(&name(host));
        } else {
            self.store.disconnect(&name(host));
            self.lose_calls(id)?;
        }
        self.poll_store_soon();
        Ok(())
    }

    // === the store ===

    /// Sets the hosts to which the store is unavailable. The store is in the cloud of the first
    /// host.
    fn change_store(&mut self, active: &[&FaultKind]) {
        let home = self.scenario.sites[0].cloud;
        let is_away_from = |host: usize| {
            active.iter().any(|fault| match fault {
                FaultKind::StoreAway { from } => from[host],
                FaultKind::StoreEmpty | FaultKind::StoreOlder => true,
                FaultKind::LoseCloud { cloud } => *cloud == home,
                FaultKind::Partition { side, .. } => side[host] != side[0],
                _ => false,
            })
        };
        let unavailable_to: Vec<_> = (0..self.hosts.len())
            .filter(|host| is_away_from(*host))
            .collect();
        let names: Vec<_> = unavailable_to.iter().map(|host| name(*host)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        self.store.set_jetstream_unreachable(&names);
        self.trace_line(&format!("the store is unavailable to {unavailable_to:?}"));
        self.poll_store_soon();
    }

    /// Replaces the content of the store.
    fn replace_store(&mut self, fault: &FaultKind) {
        let content = match fault {
            FaultKind::StoreEmpty => JetStreamContent::default(),
            FaultKind::StoreOlder => {
                let older = self.host_rng.pick(&self.snapshots).cloned();
                older.unwrap_or_default()
            }
            _ => return,
        };
        self.trace_line(&format!("the store comes back: {fault:?}"));
        self.store.replace_jetstream(content);
        let hosts = &self.hosts;
        self.history.lose(|app, record| {
            let mut copies = hosts.iter().filter_map(|host| host.disk.get(app));
            copies.any(|copy| copy.revision() >= record.revision())
        });
    }

    /// Schedules a poll of the store by every process, each with its own delay.
    pub(super) fn poll_store_soon(&mut self) {
        for host in 0..self.hosts.len() {
            if let Some(id) = self.process_of(host) {
                let due = self.now + self.host_rng.millis(1..=60);
                self.events
                    .push(due, WorldEvent::Process(id, ProcessEvent::PollStore));
            }
        }
    }
}

/// A host's name in the local network.
fn name(host: usize) -> String {
    format!("h{host}")
}
