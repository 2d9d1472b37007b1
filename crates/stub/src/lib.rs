//! Generates the components that carry calls between stores: a stub for an importer of interfaces,
//! a skeleton for an exporter ([ADR 7](../../../docs/adr/0007-links-between-stores.md)).
//!
//! ```text
//! importer's bytes ─ ComponentWorld ─ plan::imports ─ generate::stub ─ assemble::stub
//! exporter's bytes ─ ComponentWorld ─ plan::exports ─ generate::skeleton
//! ```
//!
//! [`stub`] and [`skeleton`] run all steps, and [`Cache`] runs them once per input. The result is a
//! component to be fused with the importer or exporter like any other part; `weft:link` is its
//! interface to the host.

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

/// The result for one end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The call path of each function.
    pub plan: Plan,
    /// The component; `None` if the plan needs no generated code.
    pub bytes: Option<Arc<[u8]>>,
    /// Names of the interfaces to fuse with the importer or exporter.
    ///
    /// A subset of the plan: the host defines concurrent interfaces itself, and a skeleton omits
    /// interfaces from which it needs nothing.
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

/// The interfaces of a plan that are present in its generated component.
fn joined(plan: &Plan, component: &[u8]) -> Vec<String> {
    let ComponentNames { imports, exports } = ComponentNames::of(component);
    let is_skeleton = exports.contains(SERVE);
    let interfaces = plan.interfaces.iter().filter(|interface| {
        let name = interface.name.as_str();
        if is_skeleton {
            imports.contains(name)
        } else {
            // A stub may also export the types of interfaces that the host defines.
            !interface.concurrent && exports.contains(name)
        }
    });
    interfaces.map(|interface| interface.name.clone()).collect()
}

/// The reason a stub or skeleton could not be generated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StubError {
    /// The component's world could not be decoded.
    #[error("cannot decode the interfaces of the component")]
    World(#[from] WorldError),
    /// The interfaces have types or functions that links between stores do not support.
    #[error("unsupported on links between stores: {}", first(.0))]
    Unsupported(Vec<Unsupported>),
    /// Code generation failed.
    #[error("cannot generate the code of the link")]
    Generate(#[from] GenerateError),
    /// Generated and typed functions could not be combined in one component.
    #[error("cannot assemble the stub")]
    Assemble(#[from] AssembleError),
    /// The WIT tools panicked on the types.
    #[error("the interfaces of the component cannot be expressed in WIT")]
    NotWit,
}

/// Generates the stub for an importer: `names` are its imports that one target serves.
///
/// `is_direct` returns whether the host has a typed function for a signature. Its results must be
/// the same at both ends.
///
/// # Errors
///
/// Fails if planning fails, or if no component can be generated for the plan.
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

/// Generates the skeleton for an exporter: `names` are its exports that other components call.
///
/// The skeleton serves the calls that cross as bytes or scalars; the host calls typed and
/// concurrent functions on the export itself.
///
/// # Errors
///
/// Fails if planning fails, or if no component can be generated for the plan.
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

/// Runs `make`, with a panic turned into an error.
///
/// The WIT tools assert the guarantees of their own encoder. A valid component of other tools may
/// break those, and the host must survive that. The only state that outlives the closure is the
/// cache, which stores complete entries only.
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
