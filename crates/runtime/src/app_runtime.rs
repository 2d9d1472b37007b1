//! From an app of the desired state to endpoints that serve: read, describe, link, compile, bind.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use weft_control::{CallReply, ErrorCode};
use weft_ingress::Handler;
use weft_lattice_config::{App, ComponentSpec, LinkSpec};
use weft_link::Protocol;
use weft_node::runtime::{
    BoundProviders, CallError, PrepareError, PrepareErrorKind, PreparedApp, RunningApp,
    RunningComponent, Runtime,
};
use weft_provider::{Capability, ConfigProblem, LinkContext, Registry, UnknownKind};
use weft_state::artifacts::ArtifactError;

use crate::endpoint::{Code, Core, Endpoint, EndpointSettings, RevisionSet, store_limits};
use crate::guest::{PartTemplate, StoreTemplate};
use crate::http::EndpointHandler;
use crate::linking::{
    AppInput, BinaryError, FusionGroup, LinkErrors, LinkReport, PrepareError as LinkError,
    PreparedEndpoint, Preparer, ResolvedLinks, Resolver, Share, StoreCrossings, choose_modes,
    link_reports,
};
use crate::wave_call;

/// Runs components on wasmtime. Cheap to clone.
#[derive(Clone)]
pub struct WasmRuntime {
    pub(crate) preparer: Preparer,
    pub(crate) registry: Registry,
}

/// A share of an app that serves: an endpoint for each component.
pub(crate) struct RunningEndpoints {
    endpoints: BTreeMap<String, Endpoint>,
    links: Vec<LinkReport>,
}

/// Why an app cannot be prepared.
#[derive(Debug, thiserror::Error)]
enum BuildError {
    /// The bytes of a component cannot be used.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// Links and imports do not fit.
    #[error("the app cannot be linked\n{0}")]
    Link(LinkErrors),
    /// A group of components cannot be instantiated.
    #[error(transparent)]
    Prepare(#[from] LinkError),
    /// The type of a provider is unknown.
    #[error("provider `{provider}`: {source}")]
    ProviderType {
        provider: String,
        source: UnknownKind,
    },
    /// A route leads to a component that does not handle HTTP.
    #[error(
        "a route leads to component `{component}`, which does not handle HTTP; expected an export of \
         `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`, found {found}"
    )]
    RouteTarget { component: String, found: String },
    /// A background task of the host panicked.
    #[error("the host failed while it worked on the app; its log says more")]
    Internal,
}

impl From<BuildError> for PrepareError {
    fn from(error: BuildError) -> Self {
        let kind = match &error {
            BuildError::Binary(BinaryError::SourceIsFile { .. }) => PrepareErrorKind::Malformed,
            BuildError::Binary(BinaryError::Artifact {
                source: ArtifactError::Missing { .. },
                ..
            }) => PrepareErrorKind::Missing,
            BuildError::Internal => PrepareErrorKind::Internal,
            BuildError::Binary(_)
            | BuildError::Link(_)
            | BuildError::Prepare(_)
            | BuildError::ProviderType { .. }
            | BuildError::RouteTarget { .. } => PrepareErrorKind::Refused,
        };
        Self::new(kind, error)
    }
}

#[async_trait]
impl Runtime for WasmRuntime {
    async fn prepare(
        &self,
        app: &App,
        share: &Share,
    ) -> Result<Box<dyn PreparedApp>, PrepareError> {
        let built = build(app, share, &self.registry, &self.preparer).await?;
        Ok(Box::new(built))
    }

    fn instances_max(&self) -> u32 {
        self.preparer.engines.pool().instances
    }

    fn compilations(&self) -> u64 {
        self.preparer.compiler.compilations()
    }
}

impl RunningEndpoints {
    pub(crate) fn endpoint(&self, component: &str) -> Option<&Endpoint> {
        self.endpoints.get(component)
    }
}

#[async_trait]
impl RunningApp for RunningEndpoints {
    fn components(&self) -> Vec<RunningComponent> {
        self.endpoints.values().map(running_component).collect()
    }

    fn links(&self) -> &[LinkReport] {
        &self.links
    }

    fn in_flight(&self) -> u64 {
        let endpoints = self.endpoints.values();
        endpoints.map(|endpoint| endpoint.counts().in_flight).sum()
    }

    fn drop_expired(&self) {
        self.endpoints.values().for_each(Endpoint::drop_expired);
    }

    fn handler(&self, component: &str) -> Option<Arc<dyn Handler>> {
        let endpoint = self.endpoint(component)?.clone();
        Some(Arc::new(EndpointHandler(endpoint)))
    }

    fn protocol(&self, component: &str) -> Option<Protocol> {
        self.endpoint(component)?.protocol()
    }

    async fn call(
        &self,
        component: &str,
        expression: &str,
        repeat: u32,
    ) -> Result<CallReply, CallError> {
        let Some(endpoint) = self.endpoint(component) else {
            return Err(CallError {
                code: ErrorCode::NotFound,
                help: None,
                source: format!("component `{component}` does not run on this host").into(),
            });
        };
        let called = wave_call::call(endpoint, expression, repeat).await;
        let called = called.map_err(|error| error.for_caller(endpoint))?;
        Ok(called.reply())
    }
}

fn running_component(endpoint: &Endpoint) -> RunningComponent {
    let counts = endpoint.counts();
    let parts = endpoint.template().parts.iter();
    RunningComponent {
        name: endpoint.component().to_owned(),
        bytes: endpoint.bytes(),
        fused: parts.map(|part| part.component.to_string()).collect(),
        is_loaded: endpoint.is_loaded(),
        in_flight: counts.in_flight,
        requests: counts.requests,
        traps: counts.traps,
        memory_bytes_max: endpoint.template().limits.memory_bytes_max,
        deadline: endpoint.settings().deadline,
        concurrency_max: endpoint.settings().concurrency_max,
    }
}

/// An app whose components are compiled and linked; its providers are not bound yet.
struct Built {
    preparer: Preparer,
    input: Arc<AppInput>,
    plan: Plan,
    /// One for each component that this host runs, by its index.
    groups: BTreeMap<usize, (FusionGroup, PreparedEndpoint)>,
}

/// How the components of an app are joined.
struct Plan {
    resolved: ResolvedLinks,
    reports: Vec<LinkReport>,
}

/// Reads, links and compiles an app.
async fn build(
    app: &App,
    share: &Share,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<Built, BuildError> {
    let (input, plan, groups) = planned(app, share, registry, preparer).await?;
    let mut prepared = BTreeMap::new();
    for group in groups {
        let ready = preparer.prepare(&input, &group).await?;
        prepared.insert(group.parts[0], (group, ready));
    }
    let built = Built {
        preparer: preparer.clone(),
        input,
        plan,
        groups: prepared,
    };
    built.check_routes()?;
    Ok(built)
}

async fn planned(
    app: &App,
    share: &Share,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<(Arc<AppInput>, Plan, Vec<FusionGroup>), BuildError> {
    let (app, registry) = (Arc::new(app.clone()), registry.clone());
    let (preparer, share) = (preparer.clone(), share.clone());
    let planned = tokio::task::spawn_blocking(move || plan_of(app, &share, &registry, &preparer));
    planned.await.map_err(|_| BuildError::Internal)?
}

fn plan_of(
    app: Arc<App>,
    share: &Share,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<(Arc<AppInput>, Plan, Vec<FusionGroup>), BuildError> {
    for provider in &app.spec.providers {
        registry
            .get(&provider.kind)
            .map_err(|source| BuildError::ProviderType {
                provider: provider.name.to_string(),
                source,
            })?;
    }
    let input = AppInput::read(app, &preparer.artifacts)?;
    let AppInput { app, binaries } = &input;
    let resolved = Resolver::new(app, binaries, registry)
        .resolve()
        .map_err(BuildError::Link)?;
    let choices = choose_modes(app, &resolved.links, share).map_err(BuildError::Link)?;
    let crossings = StoreCrossings::plan(&input, &resolved.links, &choices, share, &preparer.stubs)
        .map_err(BuildError::Link)?;
    let groups: Vec<_> = (0..app.spec.components.len())
        .filter(|endpoint| share.has(*endpoint))
        .map(|entry| FusionGroup::new(&resolved.links, &choices, &crossings, endpoint))
        .collect();
    let mut reports = link_reports(app, &resolved.links, &choices, &crossings);
    // What lies behind no endpoint of this host is another's to tell.
    let runs = |component: usize| {
        groups
            .iter()
            .any(|group: &FusionGroup| group.parts.contains(&component))
    };
    let is_here: Vec<_> = resolved
        .links
        .iter()
        .map(|link| runs(link.edge.from))
        .collect();
    let mut is_here = is_here.into_iter();
    reports.retain(|_| is_here.next().unwrap_or(false));
    let plan = Plan { resolved, reports };
    Ok((Arc::new(input), plan, groups))
}

impl Built {
    fn check_routes(&self) -> Result<(), BuildError> {
        for route in &self.input.app.spec.routes {
            let index = self.index(route.to.as_str());
            let Some((_, prepared)) = index.and_then(|index| self.groups.get(&index)) else {
                continue;
            };
            if prepared.recipe.protocol.is_none() {
                return Err(BuildError::RouteTarget {
                    component: route.to.to_string(),
                    found: self.exports(route.to.as_str()),
                });
            }
        }
        Ok(())
    }

    fn exports(&self, component: &str) -> String {
        let Some(binary) = self.input.binaries.get(component) else {
            return "nothing".to_owned();
        };
        let names: Vec<_> = binary
            .description
            .exports
            .iter()
            .map(|export| format!("`{}`", export.name))
            .collect();
        if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        }
    }

    fn index(&self, component: &str) -> Option<usize> {
        self.input
            .app
            .spec
            .components
            .iter()
            .position(|spec| spec.name.as_str() == component)
    }
}

impl PreparedApp for Built {
    fn bind(
        self: Box<Self>,
        providers: &BoundProviders,
    ) -> Result<Arc<dyn RunningApp>, ConfigProblem> {
        let preparer = &self.preparer;
        let app = &self.input.app;
        let mut cores = BTreeMap::new();
        for (component, (group, prepared)) in self.groups {
            let parts = group
                .parts
                .iter()
                .map(|part| part_template(app, *part, &self.plan.resolved, providers))
                .collect::<Result<_, _>>()?;
            let spec = &app.spec.components[group.parts[0]];
            let pool = preparer.engines.pool().instances;
            let settings = EndpointSettings::of(spec, prepared.recipe.memories, pool);
            let template = StoreTemplate {
                app: app.metadata.name.as_str().into(),
                parts,
                limits: store_limits(spec),
            };
            let binary = self.input.binaries.get(spec.name.as_str());
            let bytes = binary.map_or(0, |binary| binary.bytes.len() as u64);
            let code = Code::new(prepared, preparer.clone());
            cores.insert(component, Core::new(template, settings, bytes, code));
        }
        let revision_set = RevisionSet::new(cores);
        let endpoints = revision_set.endpoints();
        Ok(Arc::new(RunningEndpoints {
            endpoints: endpoints
                .map(|endpoint| (endpoint.component().to_owned(), endpoint))
                .collect(),
            links: self.plan.reports,
        }))
    }
}

fn part_template(
    app: &App,
    part: usize,
    resolved: &ResolvedLinks,
    providers: &BoundProviders,
) -> Result<PartTemplate, ConfigProblem> {
    let spec: &ComponentSpec = &app.spec.components[part];
    let mut template = PartTemplate {
        component: spec.name.as_str().into(),
        env: spec
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        keyvalue: Vec::new(),
        config: None,
        logging: None,
        http: None,
    };
    for link in resolved.providers.iter().filter(|link| link.from == part) {
        let link = &app.spec.links[link.link];
        let Some(provider) = providers.get(link.to.as_str()) else {
            continue;
        };
        match provider.bind(&link_context(app, link), &link.config)? {
            Capability::KeyValue(keyvalue) => template.keyvalue.push(keyvalue),
            Capability::Config(config) => template.config = Some(config),
            Capability::Logging(logging) => template.logging = Some(logging),
            Capability::HttpClient(client) => template.http = Some(client),
        }
    }
    Ok(template)
}

fn link_context<'a>(app: &'a App, link: &'a LinkSpec) -> LinkContext<'a> {
    LinkContext {
        app: app.metadata.name.as_str(),
        component: link.from.as_str(),
        provider: link.to.as_str(),
        interface: &link.interface.package,
        link: link
            .name
            .as_ref()
            .map(weft_lattice_config::LinkName::as_str),
    }
}
