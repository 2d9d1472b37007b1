//! Reports changes of the lattice: a line in the log, and an event for `weft events`.

use std::collections::BTreeMap;

use weft_lattice_config::placement::{self, Assignments, Plan, moves};
use weft_membership::message::HostState;
use weft_membership::{Change, Event, HostId, PlacementPause, View};
use weft_state::desired::DesiredReplica;
use weft_telemetry::events::{About, Events, Kind};

/// The most moves of one plan that are reported one by one; of the rest, only the number is.
const MOVES_REPORTED_MAX: usize = 100;

/// The most changes of a host that wait for its name.
const CHANGES_QUEUED_MAX: usize = 8;

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

/// Reports membership events, each with the name of its host. A host is unnamed until its
/// inventory is received, shortly after its first heartbeat; its events wait until then.
pub(super) struct MembershipReporter {
    events: Events,
    unnamed: BTreeMap<HostId, Vec<Change>>,
    /// The current pause of placement is in the log. That of each start is not: it is no news.
    is_pause_logged: bool,
}

impl MembershipReporter {
    pub(super) fn new(events: Events) -> Self {
        Self {
            events,
            unnamed: BTreeMap::new(),
            is_pause_logged: false,
        }
    }

    /// Reports one event, or queues it until its host has a name.
    pub(super) fn report(&mut self, view: &View, event: &Event) {
        match event {
            Event::Host { host, change } => self.report_change(view, *host, *change),
            Event::PlacementPaused(pause) => {
                let reason = pause_reason(*pause);
                let message = format!("placement is paused: {reason}");
                match pause {
                    PlacementPause::Unconnected | PlacementPause::Joining => {
                        tracing::debug!("{message}");
                    }
                    PlacementPause::Disconnected | PlacementPause::Returning => {
                        tracing::info!("{message}");
                        self.is_pause_logged = true;
                    }
                }
                report_lattice(&self.events, Kind::ViewFrozen, message);
            }
            Event::PlacementResumed => {
                if std::mem::take(&mut self.is_pause_logged) {
                    tracing::info!("placement has resumed");
                }
                let message = "placement has resumed".to_owned();
                report_lattice(&self.events, Kind::ViewThawed, message);
            }
            Event::Superseded { incarnation } => {
                tracing::error!(
                    incarnation,
                    "another process has this host's identity; the lattice ignores this one"
                );
                let message = format!(
                    "another process has this host's identity, with incarnation {incarnation}; the \
                     lattice ignores this one, which ends"
                );
                report_lattice(&self.events, Kind::HostSuperseded, message);
            }
            Event::Outdated { incarnation } => {
                tracing::warn!(
                    incarnation,
                    "other hosts know a later incarnation of this host"
                );
                let message = format!(
                    "the incarnation of this host went back, as after a restore from a backup: \
                     other hosts know {incarnation}; it takes a larger one"
                );
                report_lattice(&self.events, Kind::HostOutdated, message);
            }
        }
    }

    fn report_change(&mut self, view: &View, host: HostId, change: Change) {
        tracing::debug!(host = host.short(), ?change, "membership");
        let queued = self.unnamed.entry(host).or_default();
        queued.push(change);
        // A host that is lost before its inventory arrives is reported by its short id.
        let is_final = matches!(change, Change::Died | Change::Left | Change::Forgotten);
        if view.host(host).is_none_or(|host| host.contents.is_none())
            && !is_final
            && queued.len() < CHANGES_QUEUED_MAX
        {
            return;
        }
        for change in self.unnamed.remove(&host).unwrap_or_default() {
            report_host(&self.events, view, host, change);
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
        events.publish(
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
            let what = "restarts too often, and gets no components until it is stable";
            (Kind::HostDamped, what.to_owned())
        }
        Change::Steadied => (
            Kind::HostSteadied,
            "is stable, and gets components again".to_owned(),
        ),
        Change::State(state) => (Kind::HostState, state_phrase(state).to_owned()),
        // Each deploy changes all inventories; `app-deployed` and `placement-moved` report
        // their effects.
        Change::Inventory => return,
        Change::Forgotten => (
            Kind::HostForgotten,
            "has been dead for so long that it was removed".to_owned(),
        ),
    };
    let name = host_name(view, host);
    let message = format!("{name} {what}");
    match change {
        // Follows each start, after `has joined`.
        Change::State(HostState::Joining | HostState::Ready) => {}
        _ => tracing::info!("host {message}"),
    }
    events.publish(
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
pub(crate) fn pause_reason(pause: PlacementPause) -> &'static str {
    match pause {
        PlacementPause::Unconnected => "this host has not reached the bus yet",
        PlacementPause::Joining => {
            "this host has just joined, and receives heartbeats before it decides"
        }
        PlacementPause::Disconnected => "this host is disconnected from the bus",
        PlacementPause::Returning => "this host has just reconnected to the bus",
    }
}

fn report_lattice(events: &Events, kind: Kind, message: String) {
    events.publish(
        kind,
        About {
            message,
            ..About::default()
        },
    );
}

/// The display name of a host; its short id until its inventory is received.
fn host_name(view: &View, host: HostId) -> String {
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

#[cfg(test)]
mod tests {
    use weft_membership::{SETTLE_AFTER_START, TICK_EVERY};

    use super::*;
    use crate::test_support::{OTHER, TestMembership, host};

    /// The kinds and messages of all events.
    fn reported(events: &Events) -> Vec<(String, String)> {
        let all = events.tail(usize::MAX, |_| true).into_iter();
        all.map(|event| (event.kind, event.message)).collect()
    }

    fn change(change: Change) -> Event {
        Event::Host {
            host: OTHER,
            change,
        }
    }

    /// A membership that receives heartbeats of a named host, and not its inventory yet.
    fn unnamed() -> (TestMembership, weft_membership::Membership) {
        let mut membership = TestMembership::new();
        let mut other = host(OTHER, 1);
        let contents = weft_membership::message::Contents {
            name: "south".to_owned(),
            ..Default::default()
        };
        other.set_contents(contents).unwrap();
        membership.advance(SETTLE_AFTER_START, std::slice::from_mut(&mut other));
        (membership, other)
    }

    #[test]
    fn a_host_is_reported_by_the_name_in_its_inventory() {
        let (mut membership, other) = unnamed();
        let events = Events::new();
        let mut reporter = MembershipReporter::new(events.clone());
        let view = membership.own.view();
        reporter.report(view, &change(Change::Joined));
        reporter.report(view, &change(Change::State(HostState::Ready)));
        assert_eq!(reported(&events), []);
        membership.receive_inventory(&other);
        reporter.report(membership.own.view(), &change(Change::Inventory));
        let expected = [
            ("host-joined".to_owned(), "south has joined".to_owned()),
            ("host-state".to_owned(), "south is ready".to_owned()),
        ];
        assert_eq!(reported(&events), expected);
    }

    #[test]
    fn a_host_that_dies_before_its_inventory_arrives_is_reported_by_its_id() {
        let (mut membership, _) = unnamed();
        let events = Events::new();
        let mut reporter = MembershipReporter::new(events.clone());
        membership.advance(TICK_EVERY, &mut []);
        let view = membership.own.view();
        for it in [Change::Joined, Change::Suspected, Change::Died] {
            reporter.report(view, &change(it));
        }
        let kinds: Vec<_> = reported(&events)
            .into_iter()
            .map(|(kind, _)| kind)
            .collect();
        assert_eq!(kinds, ["host-joined", "host-suspected", "host-died"]);
        let id = OTHER.short();
        assert!(reported(&events).iter().all(|(_, it)| it.starts_with(&id)));
    }
}
