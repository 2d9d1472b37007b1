//! Interfaces by way of which those of a stub share types.
//!
//! A component that exports two interfaces has to export each third one that uses types of the first and
//! is used by the second. Where that third one is no part of the stub (another link reaches it, or the
//! host defines it because it is concurrent), the stub exports its types alone, for nobody to import.

use std::collections::HashSet;

use wit_parser::{InterfaceId, WorldItem, WorldKey};

use crate::plan::{ComponentWorld, Plan, PlannedInterface};

/// The interfaces of an importer's plan that a stub has, and those connecting them without their functions.
pub(crate) fn add_shared_types(importer: &ComponentWorld, plan: &Plan) -> Plan {
    let interfaces = plan.interfaces.iter();
    let mut interfaces: Vec<_> = interfaces
        .filter(|interface| !interface.concurrent)
        .cloned()
        .collect();
    let stubbed = interfaces.iter().map(|interface| interface.id).collect();
    interfaces.extend(connecting(importer, &stubbed).into_iter().map(|(key, id)| {
        PlannedInterface {
            name: importer.resolve.name_world_key(key),
            id,
            concurrent: false,
            resources: false,
            functions: Vec::new(),
        }
    }));
    Plan {
        interfaces,
        unsupported: Vec::new(),
    }
}

/// The imports that are not stubbed, use what is, and are used by what is.
fn connecting<'a>(
    importer: &'a ComponentWorld,
    stubbed: &HashSet<InterfaceId>,
) -> Vec<(&'a WorldKey, InterfaceId)> {
    let imports = importer.resolve.worlds[importer.world].imports.iter();
    let imports: Vec<_> = imports
        .filter_map(|(key, item)| match item {
            WorldItem::Interface { id, .. } => Some((key, *id)),
            WorldItem::Function(_) | WorldItem::Type { .. } => None,
        })
        .collect();
    let uses = |id| importer.resolve.interface_direct_deps(id);
    // A component imports an interface before those that use its types: one way through is enough.
    let mut above = stubbed.clone();
    for (_, id) in &imports {
        if uses(*id).any(|used| above.contains(&used)) {
            above.insert(*id);
        }
    }
    let mut below: HashSet<_> = stubbed.clone();
    for (_, id) in imports.iter().rev() {
        if below.contains(id) {
            below.extend(uses(*id));
        }
    }
    let connects =
        |id: &InterfaceId| !stubbed.contains(id) && above.contains(id) && below.contains(id);
    let mut known = HashSet::new();
    let connecting = imports.into_iter().filter(|(_, id)| connects(id));
    connecting.filter(|(_, id)| known.insert(*id)).collect()
}
