//! From an app of the desired state to entries that serve: read, describe, link, compile, bind.

use std::sync::Arc;

use weft_lattice::artifacts::Artifacts;
use weft_lattice_config::{App, ComponentSpec, LinkSpec};
use weft_provider::{Capability, LinkContext, Registry};
use weft_stub::Cache;

use super::providers::Providers;
use super::{DeployError, Running};
use crate::entry::{Code, Core, EntrySettings, Generation, store_limits};
use crate::guest::{PartShape, Shape};
use crate::linking::{
    AppInput, Crossings, Group, LinkReport, Prepared, Preparer, Resolved, Resolver, choose, group,
};

/// An app whose components are compiled and linked; its providers are not bound yet.
pub(super) struct Built {
    input: Arc<AppInput>,
    plan: Plan,
    /// One for each component, in the manifest's order.
    groups: Vec<(Group, Prepared)>,
}

/// How the components of an app are joined.
struct Plan {
    resolved: Resolved,
    reports: Vec<LinkReport>,
}

/// Reads, links and compiles an app.
pub(super) async fn build(
    app: &App,
    registry: &Registry,
    preparer: &Preparer,
) -> Result<Built, DeployError> {
    let (input, plan, groups) = {
        let (app, registry) = (Arc::new(app.clone()), registry.clone());
        let (artifacts, stubs) = (preparer.artifacts.clone(), preparer.stubs.clone());
        let planned =
            tokio::task::spawn_blocking(move || plan_of(app, &artifacts, &registry, &stubs));
        planned.await.map_err(|_| DeployError::Internal)??
    };
    let mut prepared = Vec::with_capacity(groups.len());
    for group in groups {
        let ready = preparer.prepare(&input, &group).await?;
        prepared.push((group, ready));
    }
    let built = Built {
        input,
        plan,
        groups: prepared,
    };
    built.check_routes()?;
    Ok(built)
}

fn plan_of(
    app: Arc<App>,
    artifacts: &Artifacts,
    registry: &Registry,
    stubs: &Cache,
) -> Result<(Arc<AppInput>, Plan, Vec<Group>), DeployError> {
    for provider in &app.spec.providers {
        registry
            .get(&provider.kind)
            .map_err(|source| DeployError::ProviderType {
                provider: provider.name.to_string(),
                source,
            })?;
    }
    let input = AppInput::read(app, artifacts)?;
    let AppInput { app, binaries } = &input;
    let resolved = Resolver::new(app, binaries, registry)
        .resolve()
        .map_err(DeployError::Link)?;
    let choices = choose(app, &resolved.links).map_err(DeployError::Link)?;
    let crossings =
        Crossings::plan(&input, &resolved.links, &choices, stubs).map_err(DeployError::Link)?;
    let groups = (0..app.spec.components.len())
        .map(|entry| group(&resolved.links, &choices, &crossings, entry))
        .collect();
    let reports = LinkReport::all(app, &resolved.links, &choices, &crossings);
    let plan = Plan { resolved, reports };
    Ok((Arc::new(input), plan, groups))
}

impl Built {
    fn check_routes(&self) -> Result<(), DeployError> {
        for route in &self.input.app.spec.routes {
            let Some(index) = self.index(route.to.as_str()) else {
                continue;
            };
            if self.groups[index].1.recipe.protocol.is_none() {
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
        let mut cores = Vec::with_capacity(self.groups.len());
        for (group, prepared) in self.groups {
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
            cores.push(Core::new(shape, settings, bytes, code));
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
