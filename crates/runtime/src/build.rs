//! From an app of the desired state to entries that serve: read, describe, link, compile, bind.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_lattice_config::{App, ComponentSpec, LinkSpec};
use weft_provider::{Capability, LinkContext, Registry};

use super::providers::Providers;
use super::{DeployError, Running};
use crate::endpoint::{Code, Core, EntrySettings, Generation, store_limits};
use crate::guest::{PartShape, Shape};
use crate::linking::{
    AppInput, Crossings, Group, LinkReport, Prepared, Preparer, Resolved, Resolver, Share, choose,
    group,
};

/// An app whose components are compiled and linked; its providers are not bound yet.
pub(super) struct Built {
    input: Arc<AppInput>,
    plan: Plan,
    /// One for each component that this host runs, by its index.
    groups: BTreeMap<usize, (Group, Prepared)>,
}

/// How the components of an app are joined.
struct Plan {
    resolved: Resolved,
    reports: Vec<LinkReport>,
}

/// Reads, links and compiles an app.
pub(super) async fn build(
    app: &App,
    share: &Share,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<Built, DeployError> {
    let (input, plan, groups) = planned(app, share, registry, preparer).await?;
    let mut prepared = BTreeMap::new();
    for group in groups {
        let ready = preparer.prepare(&input, &group).await?;
        prepared.insert(group.parts[0], (group, ready));
    }
    let built = Built {
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
) -> Result<(Arc<AppInput>, Plan, Vec<Group>), DeployError> {
    let (app, registry) = (Arc::new(app.clone()), registry.clone());
    let (preparer, share) = (preparer.clone(), share.clone());
    let planned = tokio::task::spawn_blocking(move || plan_of(app, &share, &registry, &preparer));
    planned.await.map_err(|_| DeployError::Internal)?
}

fn plan_of(
    app: Arc<App>,
    share: &Share,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<(Arc<AppInput>, Plan, Vec<Group>), DeployError> {
    for provider in &app.spec.providers {
        registry
            .get(&provider.kind)
            .map_err(|source| DeployError::ProviderType {
                provider: provider.name.to_string(),
                source,
            })?;
    }
    let input = AppInput::read(app, &preparer.artifacts)?;
    let AppInput { app, binaries } = &input;
    let resolved = Resolver::new(app, binaries, registry)
        .resolve()
        .map_err(DeployError::Link)?;
    let choices = choose(app, &resolved.links, share).map_err(DeployError::Link)?;
    let crossings = Crossings::plan(&input, &resolved.links, &choices, share, &preparer.stubs)
        .map_err(DeployError::Link)?;
    let groups: Vec<_> = (0..app.spec.components.len())
        .filter(|entry| share.has(*entry))
        .map(|entry| group(&resolved.links, &choices, &crossings, entry))
        .collect();
    let mut reports = LinkReport::all(app, &resolved.links, &choices, &crossings);
    // What lies behind no entry of this host is another's to tell.
    let runs = |component: usize| {
        groups
            .iter()
            .any(|group: &Group| group.parts.contains(&component))
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
    fn check_routes(&self) -> Result<(), DeployError> {
        for route in &self.input.app.spec.routes {
            let index = self.index(route.to.as_str());
            let Some((_, prepared)) = index.and_then(|index| self.groups.get(&index)) else {
                continue;
            };
            if prepared.recipe.protocol.is_none() {
                return Err(DeployError::RouteTarget {
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

    /// Binds the links to the providers, and makes the entries.
    pub(super) fn bind(
        self,
        providers: &Providers,
        preparer: &Preparer,
    ) -> Result<Running, DeployError> {
        let app = &self.input.app;
        let mut cores = BTreeMap::new();
        for (component, (group, prepared)) in self.groups {
            let parts = group
                .parts
                .iter()
                .map(|part| part_shape(app, *part, &self.plan.resolved, providers))
                .collect::<Result<_, _>>()?;
            let spec = &app.spec.components[group.parts[0]];
            let pool = preparer.engines.pool().instances;
            let settings = EntrySettings::of(spec, prepared.recipe.memories, pool);
            let shape = Shape {
                app: app.metadata.name.as_str().into(),
                parts,
                limits: store_limits(spec),
            };
            let binary = self.input.binaries.get(spec.name.as_str());
            let bytes = binary.map_or(0, |binary| binary.bytes.len() as u64);
            let code = Code::new(prepared, preparer.clone());
            cores.insert(component, Core::new(shape, settings, bytes, code));
        }
        let generation = Generation::new(cores);
        let entries = generation.entries();
        Ok(Running {
            entries: entries
                .map(|entry| (entry.component().to_owned(), entry))
                .collect(),
            links: self.plan.reports,
        })
    }
}

fn part_shape(
    app: &App,
    part: usize,
    resolved: &Resolved,
    providers: &Providers,
) -> Result<PartShape, DeployError> {
    let spec: &ComponentSpec = &app.spec.components[part];
    let mut shape = PartShape {
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
        let Some(running) = providers.get(link.to.as_str()) else {
            continue;
        };
        match running
            .provider
            .bind(&link_context(app, link), &link.config)?
        {
            Capability::KeyValue(keyvalue) => shape.keyvalue.push(keyvalue),
            Capability::Config(config) => shape.config = Some(config),
            Capability::Logging(logging) => shape.logging = Some(logging),
            Capability::HttpClient(client) => shape.http = Some(client),
        }
    }
    Ok(shape)
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
