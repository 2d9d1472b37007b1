//! Hosts: their durable state, and the process that runs them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use weft_bus::Bus;
use weft_lattice_config::{AppName, ComponentName};
use weft_membership::Moment;
use weft_membership::message::{ComponentId, Contents, Holding, Readiness, Revision};
use weft_membership::routing::{Route, Router};
use weft_membership::{Freeze, Membership};
use weft_state::desired::{Records, Watch};
use weft_state::store::{Deployed, Record};

use crate::event_queue::ProcessEvent;
use crate::reconciler::{AppStep, Reconciler};

/// A host.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// Its replica of the desired state on disk.
    pub(crate) disk: BTreeMap<AppName, Arc<Record>>,
    /// Number of starts.
    pub(crate) lives: u64,
    pub(crate) process: Option<Process>,
    /// True if the process reaches the bus.
    pub(crate) is_connected: bool,
    /// The time at which it hung, while it hangs.
    pub(crate) hung_since: Option<Duration>,
    /// Events that arrived while it hangs.
    pub(crate) deferred: Vec<ProcessEvent>,
    /// The end of its last hang.
    pub(crate) hung_until: Option<Duration>,
    /// True after a drain, until the fault ends.
    pub(crate) has_left: bool,
}

/// A process that runs a host.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) life: u64,
    pub(crate) started: Duration,
    /// The time of its last tick.
    pub(crate) last_tick_at: Duration,
    pub(crate) membership: Membership,
    pub(crate) router: Router,
    pub(crate) base_contents: Contents,
    pub(crate) bus: Bus,
    pub(crate) records: Records,
    pub(crate) watch: Watch,
    pub(crate) reconciler: Reconciler,
    pub(crate) running: BTreeMap<AppName, Running>,
    /// The remaining steps of the last plan.
    pub(crate) steps: VecDeque<AppStep>,
    /// The step in preparation.
    pub(crate) preparing: Option<AppStep>,
    /// Reconcile again after the remaining steps.
    pub(crate) reconcile_pending: bool,
    /// The view of the last reconciliation: its revision and freeze.
    pub(crate) reconciled_view: Option<(u64, Option<Freeze>)>,
    /// Its open calls, as the caller.
    pub(crate) calls: BTreeMap<u64, PendingCall>,
    /// Number of calls that it runs.
    pub(crate) executing: u32,
    pub(crate) truth: GroundTruth,
}

/// The ground truth about a process, independent of its own view.
#[derive(Debug, Default)]
pub(crate) struct GroundTruth {
    /// The last heartbeat received from each host.
    pub(crate) heartbeats: Vec<Option<LastHeartbeat>>,
    /// The time of its last connection to the bus; `None` while it has none.
    pub(crate) connected_at: Option<Duration>,
    /// True after its first connection.
    pub(crate) was_connected: bool,
    /// The end of its last lost connection or hang.
    pub(crate) returned_at: Option<Duration>,
}

/// A received heartbeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastHeartbeat {
    pub(crate) at: Moment,
    /// The number of the start and the sequence number.
    pub(crate) order: (u64, u64),
}

/// An app as a process runs it.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) record: Arc<Record>,
    pub(crate) share: BTreeSet<ComponentName>,
}

/// A call without an answer so far.
#[derive(Debug)]
pub(crate) struct PendingCall {
    pub(crate) route: Route,
    /// The number of the current attempt.
    pub(crate) attempt: usize,
}

impl Process {
    /// The moment by the process' own clock.
    pub(crate) fn moment(&self, now: Duration) -> Moment {
        Moment::after_start(now.saturating_sub(self.started))
    }

    /// The time of the world at a moment of the process.
    pub(crate) fn time(&self, moment: Moment) -> Duration {
        self.started + moment.since_start()
    }

    /// The contents of its inventory.
    pub(crate) fn contents(&self) -> Contents {
        let of_app = |(app, running): (&AppName, &Running)| {
            let revision = Revision(running.record.revision());
            let share = running.share.iter();
            let holdings = share.map(|component| Holding {
                component: ComponentId {
                    app: app.clone(),
                    component: component.clone(),
                },
                revision,
                readiness: Readiness::Ready,
            });
            holdings.collect::<Vec<_>>()
        };
        Contents {
            components: self.running.iter().flat_map(of_app).collect(),
            ..self.base_contents.clone()
        }
    }

    pub(crate) fn runs(&self, component: &ComponentId) -> bool {
        let running = self.running.get(&component.app);
        running.is_some_and(|running| running.share.contains(&component.component))
    }

    pub(crate) fn share_of(&self, app: &AppName) -> BTreeSet<ComponentName> {
        let running = self.running.get(app);
        running
            .map(|running| running.share.clone())
            .unwrap_or_default()
    }
}

impl Running {
    pub(crate) fn deployed(&self) -> Option<&Deployed> {
        match &*self.record {
            Record::Deployed(deployed) => Some(deployed),
            Record::Removed { .. } => None,
        }
    }
}
