//! The manifest model: one app, its components, providers, links and routes.
//!
//! These types are the single source of truth: the JSON Schema comes from them, the checks of
//! [`App::from_yaml`] walk that schema, and the comments below are what a user's editor shows.

mod placement;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::interface::InterfaceRef;
use crate::name::{AppName, ComponentName, LinkName, Name, ProviderName};
use crate::quantity::{ByteSize, DurationText};
use crate::routes::{HostPattern, PathPrefix};

pub use self::placement::{Placement, REPLICAS_MAX, WEIGHT_MAX};
use self::placement::{is_one, one};

/// The most components an app may have: a fused app is one binary, and placement looks at all pairs.
pub const COMPONENTS_MAX: usize = 256;
/// The most providers an app may have.
pub const PROVIDERS_MAX: usize = 256;
/// The most links an app may have: sixteen for each component.
pub const LINKS_MAX: usize = 4096;
/// The most routes an app may have: a request is compared with each.
pub const ROUTES_MAX: usize = 1024;

/// A Weft app: which components run, what they are linked to and which requests they take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct App {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// What the file describes.
    pub kind: Kind,
    /// The app's name and notes about it.
    pub metadata: Metadata,
    /// What the app consists of.
    pub spec: AppSpec,
}

/// The version of the manifest format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first version; it may still change.
    #[default]
    #[serde(rename = "weft.dev/v1alpha1")]
    V1Alpha1,
}

/// What a manifest describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// An app.
    #[default]
    App,
}

/// The app's name and notes about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Metadata {
    /// The name of the app, unique in its lattice.
    pub name: AppName,
    /// Short texts to select apps by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Notes of people and tools; Weft does not read them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What an app consists of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AppSpec {
    /// The WebAssembly components of the app.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = COMPONENTS_MAX))]
    pub components: Vec<ComponentSpec>,
    /// The capabilities the host provides to the app.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = PROVIDERS_MAX))]
    pub providers: Vec<ProviderSpec>,
    /// Which import of which component is served by whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = LINKS_MAX))]
    pub links: Vec<LinkSpec>,
    /// Which HTTP requests go to which component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = ROUTES_MAX))]
    pub routes: Vec<RouteSpec>,
}

/// A WebAssembly component of the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ComponentSpec {
    /// The name of the component, unique among the components and providers of the app.
    pub name: ComponentName,
    /// Where the component's bytes come from.
    pub source: Source,
    /// Environment variables of the component.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// How long an instance lives.
    #[serde(default, skip_serializing_if = "Instances::is_default")]
    pub instances: Instances,
    /// Runs in a store of its own: its traps, memory and time are its own, and its links are local.
    #[serde(default, skip_serializing_if = "is_false")]
    pub isolate: bool,
    /// What the component may use; what is not set is the host's default.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// How many hosts run the component at once; two on one host count twice.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(max = REPLICAS_MAX))]
    pub replicas: NonZeroU32,
    /// Which hosts those may be; without it, any.
    #[serde(default, skip_serializing_if = "Placement::is_default")]
    pub placement: Placement,
}

/// Where the bytes of a component come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A file, relative to the manifest.
    File(#[schemars(length(min = 1))] String),
    /// Bytes the lattice already holds.
    Digest(Digest),
}

/// How long an instance of a component lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Instances {
    /// A new instance for every request.
    #[default]
    PerRequest,
    /// An instance serves one request after another.
    Reuse(Reuse),
}

/// When a reused instance is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Reuse {
    /// After so many requests. 1000 by default: often enough that leaked memory does not pile up.
    #[schemars(range(max = u32::MAX))]
    pub max_requests: NonZeroU32,
    /// After so long without a request.
    pub max_idle: DurationText,
}

/// What a component may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Linear memory of one instance. A component with this limit has a store of its own, and its
    /// links are local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Time one request may spend computing. A component with this limit has a store of its own, and
    /// its links are local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<DurationText>,
    /// Time one request that enters at this component may take in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DurationText>,
    /// Requests that may be in this component at once when they enter here; more are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = u32::MAX))]
    pub concurrency: Option<NonZeroU32>,
    /// The largest body of a request that enters at this component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<ByteSize>,
}

/// A capability the host provides to the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProviderSpec {
    /// The name of the provider, unique among the components and providers of the app.
    pub name: ProviderName,
    /// Which provider it is, such as `keyvalue-redb`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1))]
    pub kind: String,
    /// Settings of the provider; it checks them itself.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
}

/// Says who serves an import of a component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LinkSpec {
    /// The component that imports the interface.
    pub from: ComponentName,
    /// The imported interface, or a package for all of its interfaces that the component imports.
    pub interface: InterfaceRef,
    /// Tells apart links of one interface to different targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<LinkName>,
    /// The component or provider that serves it.
    pub to: Name,
    /// Whether both ends share one store; for links to a component.
    #[serde(default, skip_serializing_if = "Locality::is_default")]
    pub locality: Locality,
    /// What one call over this link may take, if that is less than what is left of the caller's own
    /// time; for links to a component. A link with a deadline is local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DurationText>,
    /// A call over this link may be made twice: when a host is lost during a call, nobody can know
    /// whether the call was made. For links to a component.
    #[serde(default, skip_serializing_if = "is_false")]
    pub idempotent: bool,
    /// Settings of this link, for links to a provider; the provider checks them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
}

/// Whether both ends of a link share one store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Locality {
    /// In one store where nothing speaks against it, else in two.
    #[default]
    Auto,
    /// In one store, or the app is refused: calls cost next to nothing, and a trap of one end is a
    /// trap of both.
    Fused,
    /// In two stores: each end has its own memory, limits and traps.
    Local,
}

/// Says which HTTP requests go to a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RouteSpec {
    /// The host of the requests; without it, any host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostPattern>,
    /// What the path of the requests starts with; without it, any path.
    #[serde(default)]
    pub path: PathPrefix,
    /// The component that takes the requests.
    pub to: ComponentName,
}

// === defaults ===

impl Instances {
    fn is_default(&self) -> bool {
        *self == Instances::default()
    }
}

impl Default for Reuse {
    fn default() -> Self {
        Reuse {
            max_requests: const { NonZeroU32::new(1000).expect("not zero") },
            max_idle: DurationText::MAX_IDLE_DEFAULT,
        }
    }
}

impl Locality {
    /// The word for it in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Locality::Auto => "auto",
            Locality::Fused => "fused",
            Locality::Local => "local",
        }
    }

    fn is_default(&self) -> bool {
        *self == Locality::default()
    }
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Limits::default()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it may skip by reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}
