//! What happened to this host and, as it sees it, to its lattice: kept, the newest of it, for `weft events`.
//! It is told to people; nothing is decided by it.

use tokio::sync::broadcast;
use weft_control::EventRow;

use crate::event_log::{Numbered, Ring};
use crate::logs::now_ms;

/// How many events are kept: a busy day of a large lattice, in a megabyte.
const EVENTS_KEPT: usize = 4_096;

/// The events of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events(Ring<EventRow>);

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    HostJoined,
    HostRestarted,
    HostSuspected,
    HostRecovered,
    HostDied,
    HostLeft,
    HostReturned,
    HostDamped,
    HostSteadied,
    /// A host says something else of itself.
    HostState,
    HostForgotten,
    HostSuperseded,
    ViewFrozen,
    ViewThawed,
    StoreAway,
    StoreBack,
    AppDeployed,
    AppRemoved,
    AppFailed,
    PlacementMoved,
}

/// What an event is about, and what is said of it.
#[derive(Debug, Default)]
pub struct About {
    pub host: Option<String>,
    pub app: Option<String>,
    pub component: Option<String>,
    pub message: String,
}

impl Events {
    pub fn new() -> Self {
        Self(Ring::new(EVENTS_KEPT))
    }

    pub fn tell(&self, kind: Kind, about: About) {
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

    pub fn of_app(&self, kind: Kind, app: &str, message: String) {
        self.tell(
            kind,
            About {
                app: Some(app.to_owned()),
                message,
                ..About::default()
            },
        );
    }

    pub fn tail(&self, count: usize, wanted: impl Fn(&EventRow) -> bool) -> Vec<EventRow> {
        self.0.tail(count, wanted)
    }

    pub fn follow(&self) -> broadcast::Receiver<EventRow> {
        self.0.follow()
    }
}

impl Numbered for EventRow {
    fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl Kind {
    /// The name that `docs/cli.md` has for it.
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
            Self::ViewFrozen => "view-frozen",
            Self::ViewThawed => "view-thawed",
            Self::StoreAway => "store-away",
            Self::StoreBack => "store-back",
            Self::AppDeployed => "app-deployed",
            Self::AppRemoved => "app-removed",
            Self::AppFailed => "app-failed",
            Self::PlacementMoved => "placement-moved",
        }
    }
}
