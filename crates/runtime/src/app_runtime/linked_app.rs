//! An app whose components are read, linked and compiled, but not yet bound to providers.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_lattice_config::{App, ComponentSpec, LinkName, LinkSpec};
use weft_link::Protocol;
use weft_node::runtime::{
    BoundProviders, PrepareError, PrepareErrorKind, PreparedApp, Purpose, RunningApp,
};
use weft_provider::{Capability, ConfigProblem, LinkContext, Registry, UnknownKind};
use weft_state::artifacts::ArtifactError;

use super::RunningEndpoints;
use crate::endpoint::{CodeCache, EndpointSettings, EndpointState, RevisionSet, store_limits};
use crate::guest::{PartTemplate, StoreTemplate};
use crate::linking::{
    AppInput, Binaries, BinaryError, FusionGroup, LinkErrors, LinkReport, LocalComponents,
    PrepareError as EndpointError, PreparedEndpoint, Preparer, ResolvedLinks, Resolver,
    StoreCrossings, choose_modes, link_reports,
};

/// An app whose components are compiled and linked; its providers are not bound yet.
pub(super) struct LinkedApp {
    preparer: Preparer,
    input: Arc<AppInput>,
    plan: LinkPlan,
    /// The groups of the components that this host runs, by the component's index in the manifest.
    groups: BTreeMap<usize, (FusionGroup, PreparedEndpoint)>,
}

/// The links of an app; none for an app of which this host runs nothing.
#[derive(Default)]
struct LinkPlan {
    resolved: ResolvedLinks,
    reports: Vec<LinkReport>,
}

/// A reason for which an app cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub(super) enum AppError {
    /// The binary of a component cannot be used.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// Links and imports do not match.
    #[error("the app cannot be linked\n{0}")]
    Link(LinkErrors),
    /// A group of components cannot be compiled or instantiated.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The type of a provider is unknown.
    #[error("provider `{provider}` has an unknown type")]
    ProviderType {
        provider: String,
        source: UnknownKind,
    },
    /// A route leads to a component that does not handle HTTP.
    #[error(
        "a route leads to component `{component}`, which does not handle HTTP; \
         expected an export of `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`, \
         found {found}"
    )]
    RouteTarget { component: String, found: String },
    /// A background task panicked.
    #[error("internal error while the host prepared the app; the host's log has the details")]
    Internal,
}

impl From<AppError> for PrepareError {
    fn from(error: AppError) -> Self {
        let kind = match &error {
            AppError::Binary(BinaryError::SourceIsFile { .. }) => PrepareErrorKind::Malformed,
            AppError::Binary(BinaryError::Artifact {
                source: ArtifactError::Missing { .. },
                ..
            }) => PrepareErrorKind::Missing,
            AppError::Internal => PrepareErrorKind::Internal,
            AppError::Binary(_)
            | AppError::Link(_)
            | AppError::Endpoint(_)
            | AppError::ProviderType { .. }
            | AppError::RouteTarget { .. } => PrepareErrorKind::Refused,
        };
        Self::new(kind, error)
    }
}

impl LinkedApp {
    /// Reads, links and compiles the components of an app that this host runs. Dropping the future
    /// stops after the current component.
    ///
    /// # Errors
    /// Any [`AppError`].
    pub(super) async fn prepare(
        app: &App,
        share: &LocalComponents,
        purpose: Purpose,
        registry: &Registry,
        preparer: &Preparer,
    ) -> Result<Self, AppError> {
        let (input, plan, groups) = plan(app, share, registry, preparer).await?;
        let mut prepared = BTreeMap::new();
        let mut protocols = BTreeMap::new();
        for group in groups {
            let endpoint = preparer.prepare(&input, &group, purpose).await?;
            protocols.insert(group.parts[0], endpoint.recipe.protocol);
            prepared.insert(group.parts[0], (group, endpoint));
        }
        check_routes(&input, &protocols)?;
        Ok(Self {
            preparer: preparer.clone(),
            input,
            plan,
            groups: prepared,
        })
    }
}

/// Reads and links all components of an app, and compiles none.
///
/// # Errors
/// Any [`AppError`].
pub(super) async fn check(
    app: &App,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<(), AppError> {
    let all = LocalComponents::Part((0..app.spec.components.len()).collect());
    let (input, _, groups) = plan(app, &all, registry, preparer).await?;
    let mut protocols = BTreeMap::new();
    for group in groups {
        let protocol = preparer.check(&input, &group).await?;
        protocols.insert(group.parts[0], protocol);
    }
    check_routes(&input, &protocols)
}

/// Checks the targets of routes, by the HTTP interfaces of the components that are in `protocols`.
fn check_routes(
    input: &AppInput,
    protocols: &BTreeMap<usize, Option<Protocol>>,
) -> Result<(), AppError> {
    for route in &input.app.spec.routes {
        let mut components = input.app.spec.components.iter();
        let index = components.position(|spec| spec.name == route.to);
        if index.and_then(|index| protocols.get(&index)) == Some(&None) {
            return Err(AppError::RouteTarget {
                component: route.to.to_string(),
                found: exports(input, route.to.as_str()),
            });
        }
    }
    Ok(())
}

fn exports(input: &AppInput, component: &str) -> String {
    let Some(binary) = input.binaries.get(component) else {
        return "nothing".to_owned();
    };
    let exports = binary.description.exports.iter();
    let names: Vec<_> = exports.map(|export| format!("`{}`", export.name)).collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

/// Runs [`plan_blocking`] off the async threads.
async fn plan(
    app: &App,
    share: &LocalComponents,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<(Arc<AppInput>, LinkPlan, Vec<FusionGroup>), AppError> {
    let (app, registry) = (Arc::new(app.clone()), registry.clone());
    let (preparer, share) = (preparer.clone(), share.clone());
    let plan =
        tokio::task::spawn_blocking(move || plan_blocking(app, &share, &registry, &preparer));
    plan.await.map_err(|_| AppError::Internal)?
}

/// Reads the components of an app, resolves its links, and groups the components that this host
/// runs.
fn plan_blocking(
    app: Arc<App>,
    share: &LocalComponents,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<(Arc<AppInput>, LinkPlan, Vec<FusionGroup>), AppError> {
    for provider in &app.spec.providers {
        registry
            .get(&provider.kind)
            .map_err(|source| AppError::ProviderType {
                provider: provider.name.to_string(),
                source,
            })?;
    }
    if !(0..app.spec.components.len()).any(|component| share.has(component)) {
        let input = AppInput {
            app,
            binaries: Binaries::new(),
        };
        return Ok((Arc::new(input), LinkPlan::default(), Vec::new()));
    }
    let input = AppInput::read(app, &preparer.artifacts)?;
    let AppInput { app, binaries } = &input;
    let resolved = Resolver::new(app, binaries, registry)
        .resolve()
        .map_err(AppError::Link)?;
    let choices = choose_modes(app, &resolved.links, share).map_err(AppError::Link)?;
    let crossings = StoreCrossings::plan(&input, &resolved.links, &choices, share, &preparer.stubs)
        .map_err(AppError::Link)?;
    let groups: Vec<_> = (0..app.spec.components.len())
        .filter(|component| share.has(*component))
        .map(|component| FusionGroup::new(&resolved.links, &choices, &crossings, component))
        .collect();
    let mut reports = link_reports(app, &resolved.links, &choices, &crossings);
    // The links of a component that does not run on this host are reported by the hosts that run
    // it.
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
    let plan = LinkPlan { resolved, reports };
    Ok((Arc::new(input), plan, groups))
}

impl PreparedApp for LinkedApp {
    fn bind(
        self: Box<Self>,
        providers: &BoundProviders,
    ) -> Result<Arc<dyn RunningApp>, ConfigProblem> {
        let preparer = &self.preparer;
        let app = &self.input.app;
        let mut states = BTreeMap::new();
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
            let code = CodeCache::new(prepared, preparer.clone());
            states.insert(
                component,
                EndpointState::new(template, settings, bytes, code),
            );
        }
        let revision_set = RevisionSet::new(states);
        let running = RunningEndpoints::new(&revision_set, self.plan.reports);
        Ok(Arc::new(running))
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
        link: link.name.as_ref().map(LinkName::as_str),
    }
}
