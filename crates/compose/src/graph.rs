//! The checked parts and edges of a fusion: links, order and shared resource types.

use std::collections::HashMap;

use wasmparser::component_types::ResourceId;

use crate::binary::{Component, Item, ResourcePath};
use crate::error::{FuseError, LinkEnds};
use crate::fuse::{ENTRY, Edge, FuseOptions, Part};
use crate::link::{self, End};
use crate::matching::ResourcePairs;
use crate::names::Track;

/// Parts whose edges have been checked.
pub(crate) struct Graph<'a> {
    pub(crate) parts: &'a [Part<'a>],
    pub(crate) edges: &'a [Edge],
    pub(crate) components: Vec<Component>,
    /// The parts whose exports the fused component has.
    pub(crate) exporters: &'a [usize],
    /// The parts in an order that has exporters before importers.
    pub(crate) order: Vec<usize>,
    /// For each edge, the resources that must be the same at both ends.
    pub(crate) resource_pairs: Vec<ResourcePairs>,
    links: HashMap<(usize, &'a str), &'a Edge>,
}

impl<'a> Graph<'a> {
    /// Reads the parts and checks the edges.
    pub(crate) fn read(
        parts: &'a [Part<'a>],
        edges: &'a [Edge],
        exporters: &'a [usize],
        options: &FuseOptions<'_>,
    ) -> Result<Self, FuseError> {
        check_bounds(parts, options)?;
        check_indices(parts, edges, exporters)?;
        let links = index_links(parts, edges)?;
        let order = order(parts, edges, exporters)?;
        let components = parts
            .iter()
            .map(link::read)
            .collect::<Result<Vec<_>, _>>()?;
        let mut graph = Self {
            parts,
            edges,
            components,
            exporters,
            order,
            resource_pairs: Vec::new(),
            links,
        };
        graph.check_exports()?;
        graph.resource_pairs = edges
            .iter()
            .map(|edge| graph.check_edge(edge))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(graph)
    }

    /// Returns the edge that satisfies an import.
    pub(crate) fn link(&self, part: usize, import: &str) -> Option<&'a Edge> {
        self.links.get(&(part, import)).copied()
    }

    /// Returns the imports of a part that no edge satisfies.
    pub(crate) fn open_imports(&self, part: usize) -> impl Iterator<Item = &Item> {
        let imports = self.components[part].imports.iter();
        imports.filter(move |item| self.link(part, &item.name).is_none())
    }

    /// Follows a resource through the edges to its origin.
    pub(crate) fn origin(&self, mut part: usize, mut id: ResourceId) -> Origin<'_> {
        loop {
            let component = &self.components[part];
            let Some(path) = component.resource_import(id) else {
                return Origin::Defined { part, id };
            };
            let exported = self.link(part, &path.import).and_then(|edge| {
                let instance =
                    link::instance(self.components[edge.to].export(&edge.export)?.ty).ok()?;
                let id = self.components[edge.to].exported_resource(instance, &path.resource)?;
                Some((edge.to, id.resource()))
            });
            // Terminates: edges lead from importers to exporters, and there is no cycle.
            match exported {
                Some(exported) => (part, id) = exported,
                None => return Origin::Imported { part, path },
            }
        }
    }

    /// Returns the ends of an edge, for a message.
    pub(crate) fn ends(&self, edge: &Edge) -> Box<LinkEnds> {
        Box::new(LinkEnds {
            from: self.parts[edge.from].name.to_owned(),
            to: self.parts[edge.to].name.to_owned(),
            interface: edge.import.clone(),
        })
    }

    fn check_edge(&self, edge: &Edge) -> Result<ResourcePairs, FuseError> {
        let end = |part: usize, item| End {
            name: self.parts[part].name,
            component: &self.components[part],
            item,
        };
        link::check(&end(edge.from, &edge.import), &end(edge.to, &edge.export))
    }

    /// Refuses exports that would have the same name in the fused component.
    fn check_exports(&self) -> Result<(), FuseError> {
        let mut owners: HashMap<&str, usize> = HashMap::new();
        for part in self.exporters.iter().copied() {
            for item in &self.components[part].exports {
                if let Some(first) = owners.insert(&item.name, part) {
                    return Err(FuseError::ExportedTwice {
                        export: item.name.clone(),
                        first: self.parts[first].name.to_owned(),
                        second: self.parts[part].name.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// The origin of a resource.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// Defined by a part.
    Defined { part: usize, id: ResourceId },
    /// Imported by a part; no edge satisfies that import.
    Imported { part: usize, path: &'a ResourcePath },
}

fn check_bounds(parts: &[Part<'_>], options: &FuseOptions<'_>) -> Result<(), FuseError> {
    if parts.is_empty() {
        return Err(FuseError::NoParts);
    }
    if parts.len() > options.max_parts {
        return Err(FuseError::TooManyParts {
            limit: options.max_parts,
            found: parts.len(),
        });
    }
    let found = parts
        .iter()
        .fold(0_usize, |sum, part| sum.saturating_add(part.bytes.len()));
    if found > options.max_bytes {
        return Err(FuseError::TooLarge {
            limit: options.max_bytes,
            found,
        });
    }
    Ok(())
}

fn check_indices(parts: &[Part<'_>], edges: &[Edge], exporters: &[usize]) -> Result<(), FuseError> {
    let ends = edges.iter().flat_map(|edge| [edge.from, edge.to]);
    let mut indices = ends.chain(exporters.iter().copied());
    match indices.find(|index| *index >= parts.len()) {
        None => Ok(()),
        Some(index) => Err(FuseError::NoSuchPart {
            index,
            parts: parts.len(),
        }),
    }
}

fn index_links<'a>(
    parts: &[Part<'_>],
    edges: &'a [Edge],
) -> Result<HashMap<(usize, &'a str), &'a Edge>, FuseError> {
    let mut links: HashMap<_, &Edge> = HashMap::new();
    for edge in edges {
        if let Some(first) = links.insert((edge.from, edge.import.as_str()), edge) {
            return Err(FuseError::LinkedTwice {
                from: parts[edge.from].name.to_owned(),
                import: edge.import.clone(),
                first: parts[first.to].name.to_owned(),
                second: parts[edge.to].name.to_owned(),
            });
        }
    }
    Ok(links)
}

/// Sorts the parts that `exporters` reach, link targets first. It does not recurse, because the
/// caller chooses the number of parts.
fn order(parts: &[Part<'_>], edges: &[Edge], exporters: &[usize]) -> Result<Vec<usize>, FuseError> {
    let mut targets = vec![Vec::new(); parts.len()];
    for edge in edges {
        targets[edge.from].push(edge.to);
    }
    let mut order = Vec::new();
    let mut is_done = vec![false; parts.len()];
    for root in exporters.iter().copied() {
        // The path from the root to the current part, with the next edge to follow at each part.
        let mut path = if is_done[root] {
            vec![]
        } else {
            vec![(root, 0)]
        };
        while let Some((part, next)) = path.last_mut() {
            let Some(target) = targets[*part].get(*next).copied() else {
                is_done[*part] = true;
                order.push(*part);
                path.pop();
                continue;
            };
            *next += 1;
            if let Some(start) = path.iter().position(|(part, _)| *part == target) {
                let cycle = path[start..].iter().map(|(part, _)| *part).chain([target]);
                let path = cycle.map(|part| parts[part].name.to_owned()).collect();
                return Err(FuseError::Cycle { path });
            }
            if !is_done[target] {
                path.push((target, 0));
            }
        }
    }
    match is_done.iter().position(|is_done| !is_done) {
        None => Ok(order),
        Some(part) => Err(FuseError::Unreachable {
            entry: parts[ENTRY].name.to_owned(),
            part: parts[part].name.to_owned(),
        }),
    }
}

/// Returns whether two imports can be bound to the same implementation.
pub(crate) fn are_compatible(one: &str, other: &str) -> bool {
    Track::of(one) == Track::of(other)
}
