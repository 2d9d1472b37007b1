//! Links that join two stores: the stub of each importer, the skeleton of each target, and what goes
//! over without either.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weft_compose::{Edge, Linkable, Part};
use weft_lattice_config::placement::ComponentId;
use weft_link::CallTarget;
use weft_stub::plan::CallPath;
use weft_stub::{Cache, Component, Generated, StubError};

use super::Mode;
use super::link_exports::{ServedFunction, ServedFunctions};
use super::modes::Choice;
use super::resolve::ComponentLink;
use super::{AppInput, Problem, Problems, Share};
use crate::links::{Carrier, Ends, Link, LinkedFunction, Route};
use weft_telemetry::chain;

/// All that one component imports of one other over links between stores.
#[derive(Debug)]
pub(crate) struct Crossing {
    /// Indices into the app's components.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) interfaces: Vec<CrossedInterface>,
    /// What the importer calls, by the names of its imports, and its stub if not all goes over without.
    importer: Arc<Generated>,
    /// For each function of the plan, by its index, the target's index of it.
    targets: Vec<u32>,
    pub(crate) mode: Mode,
}

/// One interface of a crossing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CrossedInterface {
    pub(crate) import: String,
    pub(crate) export: String,
    /// The index of the link in the manifest.
    pub(crate) link: usize,
}

/// What others reach of a component over links from their stores.
#[derive(Debug)]
pub(crate) struct Serving {
    /// What is called, and the skeleton if not all of it is called by its own types.
    exporter: Arc<Generated>,
}

/// All links of an app that join two stores.
#[derive(Debug, Default)]
pub(crate) struct Crossings {
    pub(crate) crossings: Vec<Arc<Crossing>>,
    /// By the index of the component.
    pub(crate) serving: BTreeMap<usize, Arc<Serving>>,
}

impl Crossings {
    /// Plans and generates what the links of an app need that join two stores, of this host or of two.
    ///
    /// # Errors
    /// All links whose ends differ, or that cannot carry a function, with the function and the type.
    pub(crate) fn plan(
        input: &AppInput,
        links: &[ComponentLink],
        choices: &[Choice],
        share: &Share,
        stubs: &Cache,
    ) -> Result<Self, Problems> {
        let links = links.iter().zip(choices);
        let links = links.map(|(link, choice)| Joined { link, choice });
        let (fused, apart): (Vec<_>, Vec<_>) =
            links.partition(|joined| joined.choice.mode == Mode::Fused);
        let mut planner = Planner {
            input,
            stubs,
            problems: Problems::default(),
        };
        planner.check_types(&apart);
        let elsewhere = fused
            .into_iter()
            .filter(|joined| share.is_called_from_elsewhere() && share.has(joined.link.edge.to));
        let serving = planner.serving(&apart, &elsewhere.collect::<Vec<_>>());
        let crossings = planner.crossings(&apart, &serving);
        planner.problems.or(Self { crossings, serving })
    }

    /// How the calls of a link's functions go; none for a fused link, where they are all alike.
    pub(super) fn paths(&self, link: &ComponentLink) -> Vec<(String, &'static str)> {
        let of_link = |crossing: &&Arc<Crossing>| {
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

impl Crossing {
    /// The stub; none if all goes over without.
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

    /// Whether the importer's interface has concurrent functions, so that the host serves it as a
    /// whole.
    pub(super) fn is_concurrent(&self, import: &str) -> bool {
        let mut interfaces = self.importer.plan.interfaces.iter();
        interfaces.any(|interface| interface.concurrent && interface.name == import)
    }

    /// The link as the host's functions see it; `slot` is the place of its session.
    pub(super) fn link(&self, input: &AppInput, slot: usize, carrier: Carrier) -> Link {
        let spec = &input.app.spec;
        let name = |component: usize| Arc::<str>::from(spec.components[component].name.as_str());
        let call_target = CallTarget {
            name: name(self.to),
            id: ComponentId {
                app: input.app.metadata.name.clone(),
                component: spec.components[self.to].name.clone(),
            },
        };
        let route = Arc::new(Route {
            ends: Ends {
                app: input.app.metadata.name.as_str().into(),
                from: name(self.from),
                to: name(self.to),
            },
            call_target: Arc::new(call_target),
            target: self.to,
            slot,
            has_resources: self.importer.plan.has_resources(),
            carrier,
        });
        let functions = self.importer.plan.functions().zip(&self.targets);
        let functions = functions.map(|((interface, function), target_index)| {
            let crossed = self.interface(&interface.name);
            let export = crossed.map_or(interface.name.as_str(), |crossed| &crossed.export);
            let link = crossed.map(|crossed| &spec.links[crossed.link]);
            let deadline = link.and_then(|link| link.deadline);
            Arc::new(LinkedFunction {
                route: route.clone(),
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

    fn interface(&self, import: &str) -> Option<&CrossedInterface> {
        self.interfaces
            .iter()
            .find(|interface| interface.import == import)
    }
}

impl Serving {
    /// The skeleton; none if all is called by its own types.
    pub(super) fn skeleton(&self) -> Option<&Arc<[u8]>> {
        self.exporter.bytes.as_ref()
    }

    /// The edges from a skeleton to the entry, by the skeleton's index.
    pub(super) fn edges(&self, skeleton: usize) -> impl Iterator<Item = Edge> {
        self.exporter.joined.iter().map(move |interface| Edge {
            from: skeleton,
            import: interface.clone(),
            to: 0,
            export: interface.clone(),
        })
    }

    /// What is looked up in the compiled component.
    pub(super) fn functions(&self) -> ServedFunctions {
        let functions = self.exporter.plan.functions();
        let functions = functions.map(|(interface, function)| ServedFunction {
            interface: interface.name.as_str().into(),
            name: function.name.as_str().into(),
            path: function.path.clone(),
        });
        ServedFunctions {
            functions: functions.collect(),
            has_resources: self.exporter.plan.has_resources(),
        }
    }
}

/// A link, and how it joins its ends.
#[derive(Clone, Copy)]
struct Joined<'a> {
    link: &'a ComponentLink,
    choice: &'a Choice,
}

struct Planner<'a> {
    input: &'a AppInput,
    /// What was generated before.
    stubs: &'a Cache,
    problems: Problems,
}

impl Planner<'_> {
    /// Compares the two ends of each link.
    fn check_types(&mut self, links: &[Joined<'_>]) {
        let mut read = BTreeMap::new();
        for Joined { link, .. } in links {
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
                self.problems.push(Problem::with_help(message, help));
            }
        }
    }

    /// The importers' sides, one for each two components.
    fn crossings(
        &mut self,
        links: &[Joined<'_>],
        serving: &BTreeMap<usize, Arc<Serving>>,
    ) -> Vec<Arc<Crossing>> {
        let mut pairs: BTreeMap<(usize, usize), Vec<Joined<'_>>> = BTreeMap::new();
        for joined in links {
            let Edge { from, to, .. } = joined.link.edge;
            pairs.entry((from, to)).or_default().push(*joined);
        }
        let crossings = pairs.into_iter().filter_map(|((from, to), links)| {
            let interfaces: Vec<_> = links
                .iter()
                .map(|joined| CrossedInterface {
                    import: joined.link.edge.import.clone(),
                    export: joined.link.edge.export.clone(),
                    link: joined.link.link,
                })
                .collect();
            let imports: Vec<_> = interfaces.iter().map(|i| i.import.as_str()).collect();
            let target = serving.get(&to)?;
            let importer = match self.stubs.stub(self.component(from), &imports) {
                Ok(importer) => importer,
                Err(error) => {
                    self.refuse(from, to, &links, error);
                    return None;
                }
            };
            let mode = links[0].choice.mode;
            let linked: Vec<_> = interfaces
                .iter()
                .map(|interface| (interface.import.as_str(), interface.export.as_str()))
                .collect();
            let targets = match importer.plan.served_by(&target.exporter.plan, &linked) {
                Ok(targets) => targets,
                Err(unserved) => {
                    self.push(from, to, &links, &chain(&unserved));
                    return None;
                }
            };
            Some(Arc::new(Crossing {
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

    /// The targets' sides: for the links that join two stores here, and for those that may elsewhere.
    fn serving(
        &mut self,
        here: &[Joined<'_>],
        elsewhere: &[Joined<'_>],
    ) -> BTreeMap<usize, Arc<Serving>> {
        let all = here.iter().chain(elsewhere);
        let targets: BTreeSet<_> = all.map(|joined| joined.link.edge.to).collect();
        let mut serving = BTreeMap::new();
        for target in targets {
            let to_it = |joined: &&Joined<'_>| joined.link.edge.to == target;
            let here: Vec<_> = here.iter().filter(to_it).copied().collect();
            let elsewhere = elsewhere.iter().filter(to_it).copied();
            let all: Vec<_> = here.iter().copied().chain(elsewhere).collect();
            // What cannot be served to others is fused wherever it is called.
            let served = match self.serve(target, &all) {
                Err(_) if here.is_empty() => continue,
                Err(_) if here.len() < all.len() => self.serve(target, &here),
                served => served,
            };
            match served {
                Ok(served) => drop(serving.insert(target, Arc::new(served))),
                Err(error) => self.refuse(here[0].link.edge.from, target, &here, error),
            }
        }
        serving
    }

    fn serve(&mut self, component: usize, links: &[Joined<'_>]) -> Result<Serving, StubError> {
        let exports = links.iter().map(|joined| joined.link.edge.export.as_str());
        let exports: BTreeSet<_> = exports.collect();
        let exports: Vec<_> = exports.into_iter().collect();
        let exporter = self.stubs.skeleton(self.component(component), &exports)?;
        Ok(Serving { exporter })
    }

    /// Says what links between stores cannot carry, and why they are such.
    fn refuse(&mut self, from: usize, to: usize, links: &[Joined<'_>], error: StubError) {
        match error {
            StubError::Unsupported(refusals) => {
                for refusal in refusals {
                    self.push(from, to, links, &refusal.to_string());
                }
            }
            other => self.push(from, to, links, &chain(&other)),
        }
    }

    fn push(&mut self, from: usize, to: usize, links: &[Joined<'_>], message: &str) {
        let name = |component: usize| &self.input.app.spec.components[component].name;
        let reasons: BTreeSet<_> = links.iter().flat_map(|link| &link.choice.reasons).collect();
        let reasons: Vec<_> = reasons.into_iter().map(String::as_str).collect();
        let help = format!(
            "only a fused link carries it, and this one joins two stores: {}",
            reasons.join("; ")
        );
        let message = format!("link `{}` → `{}`: {message}", name(from), name(to));
        self.problems.push(Problem::with_help(message, help));
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

/// The word for it in output.
fn path_name(path: &CallPath) -> &'static str {
    match path {
        CallPath::Direct(_) => "direct",
        CallPath::Scalars(_) => "scalars",
        CallPath::Stub => "stub",
        CallPath::Concurrent => "concurrent",
    }
}
