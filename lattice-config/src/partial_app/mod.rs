//! The well-formed names and references of a manifest that may have mistakes.
//!
//! A mistake in one field must not hide mistakes in others. So names and references are not checked
//! on a deserialized app, but on the fields that could be read.

mod route;

use std::str::FromStr;

use crate::app::{COMPONENTS_MAX, LINKS_MAX, Locality, PROVIDERS_MAX, ROUTES_MAX};
use crate::diagnostic::Position;
use crate::quote::nearest;
use crate::spanned_yaml::{Data, Entry, Node, Path};
use crate::{AppName, ComponentName, InterfaceRef, LinkName, Name, ProviderName};

pub(crate) use self::route::{PartialErrorType, PartialOperation, PartialRoute};

/// A value with its position and path.
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) position: Option<Position>,
    pub(crate) path: String,
}

pub(crate) struct PartialApp<'a> {
    pub(crate) name: Option<AppName>,
    pub(crate) components: Vec<Located<ComponentName>>,
    pub(crate) providers: Vec<Located<ProviderName>>,
    /// The components with their own store, which cannot be fused.
    pub(crate) own_stores: Vec<OwnStore>,
    pub(crate) target_names: TargetNames,
    pub(crate) env: Vec<Located<&'a str>>,
    /// The maps of `build` with neither a language nor a command, which build nothing.
    pub(crate) empty_builds: Vec<Located<()>>,
    pub(crate) placements: Vec<PartialPlacement<'a>>,
    pub(crate) links: Vec<PartialLink>,
    pub(crate) routes: Vec<PartialRoute<'a>>,
}

/// The state of the lists of components and providers, the targets of references.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetNames {
    Known,
    /// A list is misspelled, not a list or too long. References are not checked then, because
    /// correct ones would be reported, too.
    Unknown,
}

/// A component with its own store.
pub(crate) struct OwnStore {
    pub(crate) component: ComponentName,
    /// The keys of the component that require the store.
    pub(crate) keys: Vec<&'static str>,
}

/// The placement section of a component.
pub(crate) struct PartialPlacement<'a> {
    pub(crate) component: Option<ComponentName>,
    /// The keys `require` and `prefer`, each with its label names.
    pub(crate) labels: Vec<(Located<()>, Vec<Located<&'a str>>)>,
    /// The labels with an empty list of values.
    pub(crate) empty_values: Vec<Located<&'a str>>,
    pub(crate) anti_affinity: Vec<Located<ComponentName>>,
}

pub(crate) struct PartialLink {
    pub(crate) from: Option<Located<ComponentName>>,
    pub(crate) to: Option<Located<Name>>,
    pub(crate) interface: Option<Located<InterfaceRef>>,
    pub(crate) name: OptionalField<LinkName>,
    /// The key `config`, if its map is not empty.
    pub(crate) config: Option<Located<()>>,
    /// The key `locality`, if present.
    pub(crate) locality: Option<Located<Locality>>,
    /// The key `deadline`, if present.
    pub(crate) deadline: Option<Located<()>>,
    /// The key `idempotent`, if present.
    pub(crate) idempotent: Option<Located<()>>,
}

/// An optional field.
#[derive(PartialEq, Eq)]
pub(crate) enum OptionalField<T> {
    Absent,
    Valid(T),
    /// The mistake is reported by the check of types.
    Invalid,
}

impl<'a> PartialApp<'a> {
    pub(crate) fn of(root: &'a Node) -> PartialApp<'a> {
        let empty = const {
            &Node {
                position: None,
                data: Data::Null,
            }
        };
        let metadata = root.get("metadata").unwrap_or(empty);
        let spec = root.get("spec").unwrap_or(empty);
        let path = &Path::Key(&Path::Root, "spec");
        PartialApp {
            name: read_field(metadata, "name", path).map(|located| located.value),
            components: read_items(spec, "components", path, |item, path| {
                read_field(item, "name", path)
            }),
            providers: read_items(spec, "providers", path, |item, path| {
                read_field(item, "name", path)
            }),
            own_stores: read_items(spec, "components", path, OwnStore::of),
            target_names: target_names(spec),
            env: read_items(spec, "components", path, |item, path| {
                Some(env_names(item, path))
            })
            .into_iter()
            .flatten()
            .collect(),
            empty_builds: read_items(spec, "components", path, empty_build),
            placements: read_items(spec, "components", path, PartialPlacement::of),
            links: read_items(spec, "links", path, |item, path| {
                Some(PartialLink::of(item, path))
            }),
            routes: read_items(spec, "routes", path, |item, path| {
                Some(PartialRoute::of(item, path))
            }),
        }
    }
}

impl OwnStore {
    fn of(item: &Node, path: &Path<'_>) -> Option<OwnStore> {
        let component = read_field(item, "name", path)?.value;
        let is_isolated = item
            .get("isolate")
            .is_some_and(|node| matches!(node.data, Data::Bool(true)));
        let has_limit = |key| {
            let limit = item.get("limits").and_then(|limits| limits.get(key));
            limit.is_some_and(|node| !matches!(node.data, Data::Null))
        };
        let keys: Vec<_> = [
            ("isolate", is_isolated),
            ("limits.memory", has_limit("memory")),
            ("limits.cpu", has_limit("cpu")),
        ]
        .into_iter()
        .filter_map(|(key, is_set)| is_set.then_some(key))
        .collect();
        (!keys.is_empty()).then_some(OwnStore { component, keys })
    }
}

impl<'a> PartialPlacement<'a> {
    fn of(item: &'a Node, path: &Path<'_>) -> Option<PartialPlacement<'a>> {
        let placement = item.get("placement")?;
        let path_here = &Path::Key(path, "placement");
        let labels = ["require", "prefer"].into_iter().filter_map(|key| {
            let entry = placement.entry(key)?;
            let names = entry.value.entries().iter();
            let path_of_names = Path::Key(path_here, key);
            let names = names.map(|name| located_key(name, name.key.as_str(), &path_of_names));
            Some((located_key(entry, (), path_here), names.collect()))
        });
        let labels: Vec<(_, Vec<_>)> = labels.collect();
        let empty_values = ["require", "prefer"].into_iter().flat_map(|key| {
            let path_of_names = Path::Key(path_here, key);
            let entries = placement.get(key).map_or(&[][..], Node::entries).iter();
            let empty =
                entries.filter(|it| matches!(&it.value.data, Data::List(list) if list.is_empty()));
            empty
                .map(|it| located_key(it, it.key.as_str(), &path_of_names))
                .collect::<Vec<_>>()
        });
        let others = placement
            .get("anti-affinity")
            .map_or(&[][..], Node::items)
            .iter()
            .enumerate();
        let path_of_others = Path::Key(path_here, "anti-affinity");
        Some(PartialPlacement {
            component: read_field(item, "name", path).map(|located| located.value),
            labels,
            empty_values: empty_values.collect(),
            anti_affinity: others
                .filter_map(|(index, node)| {
                    located_value(node, Path::Index(&path_of_others, index))
                })
                .collect(),
        })
    }
}

impl PartialLink {
    fn of(item: &Node, path: &Path<'_>) -> PartialLink {
        let config = item
            .entry("config")
            .filter(|entry| !entry.value.entries().is_empty());
        let set_key = |key| {
            let entry = item.entry(key);
            entry.filter(|entry| !matches!(entry.value.data, Data::Null))
        };
        PartialLink {
            from: read_field(item, "from", path),
            to: read_field(item, "to", path),
            interface: read_field(item, "interface", path),
            name: optional_field(item, "name"),
            config: config.map(|entry| located_key(entry, (), path)),
            locality: set_key("locality")
                .map(|entry| located_key(entry, locality(&entry.value), path)),
            deadline: set_key("deadline").map(|entry| located_key(entry, (), path)),
            idempotent: set_key("idempotent").map(|entry| located_key(entry, (), path)),
        }
    }
}

/// The build of a component, if it has neither a language nor a command.
fn empty_build(item: &Node, path: &Path<'_>) -> Option<Located<()>> {
    let entry = item.entry("build")?;
    let is_map = matches!(entry.value.data, Data::Map(_));
    let has_either = ["language", "command"]
        .iter()
        .any(|key| entry.value.get(key).is_some());
    (is_map && !has_either).then(|| located_key(entry, (), path))
}

/// The locality of a link; the default for an invalid value, which the check of types reports.
fn locality(node: &Node) -> Locality {
    let all = [Locality::Fused, Locality::Local];
    let written = all.into_iter().find(|it| node.text() == Some(it.as_str()));
    written.unwrap_or_default()
}

fn target_names(spec: &Node) -> TargetNames {
    let is_readable = |key| match spec.get(key).map(|node| &node.data) {
        Some(Data::List(items)) => items.len() <= items_max(key),
        Some(_) => false,
        // The list is absent, unless an unknown key is a misspelling of its name. An app without
        // components is rare, so then any unknown key counts as one.
        None => !spec.entries().iter().any(|Entry { key: written, .. }| {
            let is_unknown = items_max(written) == 0;
            is_unknown && (key == "components" || nearest(written, [key]).is_some())
        }),
    };
    let is_known =
        matches!(spec.data, Data::Map(_)) && is_readable("components") && is_readable("providers");
    if is_known {
        TargetNames::Known
    } else {
        TargetNames::Unknown
    }
}

/// Reads every item of a list of `spec`.
fn read_items<'a, T>(
    spec: &'a Node,
    key: &str,
    path: &Path<'_>,
    read_item: impl Fn(&'a Node, &Path<'_>) -> Option<T>,
) -> Vec<T> {
    let path = Path::Key(path, key);
    let items = spec.get(key).map_or(&[][..], Node::items);
    // A list that is too long is reported as a whole by the check of types.
    let items = if items.len() > items_max(key) {
        &[]
    } else {
        items
    }
    .iter()
    .enumerate();
    let maps = items.filter(|(_, item)| matches!(item.data, Data::Map(_)));
    maps.filter_map(|(index, item)| read_item(item, &Path::Index(&path, index)))
        .collect()
}

fn items_max(list: &str) -> usize {
    match list {
        "components" => COMPONENTS_MAX,
        "providers" => PROVIDERS_MAX,
        "links" => LINKS_MAX,
        "routes" => ROUTES_MAX,
        _ => 0,
    }
}

fn read_field<T: FromStr>(item: &Node, key: &str, path: &Path<'_>) -> Option<Located<T>> {
    located_value(item.get(key)?, Path::Key(path, key))
}

fn located_value<T: FromStr>(node: &Node, path: Path<'_>) -> Option<Located<T>> {
    let value = node.text()?.parse().ok()?;
    Some(Located {
        value,
        position: node.position,
        path: path.to_string(),
    })
}

fn optional_field<T: FromStr>(item: &Node, key: &str) -> OptionalField<T> {
    match item.get(key).map(|node| (&node.data, node.text())) {
        None | Some((Data::Null, _)) => OptionalField::Absent,
        Some((_, text)) => match text.and_then(|text| text.parse().ok()) {
            Some(value) => OptionalField::Valid(value),
            None => OptionalField::Invalid,
        },
    }
}

fn env_names<'a>(component: &'a Node, path: &Path<'_>) -> Vec<Located<&'a str>> {
    let path = Path::Key(path, "env");
    let entries = component.get("env").map_or(&[][..], Node::entries).iter();
    entries
        .map(|entry| located_key(entry, entry.key.as_str(), &path))
        .collect()
}

fn located_key<T>(entry: &Entry, value: T, path: &Path<'_>) -> Located<T> {
    let path = Path::Key(path, &entry.key).to_string();
    Located {
        value,
        position: entry.key_position,
        path,
    }
}
