//! What a manifest says, as far as it can be read: the parts that references are made of.
//!
//! A mistake in one field must not hide mistakes in others, so the checks of meaning do not wait for
//! an app that deserializes; they run over whatever fields are well formed.

use std::str::FromStr;

use crate::app::{COMPONENTS_MAX, LINKS_MAX, Locality, PROVIDERS_MAX, ROUTES_MAX};
use crate::diagnostic::Position;
use crate::text::nearest;
use crate::tree::{Data, Entry, Node, Path};
use crate::{
    AppName, ComponentName, HostPattern, InterfaceRef, LinkName, Name, PathPrefix, ProviderName,
};

/// Something and where it stands.
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) position: Option<Position>,
    pub(crate) path: String,
}

pub(crate) struct Outline<'a> {
    pub(crate) app: Option<AppName>,
    pub(crate) components: Vec<At<ComponentName>>,
    pub(crate) providers: Vec<At<ProviderName>>,
    /// The components that cannot share a store.
    pub(crate) apart: Vec<Apart>,
    pub(crate) targets: Targets,
    pub(crate) env: Vec<At<&'a str>>,
    pub(crate) placements: Vec<PlacementOutline<'a>>,
    pub(crate) links: Vec<LinkOutline>,
    pub(crate) routes: Vec<RouteOutline>,
}

/// Whether the components and providers can be told at all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Targets {
    Known,
    /// A list is misspelled, is no list or is too long: every reference would look wrong and none may be.
    Unknown,
}

/// A component that has a store of its own.
pub(crate) struct Apart {
    pub(crate) component: ComponentName,
    /// The keys that say so, below the component.
    pub(crate) keys: Vec<&'static str>,
}

/// What is said about the hosts of a component.
pub(crate) struct PlacementOutline<'a> {
    pub(crate) component: Option<ComponentName>,
    /// The keys `require` and `prefer`, each with the names in it.
    pub(crate) labels: Vec<(At<()>, Vec<At<&'a str>>)>,
    /// The labels whose list of values has none.
    pub(crate) without_values: Vec<At<&'a str>>,
    pub(crate) anti_affinity: Vec<At<ComponentName>>,
}

pub(crate) struct LinkOutline {
    pub(crate) from: Option<At<ComponentName>>,
    pub(crate) to: Option<At<Name>>,
    pub(crate) interface: Option<At<InterfaceRef>>,
    pub(crate) name: Written<LinkName>,
    /// The key `config`, if there is anything in it.
    pub(crate) config: Option<At<()>>,
    /// The key `locality`, if it is written.
    pub(crate) locality: Option<At<Locality>>,
    /// The key `deadline`, if it is written.
    pub(crate) deadline: Option<At<()>>,
    /// The key `idempotent`, if it is written.
    pub(crate) idempotent: Option<At<()>>,
}

pub(crate) struct RouteOutline {
    pub(crate) host: Written<HostPattern>,
    pub(crate) path: Written<PathPrefix>,
    pub(crate) to: Option<At<ComponentName>>,
    pub(crate) at: At<()>,
}

/// A field that may be left out.
#[derive(PartialEq, Eq)]
pub(crate) enum Written<T> {
    Absent,
    Well(T),
    /// Reported already.
    Badly,
}

impl<'a> Outline<'a> {
    pub(crate) fn of(root: &'a Node) -> Outline<'a> {
        let empty = const {
            &Node {
                position: None,
                data: Data::Null,
            }
        };
        let metadata = root.get("metadata").unwrap_or(empty);
        let spec = root.get("spec").unwrap_or(empty);
        let path = &Path::Key(&Path::Root, "spec");
        Outline {
            app: read(metadata, "name", path).map(|at| at.value),
            components: each(spec, "components", path, |item, at| read(item, "name", at)),
            providers: each(spec, "providers", path, |item, at| read(item, "name", at)),
            apart: each(spec, "components", path, Apart::of),
            targets: targets(spec),
            env: each(spec, "components", path, |item, at| {
                Some(env_names(item, at))
            })
            .into_iter()
            .flatten()
            .collect(),
            placements: each(spec, "components", path, PlacementOutline::of),
            links: each(spec, "links", path, |item, at| {
                Some(LinkOutline::of(item, at))
            }),
            routes: each(spec, "routes", path, |item, at| {
                Some(RouteOutline::of(item, at))
            }),
        }
    }
}

impl Apart {
    fn of(item: &Node, path: &Path<'_>) -> Option<Apart> {
        let component = read(item, "name", path)?.value;
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
        (!keys.is_empty()).then_some(Apart { component, keys })
    }
}

impl<'a> PlacementOutline<'a> {
    fn of(item: &'a Node, path: &Path<'_>) -> Option<PlacementOutline<'a>> {
        let placement = item.get("placement")?;
        let path_here = &Path::Key(path, "placement");
        let labels = ["require", "prefer"].into_iter().filter_map(|key| {
            let entry = placement.entry(key)?;
            let names = entry.value.entries().iter();
            let path_of_names = Path::Key(path_here, key);
            let names = names.map(|name| at_key(name, name.key.as_str(), &path_of_names));
            Some((at_key(entry, (), path_here), names.collect()))
        });
        let labels: Vec<(_, Vec<_>)> = labels.collect();
        let without_values = ["require", "prefer"].into_iter().flat_map(|key| {
            let path_of_names = Path::Key(path_here, key);
            let entries = placement.get(key).map_or(&[][..], Node::entries).iter();
            let empty =
                entries.filter(|it| matches!(&it.value.data, Data::List(list) if list.is_empty()));
            empty
                .map(|it| at_key(it, it.key.as_str(), &path_of_names))
                .collect::<Vec<_>>()
        });
        let others = placement
            .get("anti-affinity")
            .map_or(&[][..], Node::items)
            .iter()
            .enumerate();
        let path_of_others = Path::Key(path_here, "anti-affinity");
        Some(PlacementOutline {
            component: read(item, "name", path).map(|at| at.value),
            labels,
            without_values: without_values.collect(),
            anti_affinity: others
                .filter_map(|(index, node)| at_value(node, Path::Index(&path_of_others, index)))
                .collect(),
        })
    }
}

impl LinkOutline {
    fn of(item: &Node, path: &Path<'_>) -> LinkOutline {
        let config = item
            .entry("config")
            .filter(|entry| !entry.value.entries().is_empty());
        let written_key = |key| {
            let entry = item.entry(key);
            entry.filter(|entry| !matches!(entry.value.data, Data::Null))
        };
        LinkOutline {
            from: read(item, "from", path),
            to: read(item, "to", path),
            interface: read(item, "interface", path),
            name: written(item, "name"),
            config: config.map(|entry| at_key(entry, (), path)),
            locality: written_key("locality")
                .map(|entry| at_key(entry, locality(&entry.value), path)),
            deadline: written_key("deadline").map(|entry| at_key(entry, (), path)),
            idempotent: written_key("idempotent").map(|entry| at_key(entry, (), path)),
        }
    }
}

impl RouteOutline {
    fn of(item: &Node, path: &Path<'_>) -> RouteOutline {
        RouteOutline {
            host: written(item, "host"),
            path: written(item, "path"),
            to: read(item, "to", path),
            at: At {
                value: (),
                position: item.position,
                path: path.to_string(),
            },
        }
    }
}

/// What is not a locality is reported as that, and then asks for nothing.
fn locality(node: &Node) -> Locality {
    let all = [Locality::Fused, Locality::Local];
    let written = all.into_iter().find(|it| node.text() == Some(it.as_str()));
    written.unwrap_or_default()
}

fn targets(spec: &Node) -> Targets {
    let is_fine = |key| match spec.get(key).map(|node| &node.data) {
        Some(Data::List(items)) => items.len() <= items_max(key),
        Some(_) => false,
        // Nothing was meant, unless a key that is not known was meant for it. An app without
        // components is rare enough to take any such key for them.
        None => !spec.entries().iter().any(|Entry { key: written, .. }| {
            let is_unknown = items_max(written) == 0;
            is_unknown && (key == "components" || nearest(written, [key]).is_some())
        }),
    };
    let is_known =
        matches!(spec.data, Data::Map(_)) && is_fine("components") && is_fine("providers");
    if is_known {
        Targets::Known
    } else {
        Targets::Unknown
    }
}

/// Reads every item of a list of `spec`.
fn each<'a, T>(
    spec: &'a Node,
    key: &str,
    path: &Path<'_>,
    read: impl Fn(&'a Node, &Path<'_>) -> Option<T>,
) -> Vec<T> {
    let path = Path::Key(path, key);
    let items = spec.get(key).map_or(&[][..], Node::items);
    // Too many are reported as that, and not looked at one by one.
    let items = if items.len() > items_max(key) {
        &[]
    } else {
        items
    }
    .iter()
    .enumerate();
    let maps = items.filter(|(_, item)| matches!(item.data, Data::Map(_)));
    maps.filter_map(|(index, item)| read(item, &Path::Index(&path, index)))
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

fn read<T: FromStr>(item: &Node, key: &str, path: &Path<'_>) -> Option<At<T>> {
    at_value(item.get(key)?, Path::Key(path, key))
}

fn at_value<T: FromStr>(node: &Node, path: Path<'_>) -> Option<At<T>> {
    let value = node.text()?.parse().ok()?;
    Some(At {
        value,
        position: node.position,
        path: path.to_string(),
    })
}

fn written<T: FromStr>(item: &Node, key: &str) -> Written<T> {
    match item.get(key).map(|node| (&node.data, node.text())) {
        None | Some((Data::Null, _)) => Written::Absent,
        Some((_, text)) => match text.and_then(|text| text.parse().ok()) {
            Some(value) => Written::Well(value),
            None => Written::Badly,
        },
    }
}

fn env_names<'a>(component: &'a Node, path: &Path<'_>) -> Vec<At<&'a str>> {
    let path = Path::Key(path, "env");
    let entries = component.get("env").map_or(&[][..], Node::entries).iter();
    entries
        .map(|entry| at_key(entry, entry.key.as_str(), &path))
        .collect()
}

fn at_key<T>(entry: &Entry, value: T, path: &Path<'_>) -> At<T> {
    let path = Path::Key(path, &entry.key).to_string();
    At {
        value,
        position: entry.key_position,
        path,
    }
}
