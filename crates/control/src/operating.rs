//! Bodies of operator requests: the status of an app, the plan of a deploy, draining and labelling
//! a host, and events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rows::PlacementRow;

/// The answer to `GET /v1/status?app=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The app's name.
    pub app: String,
    /// The desired revision.
    pub revision: u64,
    /// True if every component has all desired replicas, each ready at that revision, and the app
    /// has all of its routes.
    pub ready: bool,
    /// The reason why the app lacks routes, if it does.
    #[serde(default)]
    pub reason: Option<String>,
    /// The reason why placement is paused, if it is.
    pub held: Option<String>,
    /// The app's components.
    pub components: Vec<ComponentStatus>,
    /// Problems that do not keep the app from being ready, for operators.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The status of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// Its placement, with the reasons for missing replicas.
    #[serde(flatten)]
    pub placement: PlacementRow,
    /// Number of hosts per revision, in ascending order.
    pub revisions: Vec<RevisionStatus>,
}

/// Number of hosts with one revision of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionStatus {
    /// The revision.
    pub revision: u64,
    /// Hosts on which the revision takes calls.
    pub ready: usize,
    /// Hosts on which preparation failed.
    pub failed: usize,
    /// Hosts on which the revision is being prepared or is stopping.
    pub other: usize,
}

/// The body of `POST /v1/keyvalue/accept`: has the stores of a provider begin again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// The app.
    pub app: String,
    /// The provider of the app.
    pub provider: String,
}

/// The answer to `POST /v1/keyvalue/accept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptReport {
    /// The app.
    pub app: String,
    /// The provider of the app.
    pub provider: String,
    /// The places of its stores, as the provider names them.
    pub places: Vec<String>,
}

/// The answer to `POST /v1/plan`: the changes of a deploy, without making them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReport {
    /// The app's name.
    pub app: String,
    /// The deployed revision; `None` if the app is new.
    pub revision: Option<u64>,
    /// The changes in the app, one line each; empty if nothing changes.
    pub changes: Vec<String>,
    /// The changes on hosts.
    pub hosts: Vec<HostChange>,
    /// The planned placement of the app's components.
    pub placements: Vec<PlacementRow>,
    /// The reason why placement is paused, if it is.
    pub held: Option<String>,
}

/// A change on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostChange {
    /// The host's name.
    pub host: String,
    /// The id in the lattice; `None` for a host without a lattice.
    pub id: Option<String>,
    /// The kind of change.
    pub change: ChangeKind,
    /// The component's app: not always the deployed one, where capacity is short.
    pub app: String,
    /// The component.
    pub component: String,
    /// The number of replicas after the change.
    pub replicas: usize,
}

/// The kinds of changes of a component on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The host starts the component, or more replicas of it.
    Starts,
    /// The host runs another version or other settings of the component.
    Changes,
    /// The host stops the component, or some of its replicas.
    Stops,
}

/// The body of `POST /v1/drain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// True to end the drain, so that the host takes work again.
    #[serde(default)]
    pub undo: bool,
}

/// The answer to `GET` and `POST /v1/drain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainReport {
    /// The host's name.
    pub host: String,
    /// Its id in the lattice.
    pub id: String,
    /// The state that the host reports, as in `weft get hosts`.
    pub status: String,
    /// Components that still run there and move to other hosts.
    pub leaving: Vec<String>,
    /// Components that no other host can take, with the reasons.
    pub staying: Vec<Staying>,
}

/// A component that cannot move to another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staying {
    /// The component, as `APP/COMPONENT`.
    pub component: String,
    /// The reasons why no other host takes it.
    pub why: Vec<String>,
}

/// The body of `POST /v1/labels`: a value for each name, `None` to remove the label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRequest {
    /// The labels to set and to remove.
    pub labels: BTreeMap<String, Option<String>>,
}

/// The answer to `POST /v1/labels`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelReport {
    /// The host's name.
    pub host: String,
    /// The labels after the change.
    pub labels: BTreeMap<String, String>,
    /// The components that have a host before the change and none after it. What runs of them goes
    /// on serving.
    #[serde(default)]
    pub unplaced: Vec<PlacementRow>,
}

/// An event, as the answering host observed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The number of the event, counted from the start of the host.
    pub sequence: u64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// A stable name for programs, such as `host-died`.
    pub kind: String,
    /// The host concerned.
    pub host: Option<String>,
    /// The app concerned.
    pub app: Option<String>,
    /// The component concerned.
    pub component: Option<String>,
    /// A description, for people.
    pub message: String,
}

impl DrainReport {
    /// True if no component is left on the host.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.leaving.is_empty() && self.staying.is_empty()
    }
}
