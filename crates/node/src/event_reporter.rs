//! Reports changes of the lattice: a line in the log, and an event for `weft events`.

use weft_lattice_config::placement::{self, Assignments, Plan, moves};
use weft_membership::message::HostState;
use weft_membership::{Change, Event, Freeze, HostId, View};
use weft_state::desired::DesiredReplica;
use weft_telemetry::events::{About, Events, Kind};

/// The most moves of one plan that are reported one by one; of the rest, only the number is.
const MOVES_REPORTED_MAX: usize = 100;

/// The state that was reported last, so that each change is reported once.
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

    /// Reports whether the desired-state bucket is available, if that has changed.
    pub(super) fn report_bucket(&mut self, replica: &DesiredReplica) {
        // Undecided while the bucket is read.
        let is_bucket_available = match (replica.is_bucket_known(), replica.is_reading()) {
            (true, _) => true,
            (false, true) => return,
            (false, false) => false,
        };
        if self.is_bucket_available.replace(is_bucket_available) == Some(is_bucket_available) {
            return;
        }
        let (kind, message) = if is_bucket_available {
            (Kind::StoreBack, "the desired-state bucket is available")
        } else {
            let message =
                "the desired-state bucket is unavailable: running apps go on, and changes fail";
            (Kind::StoreAway, message)
        };
        report_lattice(&self.events, kind, message.to_owned());
    }

    /// Reports the difference to the previous plan.
    pub(super) fn report_plan(&mut self, view: &View, plan: &Plan) {
        if self.assignments == plan.assignments {
            return;
        }
        report_moves(&self.events, view, &self.assignments, &plan.assignments);
        self.assignments.clone_from(&plan.assignments);
    }
}

/// Reports a membership event.
pub(super) fn report(events: &Events, view: &View, event: &Event) {
    match event {
        Event::Host { host, change } => report_host(events, view, *host, *change),
        Event::Froze(freeze) => {
            tracing::info!(?freeze, "placement is paused");
            let why = freeze_reason(*freeze);
            report_lattice(
                events,
                Kind::ViewFrozen,
                format!("placement is paused: {why}"),
            );
        }
        Event::Thawed => {
            tracing::info!("placement has resumed");
            let message = "placement has resumed".to_owned();
            report_lattice(events, Kind::ViewThawed, message);
        }
        Event::Superseded { incarnation } => {
            tracing::error!(
                incarnation,
                "another process has this host's key; the lattice ignores this one"
            );
            let message = format!(
                "another process has this host's key, with incarnation {incarnation}; the lattice \
                 ignores this one"
            );
            report_lattice(events, Kind::HostSuperseded, message);
        }
    }
}

/// Reports the moves between two plans.
fn report_moves(events: &Events, view: &View, before: &Assignments, after: &Assignments) {
    let moves = moves(before, after);
    for moved in moves.iter().take(MOVES_REPORTED_MAX) {
        let host = placement_host_name(view, &moved.host);
        let does = match moved.kind {
            placement::MoveKind::Starts => "starts on",
            placement::MoveKind::Stops => "stops on",
        };
        let message = format!("{} {does} {host}", moved.component);
        events.tell(
            Kind::PlacementMoved,
            About {
                app: Some(moved.component.app.to_string()),
                component: Some(moved.component.component.to_string()),
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
        Change::Joined => (Kind::HostJoined, "has joined".to_owned()),
        Change::Restarted => (Kind::HostRestarted, "has restarted".to_owned()),
        Change::Suspected => (Kind::HostSuspected, "missed a heartbeat".to_owned()),
        Change::Recovered => (Kind::HostRecovered, "sends heartbeats again".to_owned()),
        Change::Died => (Kind::HostDied, "is silent for too long: dead".to_owned()),
        Change::Left => (Kind::HostLeft, "has left".to_owned()),
        Change::Returned => (
            Kind::HostReturned,
            "was dead, and sends heartbeats again".to_owned(),
        ),
        Change::Damped { .. } => {
            let what = "restarts too often, and gets no components until moved is stable";
            (Kind::HostDamped, what.to_owned())
        }
        Change::Steadied => (
            Kind::HostSteadied,
            "is stable, and gets components again".to_owned(),
        ),
        Change::State(state) => (Kind::HostState, state_phrase(state).to_owned()),
        // Each deploy changes all inventories; `app-deployed` and `placement-moved` report moved.
        Change::Inventory => return,
        Change::Forgotten => (
            Kind::HostForgotten,
            "has been dead for so long that moved was removed".to_owned(),
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
        HostState::Ready => "is ready",
        HostState::Draining => "drains: its components go to other hosts",
        HostState::Frozen => "has lost its bus or just reconnected, and changes nothing",
        HostState::Left => "has left",
    }
}

/// The reason placement is paused.
pub(crate) fn freeze_reason(freeze: Freeze) -> &'static str {
    match freeze {
        Freeze::Unconnected => "this host has not reached the bus yet",
        Freeze::Joining => {
            "this host has just joined, and receives heartbeats before moved decides"
        }
        Freeze::Away => "this host is disconnected from the bus",
        Freeze::Returning => "this host has just reconnected to the bus",
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

/// The display name of a host; its short id until its inventory is received.
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
