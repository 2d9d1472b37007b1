//! A component without code that is instantiated first, to fix the order of shared imports.
//!
//! The composing library imports interfaces in the order in which it meets them, and expects that an
//! interface comes after those whose types it uses. When two parts use different functions of one
//! interface, the first part may not import all that the second part's functions need: the order of
//! the first is then wrong for both. The prelude imports every interface, without any of its items,
//! in an order that is right for all; the parts' types are then merged into that.

use std::collections::HashMap;

use wasm_encoder::{ComponentBuilder, ComponentTypeRef, InstanceType};
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};

use crate::binary::Component;
use crate::compose::compose_error;
use crate::error::FuseError;
use crate::graph::Graph;
use crate::plan::Plan;

/// The prelude's binary.
pub(crate) fn encode(graph: &Graph<'_>, plan: &Plan) -> Result<Vec<u8>, FuseError> {
    let mut builder = ComponentBuilder::default();
    for name in ordered_names(graph, plan)? {
        // Each has a type of its own: the library knows an interface by its type.
        let (empty, ty) = builder.ty(None);
        ty.instance(&InstanceType::new());
        builder.import(name, ComponentTypeRef::Instance(empty));
    }
    Ok(builder.finish())
}

/// The names of all interfaces that the fused component imports, users after used.
fn ordered_names<'g>(graph: &'g Graph<'_>, plan: &'g Plan) -> Result<Vec<&'g str>, FuseError> {
    let mut names = Vec::new();
    let mut uses: HashMap<&str, Vec<&str>> = HashMap::new();
    for (part, component) in graph.components.iter().enumerate() {
        let used = used_interfaces(component);
        let new_name = |name: &str| plan.names[part].get(name).map(String::as_str);
        for item in graph.open_imports(part) {
            let is_interface = matches!(item.item.ty, ComponentEntityType::Instance(_));
            // A plain name is never used by others, and merging would lose what it implements.
            if let Some(name) =
                new_name(&item.name).filter(|name| is_interface && name.contains(':'))
            {
                names.push(name);
                let used = used.get(item.name.as_str()).into_iter().flatten();
                uses.entry(name)
                    .or_default()
                    .extend(used.filter_map(|name| new_name(name)));
            }
        }
    }
    sort(names, &uses)
}

/// Where a walk through the interfaces is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Entered,
    Left,
}

/// A depth-first walk with a stack of its own.
///
/// Interfaces that use each other, which only parts with contradicting types can bring about, would
/// send the composing library into an endless recursion.
fn sort<'g>(
    names: Vec<&'g str>,
    uses: &HashMap<&'g str, Vec<&'g str>>,
) -> Result<Vec<&'g str>, FuseError> {
    let mut sorted = Vec::new();
    let mut visits: HashMap<&str, Visit> = HashMap::new();
    let mut path: Vec<_> = names
        .into_iter()
        .rev()
        .map(|name| (name, Visit::Entered))
        .collect();
    while let Some((name, step)) = path.pop() {
        match (step, visits.get(name)) {
            (Visit::Left, _) => {
                visits.insert(name, Visit::Left);
                sorted.push(name);
            }
            (Visit::Entered, Some(_)) => {}
            (Visit::Entered, None) => {
                visits.insert(name, Visit::Entered);
                path.push((name, Visit::Left));
                for used in uses
                    .get(name)
                    .into_iter()
                    .flatten()
                    .filter(|used| **used != name)
                {
                    if visits.get(used) == Some(&Visit::Entered) {
                        let message =
                            format!("imports `{name}` and `{used}` use each other's types");
                        return Err(compose_error(message));
                    }
                    path.push((used, Visit::Entered));
                }
            }
        }
    }
    Ok(sorted)
}

/// For each imported interface, the others whose types it uses.
fn used_interfaces(component: &Component) -> HashMap<&str, Vec<&str>> {
    let mut owners: HashMap<ComponentAnyTypeId, &str> = HashMap::new();
    let mut uses: HashMap<&str, Vec<&str>> = HashMap::new();
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
                Some(owner) => uses.entry(&item.name).or_default().push(owner),
                None => {
                    owners.insert(created, &item.name);
                }
            }
        }
    }
    uses
}
