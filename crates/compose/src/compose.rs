//! Composes renamed parts with `wac-graph`.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeError, EncodeOptions, NodeId};

use crate::error::{Cause, FuseError};
use crate::graph::Graph;
use crate::names::Track;
use crate::plan::Plan;
use crate::{rewrite, shape};

/// The fused component, not yet validated.
pub(crate) fn compose(graph: &Graph<'_>, plan: &Plan) -> Result<Vec<u8>, FuseError> {
    let renamed = (0..graph.parts.len())
        .map(|part| {
            rewrite::rename_imports(graph.parts[part].bytes, &plan.names[part]).map_err(|source| {
                FuseError::Part {
                    part: graph.parts[part].name.to_owned(),
                    source,
                }
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if let [only] = &renamed[..] {
        return Ok(only.clone());
    }
    shape::check(graph, plan)?;
    // The library asserts what components of the usual tools guarantee; a valid component of other
    // tools may break that, and a host must survive it. Nothing outlives the closure.
    let fused = catch_unwind(AssertUnwindSafe(|| {
        let mut composer = Composer::new(graph);
        composer.add_parts(renamed)?;
        composer.encode()
    }))
    .unwrap_or_else(|_| {
        Err(compose_error(
            "their imports have a shape that WIT does not have",
        ))
    })?;
    annotate(graph, fused)
}

struct Composer<'a> {
    graph: &'a Graph<'a>,
    composition: CompositionGraph,
    /// The instance of each part.
    nodes: HashMap<usize, NodeId>,
}

impl<'a> Composer<'a> {
    fn new(graph: &'a Graph<'a>) -> Self {
        Self {
            graph,
            composition: CompositionGraph::new(),
            nodes: HashMap::new(),
        }
    }

    fn instantiate(&mut self, name: &str, bytes: Vec<u8>) -> Result<NodeId, FuseError> {
        let package = Package::from_bytes(name, None, bytes, self.composition.types_mut())
            .map_err(compose_error)?;
        let package = self
            .composition
            .register_package(package)
            .map_err(compose_error)?;
        Ok(self.composition.instantiate(package))
    }

    fn add_parts(&mut self, mut renamed: Vec<Vec<u8>>) -> Result<(), FuseError> {
        // Exporters first: an instance must exist before it is an argument.
        for part in self.graph.order.iter().copied() {
            let bytes = std::mem::take(&mut renamed[part]);
            let node = self.instantiate(&format!("weft:part{part}"), bytes)?;
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

    fn encode(mut self) -> Result<Vec<u8>, FuseError> {
        for item in &self.graph.components[0].exports {
            let export = self
                .composition
                .alias_instance_export(self.nodes[&0], &item.name)
                .map_err(compose_error)?;
            self.composition
                .export(export, &item.name)
                .map_err(compose_error)?;
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

/// Restores what the composing library drops: which interfaces plainly named exports implement.
fn annotate(graph: &Graph<'_>, fused: Vec<u8>) -> Result<Vec<u8>, FuseError> {
    let exports = graph.components[0].exports.iter();
    let implemented: HashMap<_, _> = exports
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
