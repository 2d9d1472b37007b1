//! Generates the code of stubs and skeletons: core modules that convert values in canonical memory
//! to the bytes of the wire, and back.
//!
//! `shape` builds a table of the types. [`stub()`] or [`skeleton()`] generate the functions of the
//! interfaces and request a function per type from the `generator`. `encode`, `decode`, `flat_abi`
//! and `handles` generate those, and `helpers` the type-independent ones. `world` turns the module
//! into a component.

mod code;
mod decode;
mod encode;
mod error;
mod flat_abi;
mod generator;
mod handles;
mod helpers;
mod memory_layout;
mod module;
mod shape;
mod signature;
mod skeleton;
mod stub;
mod variant_cases;
mod world;

pub use error::GenerateError;

use sha2::{Digest, Sha256};
use wit_parser::{WorldItem, WorldKey};

use crate::plan::{CallPath, ComponentWorld, Plan, PlannedInterface};
use world::{CarriedFunction, CarriedInterface, LinkWorld, Side};

/// The version of the generated code. Cached artifacts of other versions are not used.
pub const VERSION: u32 = 3;

/// Generates the generated part of a stub: a component that exports the interfaces of an importer's
/// plan with the functions that generated code carries, and imports `weft:link/call`.
///
/// # Errors
///
/// Fails if a type has no encoding, or the tools cannot turn the code into a component.
pub fn stub(component: &ComponentWorld, plan: &Plan) -> Result<Vec<u8>, GenerateError> {
    let carried = carried(component, plan, Side::Stub)?;
    let world = LinkWorld::new(&component.resolve, &carried, Side::Stub)?;
    world.componentize(stub::module(&world)?)
}

/// Generates a skeleton: a component that imports the interfaces of an exporter's plan with the
/// functions that generated code carries, and exports `weft:link/serve`.
///
/// # Errors
///
/// Fails if a type has no encoding, or the tools cannot turn the code into a component.
pub fn skeleton(component: &ComponentWorld, plan: &Plan) -> Result<Vec<u8>, GenerateError> {
    let carried = carried(component, plan, Side::Skeleton)?;
    let world = LinkWorld::new(&component.resolve, &carried, Side::Skeleton)?;
    world.componentize(skeleton::module(&world)?)
}

/// Identifies the component that [`stub()`] generates, without generating it.
///
/// # Errors
///
/// Fails if the plan was not made for this component, or the tools cannot encode its types.
pub fn stub_digest(component: &ComponentWorld, plan: &Plan) -> Result<[u8; 32], GenerateError> {
    digest(component, plan, Side::Stub)
}

/// Identifies the component that [`skeleton()`] generates, without generating it.
///
/// # Errors
///
/// Fails if the plan was not made for this component, or the tools cannot encode its types.
pub fn skeleton_digest(component: &ComponentWorld, plan: &Plan) -> Result<[u8; 32], GenerateError> {
    digest(component, plan, Side::Skeleton)
}

fn digest(component: &ComponentWorld, plan: &Plan, side: Side) -> Result<[u8; 32], GenerateError> {
    let carried = carried(component, plan, side)?;
    let world = LinkWorld::new(&component.resolve, &carried, side)?;
    let mut hasher = Sha256::new();
    hasher.update(VERSION.to_le_bytes());
    // The encoded world covers everything but the indices, names of types included. It orders
    // interfaces by its own rules, so each index is hashed with the names of its function.
    hasher.update(world.encode()?);
    for interface in &carried {
        let interface_name = component.resolve.name_world_key(&interface.key);
        for function in &interface.functions {
            hasher.update(function.index.to_le_bytes());
            hasher.update(interface_name.as_bytes());
            hasher.update([0]);
            hasher.update(function.name.as_bytes());
            hasher.update([0]);
        }
    }
    Ok(hasher.finalize().into())
}

/// The interfaces of a plan that are part of a stub or skeleton. An interface without carried
/// functions may have types that others use.
fn carried(
    component: &ComponentWorld,
    plan: &Plan,
    side: Side,
) -> Result<Vec<CarriedInterface>, GenerateError> {
    let interfaces = plan.interfaces.iter().filter(|interface| match side {
        Side::Stub => !interface.concurrent,
        Side::Skeleton => !interface.concurrent || interface.has_generated(),
    });
    interfaces
        .map(|interface| carry(component, interface, side))
        .collect()
}

fn carry(
    component: &ComponentWorld,
    planned: &PlannedInterface,
    side: Side,
) -> Result<CarriedInterface, GenerateError> {
    let world = &component.resolve.worlds[component.world];
    let items = match side {
        Side::Stub => &world.imports,
        Side::Skeleton => &world.exports,
    };
    let is_it = |(key, item): &(&WorldKey, &WorldItem)| {
        matches!(item, WorldItem::Interface { id, .. } if *id == planned.id)
            && component.resolve.name_world_key(key) == planned.name
    };
    let (key, _) = items
        .iter()
        .find(is_it)
        .ok_or_else(|| GenerateError::NoInterface {
            name: planned.name.clone(),
        })?;
    let known = &component.resolve.interfaces[planned.id].functions;
    let mut functions = Vec::new();
    for function in &planned.functions {
        if !function.path.is_generated() {
            continue;
        }
        if !known.contains_key(&function.name) {
            return Err(GenerateError::NoFunction {
                interface: planned.name.clone(),
                function: function.name.clone(),
            });
        }
        functions.push(CarriedFunction {
            index: function.index,
            name: function.name.clone(),
            is_scalars: matches!(function.path, CallPath::Scalars(_)),
        });
    }
    Ok(CarriedInterface {
        key: key.clone(),
        id: planned.id,
        functions,
    })
}
