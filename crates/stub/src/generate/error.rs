//! Why no stub or skeleton could be generated.

use thiserror::Error;

/// Why no stub or skeleton could be generated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A type that has no encoding.
    #[error("a stub cannot carry the type `{name}`")]
    Unsupported {
        /// The kind of type.
        name: String,
    },
    /// A handle of a resource that none of the interfaces defines.
    #[error("the resource `{resource}` is of an interface that the link does not carry")]
    ForeignResource {
        /// Its name.
        resource: String,
    },
    /// Types are nested too deeply.
    #[error("types are nested too deeply: expected at most {limit} levels")]
    TooDeep {
        /// The bound.
        limit: u32,
    },
    /// A value takes too much memory.
    #[error("a type is too large: expected at most {limit} bytes for one value")]
    TooLarge {
        /// The bound.
        limit: u64,
    },
    /// The plan names what the world does not have.
    #[error("the component's world has no interface `{name}`")]
    NoInterface {
        /// The interface, or the interface and the function.
        name: String,
    },
    /// The plan names a function that the interface does not have.
    #[error("the interface `{interface}` has no function `{function}`")]
    NoFunction {
        /// The interface.
        interface: String,
        /// The function.
        function: String,
    },
    /// Two of the interfaces cannot be in one component.
    #[error("the interface `{name}` is there twice; one stub cannot tell its resources apart")]
    Twice {
        /// The interface.
        name: String,
    },
    /// The component has a package with the name that links use.
    #[error("the package `weft:link` is reserved: {message}")]
    Reserved {
        /// What the tools say.
        message: String,
    },
    /// The generated code could not be made a component.
    #[error("the generated module could not be made a component: {message}")]
    Componentize {
        /// What the tools say.
        message: String,
    },
}

impl GenerateError {
    pub(crate) fn unsupported(name: &str) -> Self {
        Self::Unsupported {
            name: name.to_owned(),
        }
    }
}
