//! What an operator asks of a lattice and its hosts: whether an app is as wanted, what a deploy would change,
//! to drain and to label a host, and what happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rows::PlacementRow;

/// What `GET /v1/status?app=` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The app's name.
    pub app: String,
    /// The revision that is wanted.
    pub revision: u64,
    /// Whether every component has as many replicas as wanted, all ready at that revision.
    pub ready: bool,
    /// Why nothing is decided by what is heard of other hosts at the moment, if that is so.
    pub held: Option<String>,
    /// Its components.
    pub components: Vec<ComponentStatus>,
}

/// Whether a component is as wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// Where it is to run, and why not where it is not.
    #[serde(flatten)]
    pub placement: PlacementRow,
    /// How many hosts have it, by revision, in ascending order.
    pub revisions: Vec<RevisionStatus>,
}

/// How many hosts have a revision of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionStatus {
    /// The revision.
    pub revision: u64,
    /// Hosts on which it takes calls.
    pub ready: usize,
    /// Hosts on which it could not be prepared.
    pub failed: usize,
    /// Hosts on which it is being prepared, or finishes what it has.
    pub other: usize,
}

/// What `POST /v1/plan` answers: what a deploy would change. Nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReport {
    /// The app's name.
    pub app: String,
    /// The revision that is deployed; none if the app is new.
    pub revision: Option<u64>,
    /// What would change in the app, one line each; empty if nothing would.
    pub changes: Vec<String>,
    /// What would change on which host.
    pub hosts: Vec<HostChange>,
    /// Where the app's components would run.
    pub placements: Vec<PlacementRow>,
    /// Why nothing is decided by what is heard of other hosts at the moment, if that is so.
    pub held: Option<String>,
}

/// What one host would do differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostChange {
    /// The host's name.
    pub host: String,
    /// Its id in the lattice; none for a host that is its own.
    pub id: Option<String>,
    /// What it does.
    pub change: ChangeKind,
    /// The app whose component it is: not always the one that is deployed, where capacity is short.
    pub app: String,
    /// The component.
    pub component: String,
    /// With how many replicas.
    pub replicas: usize,
}

/// What a host would do with a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It begins to run it, or runs more replicas.
    Starts,
    /// It runs another version or other settings of it.
    Changes,
    /// It runs it no more, or with fewer replicas.
    Stops,
}

/// What `POST /v1/drain` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// Whether to take work again in place of none.
    #[serde(default)]
    pub undo: bool,
}

/// What `GET` and `POST /v1/drain` answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainReport {
    /// The host's name.
    pub host: String,
    /// Its id in the lattice.
    pub id: String,
    /// What it says of itself, as in `weft get hosts`.
    pub status: String,
    /// What still runs there and is on its way to other hosts.
    pub leaving: Vec<String>,
    /// What runs there because no other host may have it, and why.
    pub staying: Vec<Staying>,
}

/// A component that cannot leave a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staying {
    /// The component, as `APP/COMPONENT`.
    pub component: String,
    /// Why no other host takes it.
    pub why: Vec<String>,
}

/// What `POST /v1/labels` takes: for each name the value, or none to remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRequest {
    /// The labels to set and to remove.
    pub labels: BTreeMap<String, Option<String>>,
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelReport {
    /// The host's name.
    pub host: String,
    /// Its labels from now on.
    pub labels: BTreeMap<String, String>,
}

/// Something that happened, as the host that was asked saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Counts the events of this host since it started.
    pub sequence: u64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// A stable name for programs, such as `host-died`.
    pub kind: String,
    /// The host that it is about.
    pub host: Option<String>,
    /// The app that it is about.
    pub app: Option<String>,
    /// The component that it is about.
    pub component: Option<String>,
    /// What happened, for people.
    pub message: String,
}

impl DrainReport {
    /// Whether all that other hosts may have has left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.leaving.is_empty() && self.staying.is_empty()
    }
}
