//! Interfaces through which the interfaces of a stub share types.
//!
//! A component that exports two interfaces must also export each third interface that uses types of
//! the first and is used by the second. Such an interface may not be part of the stub: another link
//! serves it, or the host defines it because it is concurrent. Then the stub exports only its
//! types, and no component imports them.

use std::collections::HashSet;

use wit_parser::{InterfaceId, WorldItem, WorldKey};

use crate::plan::{ComponentWorld, Plan, PlannedInterface};

/// The stub's interfaces of an importer's plan, and the connecting interfaces without their
/// functions.
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

/// The imports outside the stub that use its interfaces and are used by them.
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
    // A component imports an interface before those that use its types, so one pass is enough.
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
