//! Composes renamed parts with `wac-graph`.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeError, EncodeOptions, NodeId};

use crate::error::{Cause, FuseError};
use crate::fuse::ImportOwner;
use crate::graph::Graph;
use crate::import_names::ImportNames;
use crate::import_type_aliases::{self, ImportBinding};
use crate::names::{Track, private_name};
use crate::{rewrite, type_only_exports, unsupported};

/// Composes the parts; the result is not validated yet.
pub(crate) fn compose(graph: &Graph<'_>, import_names: &ImportNames) -> Result<Vec<u8>, FuseError> {
    let renamed = (0..graph.parts.len())
        .map(|part| {
            rewrite::rename_imports(graph.parts[part].bytes, &import_names.names[part]).map_err(
                |source| FuseError::Part {
                    part: graph.parts[part].name.to_owned(),
                    source,
                },
            )
        })
        .collect::<Result<Vec<_>, _>>()?;
    if let [only] = &renamed[..] {
        return Ok(only.clone());
    }
    unsupported::check(graph, import_names)?;
    // The library asserts guarantees of the usual tools. A valid component of other tools may break
    // them, and a host must survive that. The closure's state is dropped with it.
    let fused = catch_unwind(AssertUnwindSafe(|| {
        let mut composer = Composer::new(graph, import_names);
        composer.add_parts(renamed)?;
        composer.encode()
    }))
    .unwrap_or_else(|_| Err(compose_error("the imports cannot be expressed in WIT")))?;
    annotate(graph, fused)
}

struct Composer<'a> {
    graph: &'a Graph<'a>,
    import_names: &'a ImportNames,
    composition: CompositionGraph,
    /// The instance of each part.
    nodes: HashMap<usize, NodeId>,
}

impl<'a> Composer<'a> {
    fn new(graph: &'a Graph<'a>, import_names: &'a ImportNames) -> Self {
        Self {
            graph,
            import_names,
            composition: CompositionGraph::new(),
            nodes: HashMap::new(),
        }
    }

    fn instantiate(&mut self, part: usize, bytes: Vec<u8>) -> Result<NodeId, FuseError> {
        let types = self.composition.types_mut();
        let package = Package::from_bytes(&format!("weft:part{part}"), None, bytes, types)
            .map_err(compose_error)?;
        let binding = |import: &str| match self.import_names.imports.get(import) {
            _ if self.graph.link(part, import).is_some() => ImportBinding::Linked,
            Some(import) if import.owner == ImportOwner::Part(part) => ImportBinding::Private,
            _ => ImportBinding::Shared,
        };
        import_type_aliases::detach(self.composition.types_mut(), &package, binding);
        let package = self
            .composition
            .register_package(package)
            .map_err(compose_error)?;
        Ok(self.composition.instantiate(package))
    }

    fn add_parts(&mut self, mut renamed: Vec<Vec<u8>>) -> Result<(), FuseError> {
        // Exporters first: an instance must exist before it can be an argument.
        for part in self.graph.order.iter().copied() {
            let bytes = std::mem::take(&mut renamed[part]);
            let node = self.instantiate(part, bytes)?;
            self.nodes.insert(part, node);
            for edge in self.graph.edges.iter().filter(|edge| edge.from == part) {
                let exporter = self.nodes[&edge.to];
                let argument = self
                    .composition
                    .alias_instance_export(exporter, &edge.export)
                    .map_err(compose_error)?;
                self.composition
                    .set_instantiation_argument(node, &edge.import, argument)
                    .map_err(|source| FuseError::Refused {
                        link: self.graph.ends(edge),
                        source: source.into(),
                    })?;
            }
        }
        Ok(())
    }

    fn export(&mut self, part: usize, export: &str, name: &str) -> Result<(), FuseError> {
        let item = self
            .composition
            .alias_instance_export(self.nodes[&part], export)
            .map_err(compose_error)?;
        self.composition.export(item, name).map_err(compose_error)
    }

    fn encode(mut self) -> Result<Vec<u8>, FuseError> {
        let graph = self.graph;
        for (part, export) in type_only_exports::exports(graph) {
            self.export(part, export, &private_name(part, export))?;
        }
        for part in graph.exporters.iter().copied() {
            for item in &graph.components[part].exports {
                self.export(part, &item.name, &item.name)?;
            }
        }
        let options = EncodeOptions {
            define_components: true,
            validate: false,
            processor: None,
        };
        self.composition
            .encode(options)
            .map_err(|error| match error {
                EncodeError::ImportTypeMergeConflict { import, source, .. } => {
                    FuseError::ImportConflict {
                        parts: self.importers(&import),
                        import,
                        source: source.into(),
                    }
                }
                other => compose_error(other),
            })
    }

    fn importers(&self, import: &str) -> Vec<String> {
        let track = Track::of(import);
        let imports = |part: &usize| {
            self.graph
                .open_imports(*part)
                .any(|item| Track::of(&item.name) == track)
        };
        let parts = (0..self.graph.parts.len()).filter(imports);
        parts
            .map(|part| self.graph.parts[part].name.to_owned())
            .collect()
    }
}

/// Restores the `implements` annotations of plainly named exports, which the composing library
/// drops.
fn annotate(graph: &Graph<'_>, fused: Vec<u8>) -> Result<Vec<u8>, FuseError> {
    let exporters = graph.exporters.iter();
    let implemented: HashMap<_, _> = exporters
        .flat_map(|part| &graph.components[*part].exports)
        .filter_map(|item| Some((item.name.clone(), item.item.implements.clone()?)))
        .collect();
    if implemented.is_empty() {
        return Ok(fused);
    }
    rewrite::annotate_exports(&fused, &implemented).map_err(compose_error)
}

pub(crate) fn compose_error(source: impl Into<Cause>) -> FuseError {
    FuseError::Compose {
        source: source.into(),
    }
}
