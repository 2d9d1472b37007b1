//! The rows of `weft get … -o json`: one flat object per thing. Fields are added, never renamed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A row of `weft get apps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppRow {
    /// The app's name.
    pub app: String,
    /// Counts its changes.
    pub revision: u64,
    /// `ready`; `behind` if a newer revision does not start on this host and the one of the row goes on;
    /// `failed` if nothing of it runs here that was to (then `reason` says why).
    pub status: String,
    /// Why it is not ready.
    pub reason: Option<String>,
    /// How many components it has.
    pub components: usize,
    /// How many links it has.
    pub links: usize,
    /// How many routes it has.
    pub routes: usize,
    /// When it was last changed, in milliseconds since the Unix epoch.
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
    /// The components fused with it when a request enters here, itself first.
    pub fused: Vec<String>,
    /// Whether its machine code is in memory; that of an idle component is not, and is loaded by the
    /// next request.
    pub loaded: bool,
    /// Requests and calls that entered here and are running now.
    pub in_flight: u64,
    /// Requests and calls that entered here since the host started.
    pub requests: u64,
    /// How many of them trapped.
    pub traps: u64,
    /// Most bytes of linear memory a request that enters here may use.
    pub memory_bytes_max: u64,
    /// Milliseconds a request that enters here may take.
    pub deadline_ms: u64,
    /// Requests that may run here at once.
    pub concurrency_max: u64,
}

/// A row of `weft get links`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkRow {
    /// The app's name.
    pub app: String,
    /// The component that imports.
    pub from: String,
    /// What it imports.
    pub interface: String,
    /// The link's name, if it has one.
    pub name: Option<String>,
    /// The component or provider that serves it.
    pub to: String,
    /// `fused` for a component in the same store, `local` for one in another store, `host` for a
    /// provider; empty if this host does not run the app.
    pub mode: String,
    /// `auto`, `fused` or `local`: what the manifest asks for; `None` for a provider.
    #[serde(default)]
    pub locality: Option<String>,
}

/// What `weft link why` says of one import and its link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkWhyRow {
    /// The app's name.
    pub app: String,
    /// The component that imports.
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
    /// How the calls of each function go.
    pub functions: Vec<LinkFunction>,
    /// Why the mode is not a faster one, a sentence each; empty if none is faster.
    pub why: Vec<String>,
    /// Milliseconds a call over the link may take, if the manifest says so.
    pub deadline_ms: Option<u64>,
}

/// A function of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFunction {
    /// The function's name, as in WIT.
    pub function: String,
    /// How its calls go: `fused`, `direct`, `scalars`, `stub`, `concurrent` or `host`.
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
    /// How many links it serves.
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
    /// The component that answers.
    pub to: String,
    /// What the component speaks: `wasi:http@0.2` or `wasi:http@0.3`.
    pub protocol: String,
}

/// A row of `weft get hosts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostRow {
    /// The host's name; the beginning of its id if it has not said its name yet.
    pub host: String,
    /// The lattice it has joined; none for a host that is its own.
    pub lattice: Option<String>,
    /// Its identity in the lattice.
    pub id: Option<String>,
    /// `joining`, `ready`, `frozen` (its bus is away, or just back, and it acts on no news), `draining`,
    /// `left`, or, as the host that was asked hears it, `suspected` or `dead`.
    pub status: String,
    /// The version of weft it runs.
    pub version: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where it takes HTTP requests.
    pub http: Option<String>,
    /// Where its admin API is.
    pub admin: Option<String>,
    /// Seconds since it started; told by the host itself alone.
    pub uptime_s: Option<u64>,
    /// How many apps it runs.
    pub apps: usize,
    /// How many components it runs.
    pub components: usize,
    /// How many core instances its pool has room for; told by the host itself alone.
    pub pool_instances_max: Option<u64>,
    /// How many components it compiled since it started; told by the host itself alone.
    #[serde(default)]
    pub compilations: Option<u64>,
    /// How many calls and requests it runs, as it said last.
    #[serde(default)]
    pub running: u64,
    /// What is wrong with it while it serves, a sentence each.
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
    /// The revision of the app that is wanted.
    pub revision: u64,
    /// How many replicas are wanted.
    pub wanted: u32,
    /// How many have a host.
    pub placed: u32,
    /// How many of those are ready there at that revision.
    pub ready: u32,
    /// The names of their hosts; a host with two replicas is there twice.
    pub hosts: Vec<String>,
    /// Why no host takes one more, if fewer are placed than wanted; a sentence each.
    pub why: Vec<String>,
    /// The stores of one host that bind it to that host.
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

/// A row of `weft get inventory`: what a host says that it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryRow {
    /// The host's name.
    pub host: String,
    /// Its id in the lattice; none for a host that is its own.
    pub id: Option<String>,
    /// The app's name.
    pub app: String,
    /// The component's name.
    pub component: String,
    /// The revision of the app.
    pub revision: u64,
    /// `preparing`, `ready`, `stopping` or `failed`.
    pub readiness: String,
    /// Why it failed, as far as the host that was asked knows.
    pub reason: Option<String>,
}

impl HostRow {
    /// Whether it is there no more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.status.as_str(), "dead" | "left")
    }
}
