//! Assigns the names of open imports in the fused component.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use wasmparser::component_types::ComponentAnyTypeId;

use crate::binary::Component;
use crate::compose::compose_error;
use crate::error::FuseError;
use crate::fuse::{Edge, FusedImport, ImportOwner, Part};
use crate::graph::{Graph, Origin, are_compatible};
use crate::names::{Track, is_reserved, private_name, version};

/// The names of all open imports; an open import is one that no edge satisfies.
pub(crate) struct ImportNames {
    /// For each part, the new name of each open import, by its name in the part.
    pub(crate) names: Vec<HashMap<String, String>>,
    /// The imports of the fused component, by their names.
    pub(crate) imports: BTreeMap<String, FusedImport>,
}

/// An open import: the part, and the name there.
type OpenImport<'a> = (usize, &'a str);

impl ImportNames {
    /// Assigns names to the open imports of a graph.
    ///
    /// 1. Interfaces whose resources cross an edge form a group: both ends must mean the same
    ///    interface.
    /// 2. A private import outside of any group gets a name for its part alone.
    /// 3. A private group shares one name: the plain one, or for a second group of the same
    ///    interface the private name of its first part.
    /// 4. All others share the plain name, in the highest compatible version.
    pub(crate) fn assign(
        graph: &Graph<'_>,
        is_private: &dyn Fn(&str) -> bool,
    ) -> Result<Self, FuseError> {
        check_names(graph)?;
        let mut import_names = Self {
            names: vec![HashMap::new(); graph.parts.len()],
            imports: BTreeMap::new(),
        };
        let mut public: BTreeMap<Track, Vec<OpenImport<'_>>> = BTreeMap::new();
        for group in groups(graph)? {
            if !group.iter().any(|(_, name)| is_private(name)) {
                for open in group {
                    public.entry(Track::of(open.1)).or_default().push(open);
                }
            } else if let [(part, name)] = group[..] {
                let owner = ImportOwner::Part(part);
                import_names.add(&group, private_name(part, name), owner);
            } else {
                import_names.add_private_group(&group);
            }
        }
        for group in public.values() {
            import_names.add(
                group,
                highest(group).to_owned(),
                ImportOwner::Shared(owners(group)),
            );
        }
        Ok(import_names)
    }

    fn add_private_group(&mut self, group: &[OpenImport<'_>]) {
        let plain = highest(group);
        let is_taken = self
            .imports
            .values()
            .any(|import| are_compatible(&import.name, plain));
        let name = match group {
            [(part, _), ..] if is_taken => private_name(*part, plain),
            _ => plain.to_owned(),
        };
        self.add(group, name, ImportOwner::Shared(owners(group)));
    }

    fn add(&mut self, group: &[OpenImport<'_>], name: String, owner: ImportOwner) {
        for (part, original) in group {
            // A part that imports two versions keeps both names: the composing library merges them.
            let has_both_versions = group.iter().filter(|(other, _)| other == part).count() > 1;
            let name = if has_both_versions {
                (*original).to_owned()
            } else {
                name.clone()
            };
            self.names[*part].insert((*original).to_owned(), name);
        }
        let original = highest(group).to_owned();
        self.imports.insert(
            name.clone(),
            FusedImport {
                name,
                original,
                owner,
            },
        );
    }

    /// Returns the owners of the fused component's imports.
    ///
    /// Fails if an import is missing there: it was merged, so its part would be bound to a
    /// different implementation.
    pub(crate) fn imports_of(&self, fused: &Component) -> Result<Vec<FusedImport>, FuseError> {
        let names: HashSet<_> = fused
            .imports
            .iter()
            .map(|item| item.name.as_str())
            .collect();
        let tracks: HashSet<_> = names.iter().map(|name| Track::of(name)).collect();
        let is_present =
            |name: &String| names.contains(name.as_str()) || tracks.contains(&Track::of(name));
        if let Some(merged) = self.imports.keys().find(|name| !is_present(name)) {
            return Err(compose_error(format!(
                "import `{merged}` was merged with another import"
            )));
        }
        fused
            .imports
            .iter()
            .map(|item| self.import(&item.name))
            .collect()
    }

    fn import(&self, name: &str) -> Result<FusedImport, FuseError> {
        let by_track = || {
            let track = Track::of(name);
            self.imports
                .values()
                .find(|import| Track::of(&import.name) == track)
        };
        let import = self.imports.get(name).or_else(by_track);
        let import = import.ok_or_else(|| {
            compose_error(format!("import `{name}` does not belong to any component"))
        })?;
        Ok(FusedImport {
            name: name.to_owned(),
            ..import.clone()
        })
    }
}

/// Refuses names that would get the identity of another part.
fn check_names(graph: &Graph<'_>) -> Result<(), FuseError> {
    for (part, Part { name, .. }) in graph.parts.iter().enumerate() {
        let names = graph.open_imports(part).flat_map(|item| {
            std::iter::once(item.name.as_str()).chain(item.item.implements.as_deref())
        });
        if let Some(import) = names.into_iter().find(|name| is_reserved(name)) {
            return Err(FuseError::ReservedName {
                part: (*name).to_owned(),
                import: import.to_owned(),
            });
        }
    }
    Ok(())
}

/// Groups the open imports that must share one binding; each group is sorted by part, and so are
/// the groups.
fn groups<'g>(graph: &'g Graph<'_>) -> Result<Vec<Vec<OpenImport<'g>>>, FuseError> {
    let mut groups: Vec<BTreeSet<OpenImport<'g>>> = (0..graph.parts.len())
        .flat_map(|part| {
            graph
                .open_imports(part)
                .map(move |item| (part, item.name.as_str()))
        })
        .map(|open| BTreeSet::from([open]))
        .collect();
    for (edge, pairs) in graph.edges.iter().zip(&graph.resource_pairs) {
        for (expected, found) in pairs {
            let ends = (
                graph.origin(edge.from, expected.resource()),
                graph.origin(edge.to, found.resource()),
            );
            let name = || {
                let id = ComponentAnyTypeId::Resource(*expected);
                let name = graph.components[edge.from].type_name(id);
                name.unwrap_or_default().to_owned()
            };
            if let Some(shared_import) = shared_import(graph, edge, ends, name)? {
                merge_groups(&mut groups, shared_import);
            }
        }
    }
    Ok(groups
        .into_iter()
        .map(|group| group.into_iter().collect())
        .collect())
}

/// Returns the two imports that must share one binding; `None` if a part defines the resource.
fn shared_import<'g>(
    graph: &Graph<'_>,
    edge: &Edge,
    ends: (Origin<'g>, Origin<'g>),
    name: impl Fn() -> String,
) -> Result<Option<[OpenImport<'g>; 2]>, FuseError> {
    match ends {
        (
            Origin::Defined { part, id },
            Origin::Defined {
                part: other,
                id: other_id,
            },
        ) if part == other && id == other_id => Ok(None),
        (
            Origin::Imported { part, path },
            Origin::Imported {
                part: other,
                path: other_path,
            },
        ) if path.resource == other_path.resource
            && are_compatible(&path.import, &other_path.import) =>
        {
            Ok(Some([(part, &path.import), (other, &other_path.import)]))
        }
        // Two stubs for one component have its name.
        (Origin::Defined { part, .. }, Origin::Defined { part: other, .. })
            if graph.parts[part].name == graph.parts[other].name =>
        {
            Err(FuseError::ResourceCopies {
                link: graph.ends(edge),
                resource: name(),
                owner: graph.parts[part].name.to_owned(),
            })
        }
        (expected, found) => Err(FuseError::ResourceMismatch {
            link: graph.ends(edge),
            resource: name(),
            expected: provenance(graph, expected),
            found: provenance(graph, found),
        }),
    }
}

fn merge_groups<'g>(groups: &mut Vec<BTreeSet<OpenImport<'g>>>, [one, other]: [OpenImport<'g>; 2]) {
    let position =
        |groups: &[BTreeSet<OpenImport<'g>>], open| groups.iter().position(|g| g.contains(&open));
    let (Some(first), Some(second)) = (position(groups, one), position(groups, other)) else {
        return;
    };
    if first != second {
        let (first, second) = (first.min(second), first.max(second));
        let mut moved = groups.remove(second);
        groups[first].append(&mut moved);
    }
}

fn owners(group: &[OpenImport<'_>]) -> Vec<usize> {
    let parts: BTreeSet<_> = group.iter().map(|(part, _)| *part).collect();
    parts.into_iter().collect()
}

/// The name with the highest version; all names of a group are compatible.
fn highest<'g>(group: &[OpenImport<'g>]) -> &'g str {
    let names = group.iter().map(|(_, name)| *name);
    names.max_by_key(|name| version(name)).unwrap_or_default()
}

fn provenance(graph: &Graph<'_>, origin: Origin<'_>) -> String {
    match origin {
        Origin::Defined { part, .. } => format!("defined by `{}`", graph.parts[part].name),
        Origin::Imported { part, path } => {
            format!(
                "imported by `{}` from `{}`",
                graph.parts[part].name, path.import
            )
        }
    }
}
