//! Links that join two stores: the stub of each importer, the skeleton of each target, and the
//! functions that need neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weft_compose::{Edge, Linkable, Part};
use weft_lattice_config::mistake_paths::{link_path, route_path};
use weft_lattice_config::placement::ComponentId;
use weft_lattice_config::{Mistake, Mistakes};
use weft_stub::plan::CallPath;
use weft_stub::{Cache, Component, Generated, StubError};
use weft_telemetry::chain;

use super::Mode;
use super::link_exports::{ExportedFunction, ExportedFunctions};
use super::modes::ModeChoice;
use super::resolve::{ComponentLink, ResolvedLinks, TypedRoute};
use super::{AppInput, LocalComponents};
use crate::links::{Delivery, Link, LinkEnds, LinkTarget, LinkedFunction};

/// All imports that one component has from one other over links between stores.
#[derive(Debug)]
pub(crate) struct StoreCrossing {
    /// Indices into the app's components.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) interfaces: Vec<LinkedInterface>,
    /// The plan of the imported functions, with the stub that some of them need.
    importer: Arc<Generated>,
    /// The target's index of each function of the plan.
    targets: Vec<u32>,
    pub(crate) mode: Mode,
}

/// One interface of a crossing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkedInterface {
    pub(crate) import: String,
    pub(crate) export: String,
    /// The index of the link in the manifest.
    pub(crate) link: usize,
}

/// The exports of a component for links from other stores.
#[derive(Debug)]
pub(crate) struct Exporter {
    /// The plan of the exported functions, with the skeleton that some of them need.
    generated: Arc<Generated>,
}

/// All links of an app that join two stores.
#[derive(Debug, Default)]
pub(crate) struct StoreCrossings {
    pub(crate) crossings: Vec<Arc<StoreCrossing>>,
    /// Exporters by the index of their component.
    pub(crate) exporters: BTreeMap<usize, Arc<Exporter>>,
}

impl StoreCrossings {
    /// Plans all links of an app that join two stores, of one host or two, and generates their
    /// stubs and skeletons.
    ///
    /// # Errors
    /// All links whose ends differ, or that cannot carry a function, with the function and the
    /// type.
    pub(crate) fn plan(
        input: &AppInput,
        resolved: &ResolvedLinks,
        choices: &[ModeChoice],
        share: &LocalComponents,
        stubs: &Cache,
    ) -> Result<Self, Mistakes> {
        let links = resolved.links.iter().zip(choices);
        let links = links.map(|(link, choice)| PlannedLink { link, choice });
        let (fused, crossing_links): (Vec<_>, Vec<_>) =
            links.partition(|planned| planned.choice.mode == Mode::Fused);
        let mut planner = Planner {
            input,
            stubs,
            mistakes: Mistakes::default(),
        };
        planner.check_types(&crossing_links);
        let fused_links = fused
            .into_iter()
            .filter(|planned| share.is_called_from_elsewhere() && share.has(planned.link.edge.to));
        let fused_links: Vec<_> = fused_links.collect();
        let routes = resolved.routes.iter().filter(|route| share.has(route.to));
        let routes: Vec<_> = routes.collect();
        let exporters = planner.exporters(&crossing_links, &fused_links, &routes);
        let crossings = planner.crossings(&crossing_links, &exporters);
        planner.mistakes.or(Self {
            crossings,
            exporters,
        })
    }

    /// The call paths of the functions of a link between stores; empty for a fused link.
    pub(super) fn paths(&self, link: &ComponentLink) -> Vec<(String, &'static str)> {
        let of_link = |crossing: &&Arc<StoreCrossing>| {
            (crossing.from, crossing.to) == (link.edge.from, link.edge.to)
        };
        let Some(crossing) = self.crossings.iter().find(of_link) else {
            return Vec::new();
        };
        let functions = crossing.importer.plan.functions();
        let functions = functions.filter(|(interface, _)| interface.name == link.edge.import);
        functions
            .map(|(_, function)| (function.name.clone(), path_name(&function.path)))
            .collect()
    }
}

impl StoreCrossing {
    /// The stub; `None` if no function needs one.
    pub(super) fn stub(&self) -> Option<&Arc<[u8]>> {
        self.importer.bytes.as_ref()
    }

    /// The edges from a part of a group to the crossing's stub, by their indices.
    pub(super) fn edges(&self, part: usize, stub: usize) -> impl Iterator<Item = Edge> {
        self.importer.joined.iter().map(move |interface| Edge {
            from: part,
            import: interface.clone(),
            to: stub,
            export: interface.clone(),
        })
    }

    /// True if the importer's interface has concurrent functions, so that the host implements it as
    /// a whole.
    pub(super) fn is_concurrent(&self, import: &str) -> bool {
        let mut interfaces = self.importer.plan.interfaces.iter();
        interfaces.any(|interface| interface.concurrent && interface.name == import)
    }

    /// The link as the host's functions use it, with its session in `slot`.
    pub(super) fn link(&self, input: &AppInput, slot: usize, delivery: Delivery) -> Link {
        let spec = &input.app.spec;
        let name = |component: usize| Arc::<str>::from(spec.components[component].name.as_str());
        let id = ComponentId {
            app: input.app.metadata.name.clone(),
            component: spec.components[self.to].name.clone(),
        };
        let target = Arc::new(LinkTarget {
            ends: LinkEnds {
                app: input.app.metadata.name.as_str().into(),
                from: name(self.from),
                to: name(self.to),
            },
            id: Arc::new(id),
            component: self.to,
            session_slot: slot,
            has_resources: self.importer.plan.has_resources(),
            delivery,
        });
        let functions = self.importer.plan.functions().zip(&self.targets);
        let functions = functions.map(|((interface, function), target_index)| {
            let linked = self.interface(&interface.name);
            let export = linked.map_or(interface.name.as_str(), |linked| &linked.export);
            let link = linked.map(|linked| &spec.links[linked.link]);
            let deadline = link.and_then(|link| link.deadline);
            Arc::new(LinkedFunction {
                target: target.clone(),
                interface: interface.name.as_str().into(),
                name: function.name.clone(),
                export: export.into(),
                target_index: *target_index,
                failure: function.failure,
                path: function.path.clone(),
                is_async: function.is_async,
                deadline: deadline.map(|deadline| deadline.get()),
                is_idempotent: link.is_some_and(|link| link.idempotent),
            })
        });
        let functions = functions.collect();
        Link { functions }
    }

    fn interface(&self, import: &str) -> Option<&LinkedInterface> {
        self.interfaces
            .iter()
            .find(|interface| interface.import == import)
    }
}

impl Exporter {
    /// The skeleton; `None` if no function needs one.
    pub(super) fn skeleton(&self) -> Option<&Arc<[u8]>> {
        self.generated.bytes.as_ref()
    }

    /// The edges from a skeleton to the endpoint, by the skeleton's index.
    pub(super) fn edges(&self, skeleton: usize) -> impl Iterator<Item = Edge> {
        self.generated.joined.iter().map(move |interface| Edge {
            from: skeleton,
            import: interface.clone(),
            to: 0,
            export: interface.clone(),
        })
    }

    /// The functions to look up in the compiled component.
    pub(super) fn functions(&self) -> ExportedFunctions {
        let functions = self.generated.plan.functions();
        let functions = functions.map(|(interface, function)| ExportedFunction {
            interface: interface.name.as_str().into(),
            name: function.name.as_str().into(),
            path: function.path.clone(),
        });
        ExportedFunctions {
            functions: functions.collect(),
            has_resources: self.generated.plan.has_resources(),
        }
    }
}

/// A link, with its mode.
#[derive(Clone, Copy)]
struct PlannedLink<'a> {
    link: &'a ComponentLink,
    choice: &'a ModeChoice,
}

struct Planner<'a> {
    input: &'a AppInput,
    /// Cache of generated stubs and skeletons.
    stubs: &'a Cache,
    mistakes: Mistakes,
}

impl Planner<'_> {
    /// Compares the types of the two ends of each link.
    fn check_types(&mut self, links: &[PlannedLink<'_>]) {
        let mut read = BTreeMap::new();
        for PlannedLink { link, .. } in links {
            let Edge {
                from,
                import,
                to,
                export,
            } = &link.edge;
            for component in [*from, *to] {
                if read.contains_key(&component) {
                    continue;
                }
                let linkable = Linkable::read(&self.part(component));
                read.insert(component, linkable);
            }
            let checked = match (&read[from], &read[to]) {
                (Ok(importer), Ok(exporter)) => importer
                    .check_link(import, exporter, export)
                    .map_err(|error| chain(&error)),
                (Err(error), _) | (_, Err(error)) => Err(chain(error)),
            };
            if let Err(message) = checked {
                let help = "build both ends from the same version of the interface";
                let mistake = Mistake::new(link_path(link.link), message);
                self.mistakes.push(mistake.with_help(help));
            }
        }
    }

    /// The importers' sides, one for each pair of components.
    fn crossings(
        &mut self,
        links: &[PlannedLink<'_>],
        exporters: &BTreeMap<usize, Arc<Exporter>>,
    ) -> Vec<Arc<StoreCrossing>> {
        let mut pairs: BTreeMap<(usize, usize), Vec<PlannedLink<'_>>> = BTreeMap::new();
        for planned in links {
            let Edge { from, to, .. } = planned.link.edge;
            pairs.entry((from, to)).or_default().push(*planned);
        }
        let crossings = pairs.into_iter().filter_map(|((from, to), links)| {
            let interfaces: Vec<_> = links
                .iter()
                .map(|planned| LinkedInterface {
                    import: planned.link.edge.import.clone(),
                    export: planned.link.edge.export.clone(),
                    link: planned.link.link,
                })
                .collect();
            let imports: Vec<_> = interfaces.iter().map(|i| i.import.as_str()).collect();
            let target = exporters.get(&to)?;
            let importer = match self.stubs.stub(self.component(from), &imports) {
                Ok(importer) => importer,
                Err(error) => {
                    self.reject(from, to, &links, error);
                    return None;
                }
            };
            let mode = links[0].choice.mode;
            let linked: Vec<_> = interfaces
                .iter()
                .map(|interface| (interface.import.as_str(), interface.export.as_str()))
                .collect();
            let targets = match importer.plan.served_by(&target.generated.plan, &linked) {
                Ok(targets) => targets,
                Err(unserved) => {
                    self.push(from, to, &links, &chain(&unserved));
                    return None;
                }
            };
            Some(Arc::new(StoreCrossing {
                from,
                to,
                interfaces,
                importer,
                targets,
                mode,
            }))
        });
        crossings.collect()
    }

    /// The targets' sides: for links that join two stores as seen from this host, for fused ones
    /// that do so on other hosts, and for routes that call functions.
    fn exporters(
        &mut self,
        crossing_links: &[PlannedLink<'_>],
        fused_links: &[PlannedLink<'_>],
        routes: &[&TypedRoute],
    ) -> BTreeMap<usize, Arc<Exporter>> {
        let all = crossing_links.iter().chain(fused_links);
        let targets = all.map(|planned| planned.link.edge.to);
        let targets: BTreeSet<_> = targets.chain(routes.iter().map(|route| route.to)).collect();
        let mut exporters = BTreeMap::new();
        for target in targets {
            let is_to_target = |planned: &&PlannedLink<'_>| planned.link.edge.to == target;
            let crossing_links = crossing_links.iter().filter(is_to_target);
            let crossing_links: Vec<_> = crossing_links.copied().collect();
            let fused_links = fused_links.iter().filter(is_to_target);
            let routes = routes.iter().filter(|route| route.to == target);
            let routes: Vec<_> = routes.copied().collect();
            let linked = |planned: &PlannedLink<'_>| planned.link.edge.export.clone();
            let needed = crossing_links.iter().map(linked);
            let needed: BTreeSet<_> = needed
                .chain(routes.iter().map(|route| route.export.clone()))
                .collect();
            let all: BTreeSet<_> = needed
                .iter()
                .cloned()
                .chain(fused_links.map(linked))
                .collect();
            // A target that cannot be exported to other stores is fused on every host that calls
            // it.
            let exporter = match self.exporter(target, &all) {
                Err(_) if needed.is_empty() => continue,
                Err(_) if needed.len() < all.len() => self.exporter(target, &needed),
                exporter => exporter,
            };
            match (exporter, routes.first()) {
                (Ok(exporter), _) => drop(exporters.insert(target, Arc::new(exporter))),
                (Err(error), Some(route)) if crossing_links.is_empty() => {
                    self.reject_route(route, error);
                }
                (Err(error), _) => self.reject(
                    crossing_links[0].link.edge.from,
                    target,
                    &crossing_links,
                    error,
                ),
            }
        }
        exporters
    }

    fn exporter(
        &mut self,
        component: usize,
        exports: &BTreeSet<String>,
    ) -> Result<Exporter, StubError> {
        let exports: Vec<_> = exports.iter().map(String::as_str).collect();
        let generated = self.stubs.skeleton(self.component(component), &exports)?;
        Ok(Exporter { generated })
    }

    /// Reports functions that a route cannot call.
    fn reject_route(&mut self, route: &TypedRoute, error: StubError) {
        let path = format!("{}.interface", route_path(route.route));
        let messages = match error {
            StubError::Unsupported(refusals) => refusals.iter().map(ToString::to_string).collect(),
            other => vec![chain(&other)],
        };
        for message in messages {
            self.mistakes.push(Mistake::new(path.clone(), message));
        }
    }

    /// Reports types that links between stores cannot carry, with the reasons for the link's mode.
    fn reject(&mut self, from: usize, to: usize, links: &[PlannedLink<'_>], error: StubError) {
        match error {
            StubError::Unsupported(refusals) => {
                for refusal in refusals {
                    self.push(from, to, links, &refusal.to_string());
                }
            }
            other => self.push(from, to, links, &chain(&other)),
        }
    }

    fn push(&mut self, from: usize, to: usize, links: &[PlannedLink<'_>], message: &str) {
        let name = |component: usize| &self.input.app.spec.components[component].name;
        let reasons: BTreeSet<_> = links.iter().flat_map(|link| &link.choice.reasons).collect();
        let reasons: Vec<_> = reasons.into_iter().map(String::as_str).collect();
        let help = format!(
            "only a fused link can carry this function, and this link joins two stores: {}",
            reasons.join("; ")
        );
        let message = format!("link `{}` → `{}`: {message}", name(from), name(to));
        let path = links.first().map(|planned| link_path(planned.link.link));
        let mistake = Mistake::new(path.unwrap_or_default(), message);
        self.mistakes.push(mistake.with_help(help));
    }

    fn component(&self, component: usize) -> Component<'_> {
        self.input.binaries.get(self.input.name(component)).map_or(
            Component {
                digest: "",
                bytes: &[],
            },
            |binary| Component {
                digest: binary.digest.as_str(),
                bytes: &binary.bytes,
            },
        )
    }

    fn part(&self, component: usize) -> Part<'_> {
        let name = self.input.name(component);
        let bytes = self
            .input
            .binaries
            .get(name)
            .map_or(&[][..], |binary| &binary.bytes);
        Part { name, bytes }
    }
}

/// The name of a call path in output.
fn path_name(path: &CallPath) -> &'static str {
    match path {
        CallPath::Direct(_) => "direct",
        CallPath::Scalars(_) => "scalars",
        CallPath::Stub => "stub",
        CallPath::Concurrent => "concurrent",
    }
}
