//! What is told of changes in the lattice: a line in the log, and an event for `weft events`.

use weft_lattice_config::placement::{self, Assignments, Plan, moves};
use weft_membership::message::HostState;
use weft_membership::{Change, Event, Freeze, HostId, View};
use weft_state::desired::DesiredReplica;
use weft_telemetry::events::{About, Events, Kind};

/// How many moves of one plan are told one by one: what matters of more is how many they are.
const MOVES_REPORTED_MAX: usize = 100;

/// What the task that follows the desired state has told.
pub(super) struct EventReporter {
    events: Events,
    is_bucket_available: Option<bool>,
    assignments: Assignments,
}

impl EventReporter {
    pub(super) fn new(events: Events) -> Self {
        Self {
            events,
            is_bucket_available: None,
            assignments: Assignments::new(),
        }
    }

    /// Tells whether the store of what is wanted is there, if that is news.
    pub(super) fn report_bucket(&mut self, replica: &DesiredReplica) {
        // While it is read, it is neither.
        let is_bucket_available = match (replica.is_bucket_known(), replica.is_reading()) {
            (true, _) => true,
            (false, true) => return,
            (false, false) => false,
        };
        if self.is_bucket_available.replace(is_bucket_available) == Some(is_bucket_available) {
            return;
        }
        let (kind, message) = if is_bucket_available {
            (Kind::StoreBack, "the store of the desired state is there")
        } else {
            let message = "the store of the desired state is away: what runs goes on, and nothing can be changed";
            (Kind::StoreAway, message)
        };
        report_lattice(&self.events, kind, message.to_owned());
    }

    /// Tells how a plan differs from the one before.
    pub(super) fn report_plan(&mut self, view: &View, plan: &Plan) {
        if self.assignments == plan.assignments {
            return;
        }
        report_moves(&self.events, view, &self.assignments, &plan.assignments);
        self.assignments.clone_from(&plan.assignments);
    }
}

/// Tells what changed about the hosts.
pub(super) fn report(events: &Events, view: &View, event: &Event) {
    match event {
        Event::Host { host, change } => report_host(events, view, *host, *change),
        Event::Froze(freeze) => {
            tracing::info!(?freeze, "the view of the lattice is held");
            let why = freeze_reason(*freeze);
            report_lattice(
                events,
                Kind::ViewFrozen,
                format!("the view of others is held: {why}"),
            );
        }
        Event::Thawed => {
            tracing::info!("the view of the lattice follows again");
            let message = "the view of others follows what is heard again".to_owned();
            report_lattice(events, Kind::ViewThawed, message);
        }
        Event::Superseded { incarnation } => {
            tracing::error!(
                incarnation,
                "another process has this host's key; this one is not heard any more"
            );
            let message = format!(
                "another process has this host's key, in life {incarnation}; this one is not heard any more"
            );
            report_lattice(events, Kind::HostSuperseded, message);
        }
    }
}

/// Tells how two plans differ.
fn report_moves(events: &Events, view: &View, before: &Assignments, after: &Assignments) {
    let moves = moves(before, after);
    for it in moves.iter().take(MOVES_REPORTED_MAX) {
        let host = placement_host_name(view, &it.host);
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
    if let Some(more @ 1..) = moves.len().checked_sub(MOVES_REPORTED_MAX) {
        report_lattice(
            events,
            Kind::PlacementMoved,
            format!("and {more} more moves"),
        );
    }
}

fn report_host(events: &Events, view: &View, host: HostId, change: Change) {
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
        Change::State(state) => (Kind::HostState, state_phrase(state).to_owned()),
        // Each deploy changes the inventories of all: `app-deployed` and `placement-moved` say it.
        Change::Inventory => return,
        Change::Forgotten => (
            Kind::HostForgotten,
            "is dead for so long that it is forgotten".to_owned(),
        ),
    };
    let name = host_name(view, host);
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

fn state_phrase(state: HostState) -> &'static str {
    match state {
        HostState::Joining => "has just started",
        HostState::Ready => "works",
        HostState::Draining => "drains: its work goes to others",
        HostState::Frozen => "has lost its bus, or just has it back, and changes nothing",
        HostState::Left => "has left",
    }
}

/// Why a view is held.
pub(crate) fn freeze_reason(freeze: Freeze) -> &'static str {
    match freeze {
        Freeze::Unconnected => "this host has not reached the bus yet",
        Freeze::Joining => "this host has just joined, and listens before it decides",
        Freeze::Away => "this host's bus is away",
        Freeze::Returning => "this host's bus is just back",
    }
}

fn report_lattice(events: &Events, kind: Kind, message: String) {
    events.tell(
        kind,
        About {
            message,
            ..About::default()
        },
    );
}

/// What people call a host.
pub(super) fn host_name(view: &View, host: HostId) -> String {
    let contents = view.host(host).and_then(|host| host.contents.as_ref());
    let name = contents.map(|contents| contents.name.clone());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| host.short())
}

fn placement_host_name(view: &View, host: &placement::HostId) -> String {
    match host.as_str().parse() {
        Ok(host) => host_name(view, host),
        Err(_) => host.to_string(),
    }
}
