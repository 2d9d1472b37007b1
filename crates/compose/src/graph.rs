//! The parts and edges of a fusion, checked: who is linked to whom, in which order, with which types.

use std::collections::HashMap;

use wasmparser::component_types::{ComponentEntityType, ComponentInstanceTypeId, ResourceId};

use crate::binary::{Component, Item, ResourcePath};
use crate::error::{FuseError, LinkEnds};
use crate::fuse::{Edge, FuseOptions, Part};
use crate::matching::{self, Fault, Found, ResourcePairs};
use crate::names::Track;
use crate::outline::Bodies;

/// Parts whose edges have been checked.
pub(crate) struct Graph<'a> {
    pub(crate) parts: &'a [Part<'a>],
    pub(crate) edges: &'a [Edge],
    pub(crate) components: Vec<Component>,
    /// Exporters before importers; the entry is last.
    pub(crate) order: Vec<usize>,
    /// For each edge, the resources that the two ends take to be the same.
    pub(crate) crossing: Vec<ResourcePairs>,
    links: HashMap<(usize, &'a str), &'a Edge>,
}

impl<'a> Graph<'a> {
    /// Reads the parts and checks the edges.
    pub(crate) fn read(
        parts: &'a [Part<'a>],
        edges: &'a [Edge],
        options: &FuseOptions<'_>,
    ) -> Result<Self, FuseError> {
        check_bounds(parts, options)?;
        let links = index_links(parts, edges)?;
        let order = order(parts, edges)?;
        let components = parts.iter().map(read_part).collect::<Result<Vec<_>, _>>()?;
        let mut graph = Self {
            parts,
            edges,
            components,
            order,
            crossing: Vec::new(),
            links,
        };
        graph.crossing = edges
            .iter()
            .map(|edge| graph.check_edge(edge))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(graph)
    }

    /// The edge that satisfies an import.
    pub(crate) fn link(&self, part: usize, import: &str) -> Option<&'a Edge> {
        self.links.get(&(part, import)).copied()
    }

    /// The imports of a part that no edge satisfies.
    pub(crate) fn open_imports(&self, part: usize) -> impl Iterator<Item = &Item> {
        let imports = self.components[part].imports.iter();
        imports.filter(move |item| self.link(part, &item.name).is_none())
    }

    /// Follows a resource through the edges to whoever has it.
    pub(crate) fn origin(&self, mut part: usize, mut id: ResourceId) -> Origin<'_> {
        loop {
            let component = &self.components[part];
            let Some(path) = component.resource_import(id) else {
                return Origin::Defined { part, id };
            };
            let exported = self.link(part, &path.import).and_then(|edge| {
                let instance = instance(self.components[edge.to].export(&edge.export)?.ty).ok()?;
                let id = self.components[edge.to].exported_resource(instance, &path.resource)?;
                Some((edge.to, id.resource()))
            });
            // An edge leads from importers to exporters, and there is no cycle.
            match exported {
                Some(exported) => (part, id) = exported,
                None => return Origin::Imported { part, path },
            }
        }
    }

    /// The ends of an edge, for a message.
    pub(crate) fn ends(&self, edge: &Edge) -> Box<LinkEnds> {
        Box::new(LinkEnds {
            from: self.parts[edge.from].name.to_owned(),
            to: self.parts[edge.to].name.to_owned(),
            interface: edge.import.clone(),
        })
    }

    fn check_edge(&self, edge: &Edge) -> Result<ResourcePairs, FuseError> {
        let (importer, exporter) = (&self.components[edge.from], &self.components[edge.to]);
        let import = importer
            .import(&edge.import)
            .ok_or_else(|| FuseError::NoImport {
                from: self.parts[edge.from].name.to_owned(),
                import: edge.import.clone(),
                imports: likeliest(&importer.imports, &edge.import),
            })?;
        let export = exporter
            .export(&edge.export)
            .ok_or_else(|| FuseError::NoExport {
                to: self.parts[edge.to].name.to_owned(),
                export: edge.export.clone(),
                exports: likeliest(&exporter.exports, &edge.export),
            })?;
        let not_an_interface = |found| FuseError::NotAnInterface {
            link: self.ends(edge),
            found,
        };
        let expected = instance(import.ty).map_err(not_an_interface)?;
        let found = instance(export.ty).map_err(not_an_interface)?;
        matching::instances((importer, expected), (exporter, found))
            .map_err(|fault| refusal(fault, self.ends(edge)))
    }
}

/// Who has a resource.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A part defines it.
    Defined { part: usize, id: ResourceId },
    /// A part imports it, and no edge satisfies that import.
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

fn read_part(part: &Part<'_>) -> Result<Component, FuseError> {
    // The fused component is validated as a whole, bodies included.
    Component::read(part.bytes, Bodies::Skipped).map_err(|source| FuseError::Part {
        part: part.name.to_owned(),
        source,
    })
}

fn index_links<'a>(
    parts: &[Part<'_>],
    edges: &'a [Edge],
) -> Result<HashMap<(usize, &'a str), &'a Edge>, FuseError> {
    let mut links: HashMap<_, &Edge> = HashMap::new();
    for edge in edges {
        if let Some(index) = [edge.from, edge.to]
            .into_iter()
            .find(|end| *end >= parts.len())
        {
            return Err(FuseError::NoSuchPart {
                index,
                parts: parts.len(),
            });
        }
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

/// Sorts the parts, exporters first, without recursion: the number of parts is the caller's.
fn order(parts: &[Part<'_>], edges: &[Edge]) -> Result<Vec<usize>, FuseError> {
    let mut targets = vec![Vec::new(); parts.len()];
    for edge in edges {
        targets[edge.from].push(edge.to);
    }
    let mut order = Vec::new();
    let mut is_done = vec![false; parts.len()];
    // The way from the entry to where the walk is, with the next edge to take at each part.
    let mut path = vec![(0, 0)];
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
    match is_done.iter().position(|is_done| !is_done) {
        None => Ok(order),
        Some(part) => Err(FuseError::Unreachable {
            entry: parts[0].name.to_owned(),
            part: parts[part].name.to_owned(),
        }),
    }
}

fn instance(ty: ComponentEntityType) -> Result<ComponentInstanceTypeId, &'static str> {
    match ty {
        ComponentEntityType::Instance(id) => Ok(id),
        other => Err(matching::kind(&other)),
    }
}

/// The names of items, those of the same interface in other versions first.
fn likeliest(items: &[Item], wanted: &str) -> Vec<String> {
    let interface = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    let mut names: Vec<_> = items.iter().map(|item| item.name.clone()).collect();
    names.sort_by_key(|name| interface(name) != interface(wanted));
    names
}

fn refusal(fault: Fault, link: Box<LinkEnds>) -> FuseError {
    let Fault {
        kind,
        item,
        expected,
        found,
    } = fault;
    match found {
        Found::Other(found) => FuseError::Mismatch {
            link,
            kind,
            item,
            expected,
            found,
        },
        Found::Nothing(items) => FuseError::Missing {
            link,
            kind,
            item,
            expected,
            items,
        },
    }
}

/// Whether two imports can be bound to one thing.
pub(crate) fn are_compatible(one: &str, other: &str) -> bool {
    Track::of(one) == Track::of(other)
}
