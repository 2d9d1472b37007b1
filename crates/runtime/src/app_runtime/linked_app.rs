//! An app whose components are read, linked and compiled, but not yet bound to providers.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_lattice_config::mistake_paths::{component_path, route_path};
use weft_lattice_config::{App, ComponentSpec, Instances, LinkName, LinkSpec, Mistake, Mistakes};
use weft_link::Protocol;
use weft_node::runtime::{
    BoundProviders, PrepareError, PrepareErrorKind, PreparedApp, Purpose, RunningApp,
};
use weft_provider::{Capability, ConfigProblem, LinkContext, Registry};
use weft_telemetry::chain;

use super::RunningEndpoints;
use super::findings::Findings;
use super::typed_routes;
use crate::endpoint::{CodeCache, EndpointSettings, EndpointState, RevisionSet, store_limits};
use crate::guest::{PartTemplate, StoreTemplate};
use crate::linking::{
    AppInput, Binaries, Binary, FusionGroup, LinkReport, LocalComponents,
    PrepareError as EndpointError, PreparedEndpoint, Preparer, ResolvedLinks, Resolver,
    StoreCrossings, choose_modes, link_reports, read_all,
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
    /// Components, links or routes cannot work.
    #[error("the app cannot run here\n{}", .0.mistakes)]
    Mistakes(Findings),
    /// A group of components cannot be compiled or instantiated.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A background task panicked.
    #[error("internal error while the host prepared the app; the host's log has the details")]
    Internal,
}

impl From<AppError> for PrepareError {
    fn from(error: AppError) -> Self {
        let kind = match &error {
            AppError::Mistakes(findings) => findings.kind.unwrap_or(PrepareErrorKind::Refused),
            AppError::Endpoint(_) => PrepareErrorKind::Refused,
            AppError::Internal => PrepareErrorKind::Internal,
        };
        let mistakes = match &error {
            AppError::Mistakes(findings) => findings.mistakes.clone(),
            AppError::Endpoint(_) | AppError::Internal => Mistakes::default(),
        };
        Self::new(kind, error).with_mistakes(mistakes)
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
        let survey = survey(app, share, registry, preparer).await?;
        let Survey {
            input,
            plan,
            groups,
            findings,
        } = survey;
        findings.or(())?;
        let mut prepared = BTreeMap::new();
        let mut protocols = BTreeMap::new();
        for group in groups {
            let endpoint = preparer.prepare(&input, &group, purpose).await?;
            protocols.insert(group.parts[0], endpoint.recipe.protocol);
            prepared.insert(group.parts[0], (group, endpoint));
        }
        let mut findings = Findings::default();
        check_routes(&input, &protocols, &mut findings);
        check_shared_instances(&input.app, &protocols, &mut findings);
        findings.or(Self {
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
/// All mistakes that show without those found before them.
pub(super) async fn check(
    app: &App,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<(), AppError> {
    let all = LocalComponents::Part((0..app.spec.components.len()).collect());
    let Survey {
        input,
        plan,
        groups,
        mut findings,
    } = survey(app, &all, registry, preparer).await?;
    findings.append(check_typed_routes(&input, plan).await?);
    let mut protocols = BTreeMap::new();
    for group in groups {
        // The mistakes of its parts are known, and it would have the same ones.
        if group
            .parts
            .iter()
            .any(|part| findings.concern(&input.app, *part))
        {
            continue;
        }
        match preparer.check(&input, &group).await {
            Ok(protocol) => drop(protocols.insert(group.parts[0], protocol)),
            Err(error) => {
                let mistake = Mistake::new(component_path(group.parts[0]), chain(&error));
                findings.push(PrepareErrorKind::Refused, mistake);
            }
        }
    }
    check_routes(&input, &protocols, &mut findings);
    check_shared_instances(&input.app, &protocols, &mut findings);
    findings.or(())
}

/// Checks typed routes off the async threads: their WIT is compared with that of whole components.
async fn check_typed_routes(input: &Arc<AppInput>, plan: LinkPlan) -> Result<Mistakes, AppError> {
    let input = input.clone();
    let check = move || typed_routes::check(&input, &plan.resolved.routes);
    let checked = tokio::task::spawn_blocking(check).await;
    checked.map_err(|_| AppError::Internal)
}

/// Checks the components whose instances serve several requests at once.
fn check_shared_instances(
    app: &App,
    protocols: &BTreeMap<usize, Option<Protocol>>,
    findings: &mut Findings,
) {
    for (&component, protocol) in protocols {
        let spec = &app.spec.components[component];
        let Instances::Reuse(reuse) = spec.instances else {
            continue;
        };
        if reuse.concurrent.get() == 1 {
            continue;
        }
        let is_component = |name: &str| {
            let mut components = app.spec.components.iter();
            components.any(|component| component.name.as_str() == name)
        };
        let mut links = app.spec.links.iter();
        let linked = links.find(|link| link.from == spec.name && is_component(link.to.as_str()));
        let problem = match (protocol, linked) {
            (Some(Protocol::HttpP3), None) => continue,
            (Some(Protocol::HttpP3), Some(link)) => format!(
                "component `{}` is linked to component `{}`, and calls over links cannot overlap in \
                 one instance; remove `concurrent`",
                spec.name, link.to
            ),
            (_, _) => format!(
                "component `{}` does not handle HTTP by `wasi:http/handler@0.3`, the only interface \
                 whose calls can overlap in one instance; remove `concurrent`",
                spec.name
            ),
        };
        let path = format!("{}.instances.reuse.concurrent", component_path(component));
        findings.push(PrepareErrorKind::Refused, Mistake::new(path, problem));
    }
}

/// Checks the targets of routes, by the HTTP interfaces of the components that are in `protocols`.
fn check_routes(
    input: &AppInput,
    protocols: &BTreeMap<usize, Option<Protocol>>,
    findings: &mut Findings,
) {
    let routes = input.app.spec.routes.iter().enumerate();
    for (number, route) in routes.filter(|(_, route)| route.interface.is_none()) {
        let mut components = input.app.spec.components.iter();
        let index = components.position(|spec| spec.name == route.to);
        let protocol = index.and_then(|index| protocols.get(&index));
        let handles_http = match protocol {
            Some(protocol) => protocol.is_some(),
            // Of components with other mistakes, and of those that other hosts run.
            None => input
                .binaries
                .get(route.to.as_str())
                .is_none_or(exports_http),
        };
        if handles_http {
            continue;
        }
        let message = format!(
            "a route leads to component `{}`, which does not handle HTTP; expected an export of \
             `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`, or the `interface` of a \
             typed route, found {}",
            route.to,
            exports(input, route.to.as_str())
        );
        let path = format!("{}.to", route_path(number));
        findings.push(PrepareErrorKind::Refused, Mistake::new(path, message));
    }
}

fn exports_http(binary: &Binary) -> bool {
    let mut exports = binary.description.exports.iter();
    exports.any(|export| export.name.starts_with("wasi:http/"))
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

/// The components of an app with the mistakes that show before they are fused.
struct Survey {
    /// Without the components that cannot be read.
    input: Arc<AppInput>,
    plan: LinkPlan,
    /// The groups of the components that this host runs; none if links cannot work.
    groups: Vec<FusionGroup>,
    findings: Findings,
}

/// Runs [`survey_blocking`] off the async threads.
async fn survey(
    app: &App,
    share: &LocalComponents,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<Survey, AppError> {
    let (app, registry) = (Arc::new(app.clone()), registry.clone());
    let (preparer, share) = (preparer.clone(), share.clone());
    let survey =
        tokio::task::spawn_blocking(move || survey_blocking(app, &share, &registry, &preparer));
    survey.await.map_err(|_| AppError::Internal)
}

/// Reads the components of an app, resolves its links, and groups the components that this host
/// runs.
fn survey_blocking(
    app: Arc<App>,
    share: &LocalComponents,
    registry: &Registry,
    preparer: &Preparer,
) -> Survey {
    let mut findings = Findings::default();
    let is_elsewhere = !(0..app.spec.components.len()).any(|component| share.has(component));
    if is_elsewhere {
        let binaries = Binaries::new();
        return Survey {
            input: Arc::new(AppInput { app, binaries }),
            plan: LinkPlan::default(),
            groups: Vec::new(),
            findings,
        };
    }
    let (binaries, unreadable) = read_all(&app, &preparer.artifacts);
    for (component, error) in unreadable {
        findings.push_unreadable(component, &error);
    }
    let input = AppInput { app, binaries };
    let AppInput { app, binaries } = &input;
    let (resolved, mistakes) = Resolver::new(app, binaries, registry).resolve();
    findings.append(mistakes);
    let planned = choose_modes(app, &resolved.links, share).and_then(|choices| {
        let crossings = StoreCrossings::plan(&input, &resolved, &choices, share, &preparer.stubs)?;
        Ok((choices, crossings))
    });
    let (groups, reports) = match planned {
        Ok((choices, crossings)) => {
            let groups = (0..app.spec.components.len())
                .filter(|component| share.has(*component))
                .map(|component| FusionGroup::new(&resolved.links, &choices, &crossings, component))
                .collect();
            let reports = link_reports(app, &resolved.links, &choices, &crossings);
            (groups, reports)
        }
        Err(mistakes) => {
            findings.append(mistakes);
            (Vec::new(), Vec::new())
        }
    };
    let reports = reports_of(&groups, &resolved, reports);
    let plan = LinkPlan { resolved, reports };
    Survey {
        input: Arc::new(input),
        plan,
        groups,
        findings,
    }
}

/// The reports of the links of components that run on this host; the others are reported by the
/// hosts that run these. `reports` are in the order of the resolved links.
fn reports_of(
    groups: &[FusionGroup],
    resolved: &ResolvedLinks,
    reports: Vec<LinkReport>,
) -> Vec<LinkReport> {
    let runs = |component: usize| groups.iter().any(|group| group.parts.contains(&component));
    let links = resolved.links.iter().zip(reports);
    let links = links.filter(|(link, _)| runs(link.edge.from));
    links.map(|(_, report)| report).collect()
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
                turns: preparer.engines.turns().clone(),
                memory: preparer.engines.memory().clone(),
                hostcall_data: prepared.recipe.hostcall_data(),
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
