//! What is told of changes in the lattice: a line in the log, and an event for `weft events`.

use weft_lattice_config::placement::{self, Assignments, Plan, moves};
use weft_membership::message::HostState;
use weft_membership::{Change, Event, Freeze, HostId, View};
use weft_state::desired::DesiredReplica;

use weft_telemetry::events::{About, Events, Kind};

/// How many moves of one plan are told one by one: what matters of more is how many they are.
const MOVES_TOLD_MAX: usize = 100;

/// What the task that follows the desired state has told.
pub(super) struct Telling {
    events: Events,
    has_store: Option<bool>,
    assignments: Assignments,
}

impl Telling {
    pub(super) fn new(events: Events) -> Self {
        Self {
            events,
            has_store: None,
            assignments: Assignments::new(),
        }
    }

    /// Tells whether the store of what is wanted is there, if that is news.
    pub(super) fn tell_store(&mut self, copy: &DesiredReplica) {
        // While it is read, it is neither.
        let has_store = match (copy.is_bucket_known(), copy.is_reading()) {
            (true, _) => true,
            (false, true) => return,
            (false, false) => false,
        };
        if self.has_store.replace(has_store) == Some(has_store) {
            return;
        }
        let (kind, message) = if has_store {
            (Kind::StoreBack, "the store of the desired state is there")
        } else {
            let message = "the store of the desired state is away: what runs goes on, and nothing can be changed";
            (Kind::StoreAway, message)
        };
        tell_all(&self.events, kind, message.to_owned());
    }

    /// Tells how a plan differs from the one before.
    pub(super) fn tell_plan(&mut self, view: &View, plan: &Plan) {
        if self.assignments == plan.assignments {
            return;
        }
        tell_moves(&self.events, view, &self.assignments, &plan.assignments);
        self.assignments.clone_from(&plan.assignments);
    }
}

/// Tells what changed about the hosts.
pub(super) fn tell(events: &Events, view: &View, event: &Event) {
    match event {
        Event::Host { host, change } => tell_host(events, view, *host, *change),
        Event::Froze(freeze) => {
            tracing::info!(?freeze, "the view of the lattice is held");
            let why = why(*freeze);
            tell_all(
                events,
                Kind::ViewFrozen,
                format!("the view of others is held: {why}"),
            );
        }
        Event::Thawed => {
            tracing::info!("the view of the lattice follows again");
            let message = "the view of others follows what is heard again".to_owned();
            tell_all(events, Kind::ViewThawed, message);
        }
        Event::Superseded { incarnation } => {
            tracing::error!(
                incarnation,
                "another process has this host's key; this one is not heard any more"
            );
            let message = format!(
                "another process has this host's key, in life {incarnation}; this one is not heard any more"
            );
            tell_all(events, Kind::HostSuperseded, message);
        }
    }
}

/// Tells how two plans differ.
fn tell_moves(events: &Events, view: &View, before: &Assignments, after: &Assignments) {
    let moves = moves(before, after);
    for it in moves.iter().take(MOVES_TOLD_MAX) {
        let host = name_of(view, &it.host);
        let does = match it.kind {
            placement::MoveKind::Starts => "starts on",
            placement::MoveKind::Stops => "stops on",
        };
        let message = format!("{} {does} {host}", it.component);
        events.tell(
            Kind::PlacementMoved,
            About {
                app: Some(it.component.app.to_string()),
                component: Some(it.component.component.to_string()),
                host: Some(host),
                message,
            },
        );
    }
    if let Some(more @ 1..) = moves.len().checked_sub(MOVES_TOLD_MAX) {
        tell_all(
            events,
            Kind::PlacementMoved,
            format!("and {more} more moves"),
        );
    }
}

fn tell_host(events: &Events, view: &View, host: HostId, change: Change) {
    tracing::info!(host = host.short(), ?change, "lattice");
    let (kind, what) = match change {
        Change::Joined => (Kind::HostJoined, "is there".to_owned()),
        Change::Restarted => (Kind::HostRestarted, "was started again".to_owned()),
        Change::Suspected => (Kind::HostSuspected, "missed a heartbeat".to_owned()),
        Change::Recovered => (Kind::HostRecovered, "is heard again".to_owned()),
        Change::Died => (Kind::HostDied, "is silent for too long: dead".to_owned()),
        Change::Left => (Kind::HostLeft, "has left".to_owned()),
        Change::Returned => (
            Kind::HostReturned,
            "was dead, and is heard again".to_owned(),
        ),
        Change::Damped { .. } => {
            let what = "came and went, and is given no work until it is steady";
            (Kind::HostDamped, what.to_owned())
        }
        Change::Steadied => (
            Kind::HostSteadied,
            "is steady, and is given work again".to_owned(),
        ),
        Change::State(state) => (Kind::HostState, says(state).to_owned()),
        // Each deploy changes the inventories of all: `app-deployed` and `placement-moved` say it.
        Change::Inventory => return,
        Change::Forgotten => (
            Kind::HostForgotten,
            "is dead for so long that it is forgotten".to_owned(),
        ),
    };
    let name = name(view, host);
    let message = format!("{name} {what}");
    events.tell(
        kind,
        About {
            host: Some(name),
            message,
            ..About::default()
        },
    );
}

fn says(state: HostState) -> &'static str {
    match state {
        HostState::Joining => "has just started",
        HostState::Ready => "works",
        HostState::Draining => "drains: its work goes to others",
        HostState::Frozen => "has lost its bus, or just has it back, and changes nothing",
        HostState::Left => "has left",
    }
}

/// Why a view is held.
pub(crate) fn why(freeze: Freeze) -> &'static str {
    match freeze {
        Freeze::Unconnected => "this host has not reached the bus yet",
        Freeze::Joining => "this host has just joined, and listens before it decides",
        Freeze::Away => "this host's bus is away",
        Freeze::Returning => "this host's bus is just back",
    }
}

fn tell_all(events: &Events, kind: Kind, message: String) {
    events.tell(
        kind,
        About {
            message,
            ..About::default()
        },
    );
}

/// What people call a host.
pub(super) fn name(view: &View, host: HostId) -> String {
    let contents = view.host(host).and_then(|host| host.contents.as_ref());
    let name = contents.map(|contents| contents.name.clone());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| host.short())
}

fn name_of(view: &View, host: &placement::HostId) -> String {
    match host.as_str().parse() {
        Ok(host) => name(view, host),
        Err(_) => host.to_string(),
    }
}
