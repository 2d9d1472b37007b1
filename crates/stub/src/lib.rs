//! Generates the components that carry calls between stores: a stub for whoever imports interfaces, a
//! skeleton for whoever exports them ([ADR 7](../../../docs/adr/0007-links-between-stores.md)).
//!
//! ```text
//! importer's bytes ─ ComponentWorld ─ plan::imports ─ generate::stub ─ assemble::stub
//! exporter's bytes ─ ComponentWorld ─ plan::exports ─ generate::skeleton
//! ```
//!
//! [`stub`] and [`skeleton`] go the whole way, and [`Cache`] does the same and keeps what it has cache.
//! What comes out is a component that is joined with the importer
//! or exporter like any other part; what it imports of the host, or exports to it, is `weft:link`.

pub mod assemble;
mod cache;
pub mod generate;
pub mod plan;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use thiserror::Error;

pub use assemble::AssembleError;
pub use cache::{Cache, Component};
pub use generate::GenerateError;

use assemble::ComponentNames;
use cache::Interfaces;
use plan::{ComponentWorld, Plan, PlannedInterface, Signature, Unsupported, WorldError};

/// The instance that a skeleton exports to its host.
const SERVE: &str = "weft:link/serve";

/// What is made for one end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// How each function crosses.
    pub plan: Plan,
    /// The component, unless the plan needs none.
    pub bytes: Option<Arc<[u8]>>,
    /// The interfaces by which the component is to be joined with its importer or exporter, by their names.
    ///
    /// Those are not all of the plan: concurrent ones are the host's, and a skeleton has none of which it
    /// needs nothing.
    pub joined: Vec<String>,
}

impl Generated {
    fn new(plan: Plan, bytes: Option<Arc<[u8]>>) -> Self {
        let joined = bytes
            .as_ref()
            .map_or_else(Vec::new, |bytes| joined(&plan, bytes));
        Self {
            plan,
            bytes,
            joined,
        }
    }
}

/// The interfaces of a plan that the component has which was made for it.
fn joined(plan: &Plan, component: &[u8]) -> Vec<String> {
    let ComponentNames { imports, exports } = ComponentNames::of(component);
    let is_skeleton = exports.contains(SERVE);
    let interfaces = plan.interfaces.iter().filter(|interface| {
        let name = interface.name.as_str();
        if is_skeleton {
            imports.contains(name)
        } else {
            // A stub may export the types of what the host defines as well.
            !interface.concurrent && exports.contains(name)
        }
    });
    interfaces.map(|interface| interface.name.clone()).collect()
}

/// Why there is no stub or skeleton.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StubError {
    /// The component has no world.
    #[error("its interfaces cannot be read")]
    World(#[from] WorldError),
    /// Links between stores do not carry what the interfaces have.
    #[error("no link between stores carries what it has: {}", first(.0))]
    Unsupported(Vec<Unsupported>),
    /// No code could be cache.
    #[error("its code cannot be generated")]
    Generate(#[from] GenerateError),
    /// Generated and typed functions could not be mixed.
    #[error("it cannot be put together")]
    Assemble(#[from] AssembleError),
    /// The tools gave up on the types.
    #[error("the interfaces have a shape that WIT does not have")]
    NotWit,
}

/// Makes the stub for an importer: `names` are its imports of one target.
///
/// `is_direct` says which signatures the host has a typed function for. It must be the same at both ends.
///
/// # Errors
///
/// Fails if the plan does, or no component can be made of it.
pub fn stub(
    importer: &ComponentWorld,
    names: &[&str],
    is_direct: &dyn Fn(&Signature) -> bool,
) -> Result<Generated, StubError> {
    stub_with(&Interfaces::default(), importer, names, is_direct)
}

fn stub_with(
    cache: &Interfaces,
    importer: &ComponentWorld,
    names: &[&str],
    is_direct: &dyn Fn(&Signature) -> bool,
) -> Result<Generated, StubError> {
    let plan = plan::imports(importer, names, is_direct).map_err(StubError::Unsupported)?;
    let bytes = guarded(|| {
        if !assemble::is_needed(&plan) {
            return Ok(None);
        }
        let plan = assemble::add_shared_types(importer, &plan);
        let generated = assemble::is_generated(importer, &plan)
            .then(|| cache.stub(importer, &plan))
            .transpose()?;
        Ok(Some(assemble::stub(importer, &plan, generated)?))
    })?;
    Ok(Generated::new(plan, bytes))
}

/// Makes the skeleton for an exporter: `names` are those of its exports that others reach.
///
/// It serves what crosses as bytes; typed and concurrent functions are called on the export itself.
///
/// # Errors
///
/// Fails if the plan does, or no component can be made of it.
pub fn skeleton(
    exporter: &ComponentWorld,
    names: &[&str],
    is_direct: &dyn Fn(&Signature) -> bool,
) -> Result<Generated, StubError> {
    skeleton_with(&Interfaces::default(), exporter, names, is_direct)
}

fn skeleton_with(
    cache: &Interfaces,
    exporter: &ComponentWorld,
    names: &[&str],
    is_direct: &dyn Fn(&Signature) -> bool,
) -> Result<Generated, StubError> {
    let plan = plan::exports(exporter, names, is_direct).map_err(StubError::Unsupported)?;
    let is_served = plan.interfaces.iter().any(PlannedInterface::has_generated);
    let bytes = guarded(|| {
        is_served
            .then(|| cache.skeleton(exporter, &plan))
            .transpose()
            .map_err(StubError::from)
    })?;
    Ok(Generated::new(plan, bytes))
}

/// The tools assert what their own output guarantees; a valid component of other tools may break that, and
/// a host must survive it. Nothing outlives the closure
/// but what a cache keeps, which is whole or not there.
fn guarded<R>(make: impl FnOnce() -> Result<R, StubError>) -> Result<R, StubError> {
    catch_unwind(AssertUnwindSafe(make)).unwrap_or(Err(StubError::NotWit))
}

fn first(unsupported: &[Unsupported]) -> String {
    match unsupported {
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
        [] => "nothing".to_owned(),
    }
}
