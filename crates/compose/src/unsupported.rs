//! Refuses imports that the composing library would misinterpret, or process without end.
//!
//! The usual tools do not produce such imports; a valid binary may contain them.

use std::collections::HashMap;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentInstanceTypeId,
};

use crate::binary::{Component, Item};
use crate::compose::compose_error;
use crate::error::FuseError;
use crate::graph::Graph;
use crate::import_names::ImportNames;
use crate::matching::kind;
use crate::names::Track;

/// Checks the imports of all parts.
pub(crate) fn check(graph: &Graph<'_>, import_names: &ImportNames) -> Result<(), FuseError> {
    for (part, component) in graph.components.iter().enumerate() {
        check_kinds(graph.parts[part].name, component)?;
        check_distinct_types(graph, part)?;
    }
    check_uses(graph, import_names)
}

/// Allows only the items of WIT: functions, types, and interfaces of these.
fn check_kinds(part: &str, component: &Component) -> Result<(), FuseError> {
    for Item { name, item } in &component.imports {
        let unsupported = match item.ty {
            ComponentEntityType::Instance(id) => component.types[id]
                .exports
                .values()
                .map(|item| item.ty)
                .find(|ty| !is_plain(ty)),
            ty => Some(ty).filter(|ty| !is_plain(ty)),
        };
        if let Some(unsupported) = unsupported {
            let message = format!(
                "import `{name}` of `{part}` contains an unsupported {}",
                kind(&unsupported)
            );
            return Err(compose_error(message));
        }
    }
    Ok(())
}

fn is_plain(ty: &ComponentEntityType) -> bool {
    matches!(
        ty,
        ComponentEntityType::Func(_)
            | ComponentEntityType::Type {
                created: ComponentAnyTypeId::Resource(_) | ComponentAnyTypeId::Defined(_),
                ..
            }
    )
}

/// Refuses two imported interfaces that are declared with one type, unless both are linked.
///
/// The composing library identifies an interface by its type and would import one in place of the
/// other.
fn check_distinct_types(graph: &Graph<'_>, part: usize) -> Result<(), FuseError> {
    let mut seen: HashMap<ComponentInstanceTypeId, &Item> = HashMap::new();
    for item in &graph.components[part].imports {
        let ComponentEntityType::Instance(id) = item.item.ty else {
            continue;
        };
        let first = *seen.entry(id).or_insert(item);
        let is_linked = |item: &Item| graph.link(part, &item.name).is_some();
        if interface(&first.name, first) != interface(&item.name, item)
            && !(is_linked(first) && is_linked(item))
        {
            let (first, name, part) = (&first.name, &item.name, graph.parts[part].name);
            let message = format!("imports `{first}` and `{name}` of `{part}` share one type");
            return Err(compose_error(message));
        }
    }
    Ok(())
}

/// Returns the interface of an import; a plain name may not have one.
fn interface<'a>(name: &'a str, item: &'a Item) -> Option<&'a str> {
    if name.contains(':') {
        Some(name)
    } else {
        item.item.implements.as_deref()
    }
}

/// Refuses interfaces that use each other's types.
///
/// A single component cannot contain such a cycle, but two parts with contradicting types of the
/// same interfaces can. It would send the composing library into endless recursion.
fn check_uses(graph: &Graph<'_>, import_names: &ImportNames) -> Result<(), FuseError> {
    let mut uses: HashMap<Track, Vec<Track>> = HashMap::new();
    for (component, names) in graph.components.iter().zip(&import_names.names) {
        // Linked imports count as well: other imports may use their types.
        let track = |item: &Item| {
            let name = names.get(&item.name).unwrap_or(&item.name);
            interface(name, item).map(Track::of)
        };
        for (user, used) in used_interfaces(component) {
            if let (Some(user), Some(used)) = (track(user), track(used)) {
                uses.entry(user).or_default().push(used);
            }
        }
    }
    match find_cycle(&uses) {
        None => Ok(()),
        Some(track) => Err(compose_error(format!(
            "import `{track}` is in a cycle of interfaces that use each other's types"
        ))),
    }
}

/// The state of an interface in a depth-first walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Entered,
    Left,
}

/// Returns an interface on a cycle; a depth-first walk with an explicit stack.
fn find_cycle(uses: &HashMap<Track, Vec<Track>>) -> Option<&Track> {
    let mut visits: HashMap<&Track, Visit> = HashMap::new();
    let mut path: Vec<_> = uses.keys().map(|track| (track, Visit::Entered)).collect();
    while let Some((track, step)) = path.pop() {
        if step == Visit::Left {
            visits.insert(track, Visit::Left);
        } else if !visits.contains_key(track) {
            visits.insert(track, Visit::Entered);
            path.push((track, Visit::Left));
            for used in uses.get(track).into_iter().flatten() {
                if visits.get(used) == Some(&Visit::Entered) {
                    return Some(used);
                }
                path.push((used, Visit::Entered));
            }
        }
    }
    None
}

/// Returns pairs of imported interfaces in which the first uses a type of the second.
fn used_interfaces(component: &Component) -> Vec<(&Item, &Item)> {
    let mut owners: HashMap<ComponentAnyTypeId, &Item> = HashMap::new();
    let mut uses = Vec::new();
    for item in &component.imports {
        let ComponentEntityType::Instance(id) = item.item.ty else {
            continue;
        };
        for exported in component.types[id].exports.values() {
            let ComponentEntityType::Type {
                referenced,
                created,
            } = exported.ty
            else {
                continue;
            };
            let chain = |id| std::iter::successors(Some(id), |id| component.types.peel_alias(*id));
            match chain(created)
                .chain(chain(referenced))
                .find_map(|id| owners.get(&id))
            {
                // An interface may give a type of its own two names.
                Some(owner) if owner.name == item.name => {}
                Some(owner) => uses.push((item, *owner)),
                None => {
                    owners.insert(created, item);
                }
            }
        }
    }
    uses
}
