//! The manifest model: one app, its components, providers, links and routes.
//!
//! These types are the single source of truth. The JSON Schema is generated from them,
//! [`App::from_yaml`] checks a manifest against that schema, and editors show the doc comments
//! below as descriptions of the keys.

mod build;
mod placement;
mod route;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::interface::InterfaceRef;
use crate::name::{AppName, ComponentName, LinkName, Name, ProviderName};
use crate::quantity::{ByteSize, DurationText};
use crate::wit_source::WitSource;

pub use self::build::{Build, Language, LanguageError};
pub use self::placement::{Placement, REPLICAS_MAX, WEIGHT_MAX};
use self::placement::{is_one, one};
pub use self::route::{
    CASES_MAX, DefaultStatus, ErrorCases, ErrorStatus, ErrorStatusError, ErrorStatuses, Face,
    Int64Form, NameStyle, OPERATIONS_MAX, OperationSpec, RouteSpec,
};

/// Maximum number of components of an app: a fused app is one binary, and placement compares all
/// pairs.
pub const COMPONENTS_MAX: usize = 256;
/// Maximum number of providers of an app.
pub const PROVIDERS_MAX: usize = 256;
/// Maximum number of links of an app: sixteen for each component.
pub const LINKS_MAX: usize = 4096;
/// Maximum number of routes of an app: a request is compared with each.
pub const ROUTES_MAX: usize = 1024;

/// A Weft app: its components, their links to each other and to providers, and its HTTP routes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct App {
    /// The version of the manifest format: `weft.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// The kind of manifest: `App`.
    pub kind: Kind,
    /// The name, labels and annotations of the app.
    pub metadata: Metadata,
    /// The components, providers, links and routes of the app.
    pub spec: AppSpec,
}

/// The version of the manifest format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first version, which may still change.
    #[default]
    #[serde(rename = "weft.dev/v1alpha1")]
    V1Alpha1,
}

/// The kind of manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// An app.
    #[default]
    App,
}

/// The name, labels and annotations of an app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Metadata {
    /// The name of the app, unique in its lattice.
    pub name: AppName,
    /// Labels to select apps by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Notes for people and tools. Weft stores them and does not interpret them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The components, providers, links and routes of an app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AppSpec {
    /// The WebAssembly components of the app.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = COMPONENTS_MAX))]
    pub components: Vec<ComponentSpec>,
    /// The capabilities that hosts provide to the app, such as a key-value store.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = PROVIDERS_MAX))]
    pub providers: Vec<ProviderSpec>,
    /// The links from imports of components to the components or providers that serve them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = LINKS_MAX))]
    pub links: Vec<LinkSpec>,
    /// The HTTP routes from hosts and paths to components.
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
    /// The WebAssembly binary of the component: a file or a digest.
    pub source: Source,
    /// The build of the component, for `weft build`. It is not a part of the deployed app.
    #[serde(default, skip_serializing)]
    pub build: Option<Build>,
    /// The WIT source of the component: a folder relative to the manifest, or the WIT itself. Its
    /// comments are in the documentation of HTTP APIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wit: Option<WitSource>,
    /// The environment variables of the component. Variables of the host are not visible to it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The lifetime of an instance: one request (the default) or several.
    #[serde(default, skip_serializing_if = "Instances::is_default")]
    pub instances: Instances,
    /// Runs the component in its own store: a trap, its memory and its computing time affect no
    /// other component. All its links are local then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub isolate: bool,
    /// The resource limits of the component. A limit that is not set has the default of the host.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// The number of replicas of the component. Two replicas on one host count as two.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(max = REPLICAS_MAX))]
    pub replicas: NonZeroU32,
    /// The hosts that may run the component. Any host by default.
    #[serde(default, skip_serializing_if = "Placement::is_default")]
    pub placement: Placement,
}

/// The WebAssembly binary of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The path of a component file, relative to the manifest.
    File(#[schemars(length(min = 1))] String),
    /// The digest of a component that is stored in the lattice already.
    Digest(Digest),
}

/// The lifetime of an instance of a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Instances {
    /// A new instance for each request.
    #[default]
    PerRequest,
    /// One instance for several requests, one after another, or also at once.
    Reuse(Reuse),
}

/// The conditions under which a reused instance is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Reuse {
    /// The number of requests after which an instance is replaced. 1000 by default, so that leaked
    /// memory does not accumulate.
    #[schemars(range(max = u32::MAX))]
    pub max_requests: NonZeroU32,
    /// The time without a request after which an instance is dropped. 30s by default.
    pub max_idle: DurationText,
    /// The number of requests that an instance serves at once. 1 by default; more is for handlers
    /// of WASI 0.3, and a trap then ends all requests of the instance.
    #[serde(skip_serializing_if = "is_one")]
    #[schemars(range(max = u32::MAX))]
    pub concurrent: NonZeroU32,
}

/// The resource limits of a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// The maximum linear memory of one instance. A component with this limit runs in its own
    /// store, and its links are local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// The maximum computing time of one request. A component with this limit runs in its own
    /// store, and its links are local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<DurationText>,
    /// The maximum duration of a request that enters the app at this component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DurationText>,
    /// The maximum number of concurrent requests that enter the app at this component. More are
    /// rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = u32::MAX))]
    pub concurrency: Option<NonZeroU32>,
    /// The maximum body size of a request that enters the app at this component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<ByteSize>,
}

/// A capability that hosts provide to the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProviderSpec {
    /// The name of the provider, unique among the components and providers of the app.
    pub name: ProviderName,
    /// The type of the provider, such as `keyvalue-redb`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1))]
    pub kind: String,
    /// The settings of the provider, which checks them itself.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
}

/// A link from an import of a component to the component or provider that serves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LinkSpec {
    /// The component that imports the interface.
    pub from: ComponentName,
    /// The imported interface, or a package for all its interfaces that the component imports.
    pub interface: InterfaceRef,
    /// The name of the link, which distinguishes links from one component for one interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<LinkName>,
    /// The component or provider that serves the interface.
    pub to: Name,
    /// The locality of the link: `auto` (the default), `fused` or `local`. Only for links to a
    /// component.
    #[serde(default, skip_serializing_if = "Locality::is_default")]
    pub locality: Locality,
    /// The maximum duration of one call over this link; the remaining time of the caller applies as
    /// well. A link with a deadline is local. Only for links to a component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DurationText>,
    /// Allows a call over this link to run twice: when a host is lost during a call, the call is
    /// retried on another host. Only for links to a component.
    #[serde(default, skip_serializing_if = "is_false")]
    pub idempotent: bool,
    /// The settings of this link, which the provider checks. Only for links to a provider.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
}

/// The locality of a link: one store for both ends, or two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Locality {
    /// One store if that is possible, else two.
    #[default]
    Auto,
    /// One store; the app is rejected if that is not possible. A call costs next to nothing, and a
    /// trap of one end is a trap of both.
    Fused,
    /// Two stores: each end has its own memory, limits and traps.
    Local,
}

// === defaults ===

impl App {
    /// The app without what only commands on this machine need: the builds of its components. This
    /// is what a host receives, and what two apps are compared by.
    #[must_use]
    pub fn without_builds(mut self) -> App {
        for component in &mut self.spec.components {
            component.build = None;
        }
        self
    }

    /// The digests of the components whose sources are digests.
    pub fn digests(&self) -> impl Iterator<Item = &Digest> {
        let components = self.spec.components.iter();
        components.filter_map(|component| match &component.source {
            Source::Digest(digest) => Some(digest),
            Source::File(_) => None,
        })
    }
}

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
            concurrent: NonZeroU32::MIN,
        }
    }
}

impl Locality {
    /// The keyword in a manifest.
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
    reason = "serde passes skippable fields by reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}
