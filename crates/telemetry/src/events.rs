//! Events of this host and of its lattice, as this host observes them; the newest are stored for
//! `weft events`. They are for operators: no decision depends on them.

use tokio::sync::broadcast;
use weft_control::EventRow;

use crate::event_log::{BoundedLog, Capacity, Numbered};
use crate::logs::now_ms;

/// The most stored events: a busy day of a large lattice, in a megabyte.
const EVENTS_MAX: Capacity = Capacity {
    entries: 4_096,
    bytes: 4 << 20,
};

/// The newest events of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events(BoundedLog<EventRow>);

/// Kind of an event. `docs/cli.md` lists their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A host joined the lattice.
    HostJoined,
    /// A host started again under the same identity.
    HostRestarted,
    /// A host missed heartbeats.
    HostSuspected,
    /// A suspected host sent heartbeats again.
    HostRecovered,
    /// A host was declared dead.
    HostDied,
    /// A host left the lattice by itself.
    HostLeft,
    /// A dead host sent heartbeats again.
    HostReturned,
    /// A host returned too often and gets no work for some time.
    HostDamped,
    /// A damped host was stable for long enough.
    HostSteadied,
    /// The state that a host reports changed.
    HostState,
    /// The lattice removed a dead host from its view.
    HostForgotten,
    /// Another process took over the identity of a host.
    HostSuperseded,
    /// The incarnation of this host went back, and it takes a larger one.
    HostOutdated,
    /// Placement was paused.
    ViewFrozen,
    /// Placement resumed.
    ViewThawed,
    /// The desired-state bucket became unavailable.
    StoreAway,
    /// The desired-state bucket is available again.
    StoreBack,
    /// The data of a provider was lost.
    StoreLost,
    /// The lost data of a provider is back, or an operator has agreed to begin without it.
    StoreFound,
    /// An app was deployed.
    AppDeployed,
    /// An app was removed.
    AppRemoved,
    /// An app could not be started or updated on this host.
    AppFailed,
    /// The placement of a component changed: it is to start or to stop on a host.
    PlacementMoved,
}

/// Subject and message of an event.
#[derive(Debug, Default)]
pub struct About {
    /// Name of the host.
    pub host: Option<String>,
    /// Name of the app.
    pub app: Option<String>,
    /// Name of the component.
    pub component: Option<String>,
    /// Text for operators.
    pub message: String,
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl Events {
    /// An empty log of events.
    #[must_use]
    pub fn new() -> Self {
        Self(BoundedLog::new(EVENTS_MAX))
    }

    /// Adds an event, as of now.
    pub fn publish(&self, kind: Kind, about: About) {
        let About {
            host,
            app,
            component,
            message,
        } = about;
        self.0.push(|sequence| EventRow {
            sequence,
            time_ms: now_ms(),
            kind: kind.name().to_owned(),
            host,
            app,
            component,
            message,
        });
    }

    /// Adds an event of an app.
    pub fn of_app(&self, kind: Kind, app: &str, message: String) {
        self.publish(
            kind,
            About {
                app: Some(app.to_owned()),
                message,
                ..About::default()
            },
        );
    }

    /// The newest `count` events that match `filter`, oldest first.
    pub fn tail(&self, count: usize, filter: impl Fn(&EventRow) -> bool) -> Vec<EventRow> {
        self.0.tail(count, filter)
    }

    /// A receiver of the events from now on.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<EventRow> {
        self.0.follow()
    }
}

impl Numbered for EventRow {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.message.len()
    }
}

impl Kind {
    /// Name of the kind in `docs/cli.md`.
    fn name(self) -> &'static str {
        match self {
            Self::HostJoined => "host-joined",
            Self::HostRestarted => "host-restarted",
            Self::HostSuspected => "host-suspected",
            Self::HostRecovered => "host-recovered",
            Self::HostDied => "host-died",
            Self::HostLeft => "host-left",
            Self::HostReturned => "host-returned",
            Self::HostDamped => "host-damped",
            Self::HostSteadied => "host-steadied",
            Self::HostState => "host-state",
            Self::HostForgotten => "host-forgotten",
            Self::HostSuperseded => "host-superseded",
            Self::HostOutdated => "host-outdated",
            Self::ViewFrozen => "view-frozen",
            Self::ViewThawed => "view-thawed",
            Self::StoreAway => "store-away",
            Self::StoreBack => "store-back",
            Self::StoreLost => "store-lost",
            Self::StoreFound => "store-found",
            Self::AppDeployed => "app-deployed",
            Self::AppRemoved => "app-removed",
            Self::AppFailed => "app-failed",
            Self::PlacementMoved => "placement-moved",
        }
    }
}
