//! The ground truth about hosts, independent of their own views.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weft_lattice_config::placement::Assignments;
use weft_lattice_config::{AppName, ComponentName};
use weft_membership::View;
use weft_membership::message::ComponentId;
use weft_node::controller::Snapshot;
use weft_state::store::{Deployed, Record};

use crate::records::is_placed;

/// The ground truth about a host and its current process.
#[derive(Debug, Default)]
pub(crate) struct HostTruth {
    /// The time of the start of the process.
    pub(crate) started: Duration,
    /// The time of its last connection to the bus; `None` while it has none.
    pub(crate) connected_at: Option<Duration>,
    /// The time of its first connection.
    pub(crate) first_connected_at: Option<Duration>,
    /// The end of its last lost connection or hang.
    pub(crate) returned_at: Option<Duration>,
    /// True while the process hangs.
    pub(crate) is_hung: bool,
    /// The end of its last hang.
    pub(crate) hung_until: Option<Duration>,
    /// The last heartbeat that arrived from each host.
    pub(crate) heartbeats: Vec<Option<LastHeartbeat>>,
    /// The heartbeats that arrived during the hang, with their senders.
    pub(crate) deferred: Vec<(usize, (u64, u64))>,
    /// The apps that run.
    pub(crate) running: BTreeMap<AppName, Running>,
    /// The replica of the desired state, as the process or the one before published it.
    pub(crate) replica: BTreeMap<AppName, Arc<Record>>,
    /// The view behind the last decision.
    pub(crate) decision_view: Option<View>,
    /// The assignments of the last decision.
    pub(crate) assignments: Assignments,
}

/// A heartbeat that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastHeartbeat {
    pub(crate) at: Duration,
    /// The arrival of the last heartbeat at an earlier instant.
    pub(crate) before: Option<Duration>,
    /// The number of the start of its sender, and its sequence number.
    pub(crate) order: (u64, u64),
}

/// An app as a process runs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Running {
    pub(crate) deployed: Deployed,
    pub(crate) share: BTreeSet<ComponentName>,
}

impl HostTruth {
    /// Begins a process.
    pub(crate) fn begin(&mut self, now: Duration) {
        *self = Self {
            started: now,
            heartbeats: vec![None; self.heartbeats.len()],
            replica: std::mem::take(&mut self.replica),
            ..Self::default()
        };
    }

    /// Records the arrival of a heartbeat. A process that hangs receives it when it resumes.
    pub(crate) fn receive(&mut self, from: usize, order: (u64, u64), now: Duration) {
        if self.is_hung {
            self.deferred.push((from, order));
            return;
        }
        let last = &mut self.heartbeats[from];
        if last.is_none_or(|last| last.order < order) {
            // Several that arrived during a hang are received at one instant.
            let before = last.and_then(|last| last.before(now));
            *last = Some(LastHeartbeat {
                at: now,
                before,
                order,
            });
        }
    }

    /// Ends the hang of the process.
    pub(crate) fn resume(&mut self, now: Duration) {
        self.is_hung = false;
        self.hung_until = Some(now);
        for (from, order) in std::mem::take(&mut self.deferred) {
            self.receive(from, order, now);
        }
    }

    pub(crate) fn share_of(&self, app: &AppName) -> BTreeSet<ComponentName> {
        let running = self.running.get(app);
        running.map_or_else(BTreeSet::new, |running| running.share.clone())
    }

    /// True if the last decision has a host for every component of an app.
    pub(crate) fn is_placed(&self, deployed: &Deployed) -> bool {
        let mut components = deployed.app.spec.components.iter();
        components.all(|component| is_placed(&self.assignments, deployed, &component.name))
    }

    pub(crate) fn runs(&self, component: &ComponentId) -> bool {
        let running = self.running.get(&component.app);
        running.is_some_and(|running| running.share.contains(&component.component))
    }
}

impl LastHeartbeat {
    /// The last arrival before an instant: one at the same instant may be received after it.
    pub(crate) fn before(&self, now: Duration) -> Option<Duration> {
        if self.at < now {
            Some(self.at)
        } else {
            self.before
        }
    }
}

/// The apps that a process runs, by its controller.
pub(crate) fn running_apps(snapshot: &Snapshot) -> BTreeMap<AppName, Running> {
    let ready = snapshot.apps.values().filter(|app| app.running().is_some());
    let running = ready.map(|app| {
        let deployed = app.deployed.clone();
        let components = deployed.app.spec.components.iter().enumerate();
        let here = components.filter(|(index, _)| app.share.has(*index));
        let share = here.map(|(_, component)| component.name.clone()).collect();
        let name = deployed.app.metadata.name.clone();
        (name, Running { deployed, share })
    });
    running.collect()
}
