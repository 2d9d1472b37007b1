//! A host: what it keeps over its lives, and the process that runs it.

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
    /// Its copy of the desired state.
    pub(crate) disk: BTreeMap<AppName, Arc<Record>>,
    /// How often it was started.
    pub(crate) lives: u64,
    pub(crate) process: Option<Process>,
    /// Whether the process reaches the bus.
    pub(crate) is_connected: bool,
    /// Since when it stands still.
    pub(crate) hung_since: Option<Duration>,
    /// What came while it stands still.
    pub(crate) deferred: Vec<ProcessEvent>,
    /// When it stood still last.
    pub(crate) hung_until: Option<Duration>,
    /// It was told to leave, and has.
    pub(crate) has_left: bool,
}

/// A process that runs a host.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) life: u64,
    pub(crate) started: Duration,
    /// When it drew its last conclusions.
    pub(crate) last_tick_at: Duration,
    pub(crate) membership: Membership,
    pub(crate) router: Router,
    pub(crate) base_contents: Contents,
    pub(crate) bus: Bus,
    pub(crate) records: Records,
    pub(crate) watch: Watch,
    pub(crate) reconciler: Reconciler,
    pub(crate) running: BTreeMap<AppName, Running>,
    /// What is still to be done of the last plan.
    pub(crate) steps: VecDeque<AppStep>,
    /// What is prepared now.
    pub(crate) preparing: Option<AppStep>,
    /// Something changed while steps were done.
    pub(crate) reconcile_pending: bool,
    /// Of which view the last reconciliation was.
    pub(crate) seen: Option<(u64, Option<Freeze>)>,
    /// The calls that it made and that have not ended.
    pub(crate) calls: BTreeMap<u64, PendingCall>,
    /// How many calls it runs.
    pub(crate) executing: u32,
    pub(crate) truth: GroundTruth,
}

/// What is true of a process, whatever it makes of it.
#[derive(Debug, Default)]
pub(crate) struct GroundTruth {
    /// When a heartbeat of each host came last, and which, by host.
    pub(crate) heartbeats: Vec<Option<LastHeartbeat>>,
    /// When its bus was connected last; nothing while it is not.
    pub(crate) connected_at: Option<Duration>,
    /// Whether it was ever connected.
    pub(crate) was_connected: bool,
    /// Whether it lost the bus, or stood still, since it was started; and when that was over.
    pub(crate) returned_at: Option<Duration>,
}

/// A heartbeat that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastHeartbeat {
    pub(crate) at: Moment,
    /// Life and sequence.
    pub(crate) order: (u64, u64),
}

/// An app as a process runs it.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) record: Arc<Record>,
    pub(crate) share: BTreeSet<ComponentName>,
}

/// A call that waits for an answer.
#[derive(Debug)]
pub(crate) struct PendingCall {
    pub(crate) route: Route,
    /// Which sending it waits for.
    pub(crate) attempt: usize,
}

impl Process {
    /// The moment by the process' own clock.
    pub(crate) fn moment(&self, now: Duration) -> Moment {
        Moment::after_start(now.saturating_sub(self.started))
    }

    /// The time of a moment of the process.
    pub(crate) fn time(&self, moment: Moment) -> Duration {
        self.started + moment.since_start()
    }

    /// What it says that it has.
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
