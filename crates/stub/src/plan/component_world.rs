//! The world of a component as its own binary has it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;
use wasmparser::Parser;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId};

/// The world of a component, decoded once.
#[derive(Debug, Clone)]
pub struct ComponentWorld {
    /// Its interfaces and types.
    pub resolve: Resolve,
    /// The world, in `resolve`.
    pub world: WorldId,
}

/// Why a component has no [`ComponentWorld`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorldError {
    /// It is something else, or nothing.
    #[error("it is no component")]
    NotAComponent,
    /// The tools cannot say what it is in WIT.
    #[error("its world cannot be read: {message}")]
    Decode {
        /// What the tools say.
        message: String,
    },
    /// It is a WIT package in binary form.
    #[error("it holds WIT and no code")]
    NoCode,
    /// It is valid, and no component of WIT.
    #[error("it has a shape that WIT does not have")]
    NotWit,
}

impl ComponentWorld {
    /// Reads the world of a component, which is expected to be valid and to have types of bounded size:
    /// whoever describes components sees to that.
    ///
    /// # Errors
    ///
    /// Fails if the component has no world that WIT could say.
    pub fn of(component: &[u8]) -> Result<Self, WorldError> {
        if !Parser::is_component(component) {
            return Err(WorldError::NotAComponent);
        }
        // The decoder asserts what its own encoder guarantees; a valid component of other tools may break
        // that, and a host must survive it. Nothing outlives the closure.
        let decoded = catch_unwind(AssertUnwindSafe(|| wit_component::decode(component)))
            .map_err(|_| WorldError::NotWit)?
            .map_err(|error| WorldError::Decode {
                message: format!("{error:#}"),
            })?;
        match decoded {
            DecodedWasm::Component(resolve, world) => Ok(Self { resolve, world }),
            DecodedWasm::WitPackage(..) => Err(WorldError::NoCode),
        }
    }
}
