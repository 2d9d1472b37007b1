//! The world of a component, decoded from its binary.

use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;
use wasmparser::Parser;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId};

/// The decoded world of a component.
#[derive(Debug, Clone)]
pub struct ComponentWorld {
    /// The interfaces and types of the world.
    pub resolve: Resolve,
    /// The world, in `resolve`.
    pub world: WorldId,
}

/// The reason a component could not be decoded to a [`ComponentWorld`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The bytes are not a component.
    #[error("not a component")]
    NotAComponent,
    /// The tools cannot express the component in WIT.
    #[error("cannot decode the world of the component: {message}")]
    Decode {
        /// The message of the tools.
        message: String,
    },
    /// The bytes are a WIT package in binary form.
    #[error("a WIT package without code: expected a component")]
    NoCode,
    /// The component is valid, and the tools panicked on it.
    #[error("the world of the component cannot be expressed in WIT")]
    NotWit,
}

impl ComponentWorld {
    /// Decodes the world of a component. The component is expected to be valid and to have types of
    /// bounded size, which `weft-compose` checks when it describes one.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not a component, or its world cannot be expressed in WIT.
    pub fn of(component: &[u8]) -> Result<Self, WorldError> {
        if !Parser::is_component(component) {
            return Err(WorldError::NotAComponent);
        }
        // The decoder asserts the guarantees of its own encoder. A valid component of other tools
        // may break those, and the host must survive that. Nothing outlives the closure.
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
