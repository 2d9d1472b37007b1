//! The rows of `weft get … -o json`: one flat object per row. Fields are added, never renamed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A row of `weft get apps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppRow {
    /// The app's name.
    pub app: String,
    /// The desired revision, counted from 1; for `behind`, the one that keeps serving.
    pub revision: u64,
    /// `ready` if all desired replicas are ready on all hosts; `waiting` if some are being prepared
    /// or have no host; `behind` if the desired revision does not start on a host and the revision
    /// of the row keeps serving; `failed` if it does not start and no revision serves.
    pub status: String,
    /// Number of desired replicas, over all components.
    #[serde(default)]
    pub wanted: u32,
    /// Number of those that are ready at the desired revision.
    #[serde(default)]
    pub ready: u32,
    /// The reason why the app is not ready.
    pub reason: Option<String>,
    /// Number of components.
    pub components: usize,
    /// Number of links.
    pub links: usize,
    /// Number of routes.
    pub routes: usize,
    /// Time of the last change, in milliseconds since the Unix epoch.
    pub changed_at_ms: u64,
    /// The labels of the manifest; empty in the answer of a host of an older release.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A row of `weft get components`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentRow {
    /// The name of the host of this copy.
    #[serde(default)]
    pub host: String,
    /// The app's name.
    pub app: String,
    /// The component's name.
    pub component: String,
    /// `sha256:` and the digest of its bytes.
    pub digest: String,
    /// The size of its bytes.
    pub bytes: u64,
    /// `per-request` or `reuse`.
    pub instances: String,
    /// The components fused with it when a request enters here, starting with itself.
    pub fused: Vec<String>,
    /// True if its machine code is in memory; the code of an idle component is unloaded until the
    /// next request.
    pub loaded: bool,
    /// Running requests and calls that entered here.
    pub in_flight: u64,
    /// Requests and calls that entered here since the host started.
    pub requests: u64,
    /// Number of these that trapped.
    pub traps: u64,
    /// The most bytes of linear memory of a request that enters here.
    pub memory_bytes_max: u64,
    /// The deadline in milliseconds of a request that enters here.
    pub deadline_ms: u64,
    /// The most concurrent requests here.
    pub concurrency_max: u64,
}

/// A row of `weft get links`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkRow {
    /// The app's name.
    pub app: String,
    /// The importing component.
    pub from: String,
    /// The imported interface.
    pub interface: String,
    /// The link's name, if it has one.
    pub name: Option<String>,
    /// The component or provider that serves it.
    pub to: String,
    /// `fused` for a component in the same store, `local` for one in another store, `remote` for
    /// one on another host, `host` for a provider; empty if the host does not run the importing
    /// component.
    pub mode: String,
    /// `auto`, `fused` or `local`, from the manifest; `None` for a provider.
    #[serde(default)]
    pub locality: Option<String>,
    /// The name of the host with that mode; `None` if no host runs the importing component.
    #[serde(default)]
    pub host: Option<String>,
}

/// The answer of `weft link why` for one import and its link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkWhyRow {
    /// The app's name.
    pub app: String,
    /// The importing component.
    pub from: String,
    /// The name of the import; for a provider, the interface or package that the link is for.
    pub interface: String,
    /// The link's name, if it has one.
    pub name: Option<String>,
    /// The component or provider that serves it.
    pub to: String,
    /// As in [`LinkRow`].
    pub mode: String,
    /// As in [`LinkRow`].
    pub locality: Option<String>,
    /// The path of the calls of each function.
    pub functions: Vec<LinkFunction>,
    /// The reasons why the mode is not a faster one, a sentence each; empty for the fastest mode.
    pub why: Vec<String>,
    /// The deadline in milliseconds of a call over the link, if the manifest sets one.
    pub deadline_ms: Option<u64>,
    /// The name of the host with this mode.
    #[serde(default)]
    pub host: Option<String>,
}

/// A function of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFunction {
    /// The function's name, as in WIT.
    pub function: String,
    /// The path of its calls: `fused`, `direct`, `scalars`, `stub`, `concurrent`, `host` or `http`.
    pub path: String,
    /// The requests that call it; `None` unless the importer is HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpOperation>,
}

/// An operation of a route: requests that call a function, and their responses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpOperation {
    /// The method of a request.
    pub method: String,
    /// The path with that of the route, and the query, as a template.
    pub path: String,
    /// The statuses of results and errors of the function, in order. The host itself responds with
    /// others, such as 400 to a request that does not fit.
    pub statuses: Vec<u16>,
    /// True if a call is repeated on another host after its host was lost.
    pub idempotent: bool,
}

/// A row of `weft get providers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderRow {
    /// The app's name.
    pub app: String,
    /// The provider's name.
    pub provider: String,
    /// Its type, for example `keyvalue-redb`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The interfaces it can serve.
    pub serves: Vec<String>,
    /// Number of links that it serves.
    pub links: usize,
}

/// A row of `weft get routes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteRow {
    /// The app's name.
    pub app: String,
    /// The host name or pattern; `*` for any.
    pub host: String,
    /// The path prefix.
    pub path: String,
    /// The component that serves the route.
    pub to: String,
    /// The HTTP interface of the component: `wasi:http@0.2` or `wasi:http@0.3`; empty if the host
    /// does not run the component.
    pub protocol: String,
}

/// A row of `weft get hosts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostRow {
    /// The host's name; the beginning of its id until the name is received.
    pub host: String,
    /// The lattice it has joined; `None` for a host without one.
    pub lattice: Option<String>,
    /// Its identity in the lattice.
    pub id: Option<String>,
    /// `joining`, `ready`, `frozen` (its bus is unavailable or only just back, and placement is
    /// paused), `draining` or `left`; or, as observed by the answering host, `suspected`, `dead` or
    /// `damped` (joined and left too often, and gets no new work for some time).
    pub status: String,
    /// The version of weft it runs.
    pub version: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The address for HTTP requests.
    pub http: Option<String>,
    /// The address of its admin API.
    pub admin: Option<String>,
    /// Seconds since it started; only in the host's own answer.
    pub uptime_s: Option<u64>,
    /// Number of apps on the host.
    pub apps: usize,
    /// Number of components on the host.
    pub components: usize,
    /// Number of core instances its pool has room for; only in the host's own answer.
    pub pool_instances_max: Option<u64>,
    /// Number of components compiled since it started; only in the host's own answer.
    #[serde(default)]
    pub compilations: Option<u64>,
    /// Bytes of the artifacts on its disk; only in the host's own answer.
    #[serde(default)]
    pub artifacts_bytes: Option<u64>,
    /// Bytes of the machine code on its disk; only in the host's own answer.
    #[serde(default)]
    pub code_bytes: Option<u64>,
    /// Number of running calls and requests, from its latest heartbeat.
    #[serde(default)]
    pub running: u64,
    /// Conditions that the host reports while it serves, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A row of `weft get placements`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementRow {
    /// The app's name.
    pub app: String,
    /// The component's name.
    pub component: String,
    /// The desired revision of the app.
    pub revision: u64,
    /// Number of desired replicas.
    pub wanted: u32,
    /// Number of replicas with a host.
    pub placed: u32,
    /// Number of desired replicas that are ready at that revision, also on hosts that placement
    /// would not choose now.
    pub ready: u32,
    /// The names of their hosts; a host with two replicas appears twice.
    pub hosts: Vec<String>,
    /// The reasons why a desired replica is not ready, a sentence each.
    pub why: Vec<String>,
    /// The stores that bind it to one host.
    pub pins: Vec<PinRow>,
    /// The names of the hosts on which it is ready at that revision.
    #[serde(default)]
    pub serving: Vec<String>,
    /// `sha256:` and the digest of its bytes.
    #[serde(default)]
    pub digest: Option<String>,
    /// The standing of every host, if the query has `why=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits: Option<FitsRow>,
}

/// The requirements of a component, and the standing of every host towards it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FitsRow {
    /// The components that are placed as one with it by fused links, itself included.
    pub together: Vec<String>,
    /// The weight of a replica of all of them.
    pub weight: u64,
    /// The labels that a host must have, as `KEY=VALUE` or `KEY=VALUE|VALUE`.
    pub require: Vec<String>,
    /// The labels that a host should have.
    pub prefer: Vec<String>,
    /// The label over whose values replicas are spread.
    pub spread: Option<String>,
    /// All hosts, dead ones too, in the order in which the component ranks them.
    pub hosts: Vec<HostFitRow>,
}

/// The standing of a host towards a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFitRow {
    /// The host's name.
    pub host: String,
    /// Its id in the lattice; `None` for a host without one.
    pub id: Option<String>,
    /// As in [`HostRow`].
    pub status: String,
    /// Its place in the component's ranking of hosts, counted from 1.
    pub order: usize,
    /// Number of replicas that are placed there.
    pub replicas: usize,
    /// True if the component is ready there, at any revision.
    pub serves: bool,
    /// True if one more replica could be placed there; for a host that takes no part in placement,
    /// if it did.
    pub fits: bool,
    /// The labels of the host that the component requires or prefers, as `KEY=VALUE`.
    pub labels: Vec<String>,
    /// The declared capacity; `None` for no limit.
    pub capacity: Option<u64>,
    /// The capacity that the plan leaves free; `None` for no limit.
    pub free: Option<u64>,
    /// The reason for all of this, for people.
    pub why: String,
}

/// A store that binds a component to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinRow {
    /// The store, as `APP/PROVIDER`.
    pub store: String,
    /// The name of its host.
    pub host: String,
}

/// A row of `weft get inventory`: a component that a host reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryRow {
    /// The host's name.
    pub host: String,
    /// Its id in the lattice; `None` for a host without one.
    pub id: Option<String>,
    /// The app's name.
    pub app: String,
    /// The component's name.
    pub component: String,
    /// The revision of the app.
    pub revision: u64,
    /// `preparing`, `ready`, `stopping` or `failed`.
    pub readiness: String,
    /// The reason of a failure, if the answering host has received it.
    pub reason: Option<String>,
}

impl HostRow {
    /// True if the host is dead or has left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.status.as_str(), "dead" | "left")
    }

    /// The bytes that the host has stored on its disk; `None` if they are unknown.
    #[must_use]
    pub fn stored_bytes(&self) -> Option<u64> {
        let artifacts = self.artifacts_bytes?;
        Some(artifacts + self.code_bytes.unwrap_or(0))
    }
}
