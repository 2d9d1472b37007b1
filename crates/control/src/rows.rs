//! The rows of `weft get … -o json`: one flat object per row. Fields are added, never renamed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A row of `weft get apps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppRow {
    /// The app's name.
    pub app: String,
    /// The revision, counted from 1.
    pub revision: u64,
    /// `ready`; `behind` if a newer revision failed to start on this host and the revision of the
    /// row keeps serving; `failed` if no component that belongs on this host runs (`reason` has the
    /// cause).
    pub status: String,
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
}

/// A row of `weft get components`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentRow {
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
    /// `fused` for a component in the same store, `local` for one in another store, `host` for a
    /// provider; empty if this host does not run the app.
    pub mode: String,
    /// `auto`, `fused` or `local`, from the manifest; `None` for a provider.
    #[serde(default)]
    pub locality: Option<String>,
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
}

/// A function of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFunction {
    /// The function's name, as in WIT.
    pub function: String,
    /// The path of its calls: `fused`, `direct`, `scalars`, `stub`, `concurrent` or `host`.
    pub path: String,
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
    /// The HTTP interface of the component: `wasi:http@0.2` or `wasi:http@0.3`.
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
    /// paused), `draining` or `left`; or, as observed by the answering host, `suspected` or `dead`.
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
    /// Number of those that are ready at that revision.
    pub ready: u32,
    /// The names of their hosts; a host with two replicas appears twice.
    pub hosts: Vec<String>,
    /// The reasons why no host takes another replica, if some are not placed; a sentence each.
    pub why: Vec<String>,
    /// The stores that bind it to one host.
    pub pins: Vec<PinRow>,
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
}
