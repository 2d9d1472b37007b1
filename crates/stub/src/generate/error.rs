//! The error of code generation.

use thiserror::Error;

/// The reason a stub or skeleton could not be generated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A type that has no encoding.
    #[error("type `{name}` has no encoding")]
    Unsupported {
        /// The kind of the type.
        name: String,
    },
    /// A handle of a resource that no carried interface defines.
    #[error("resource `{resource}` is defined by an interface outside the link")]
    ForeignResource {
        /// The name of the resource.
        resource: String,
    },
    /// Types are nested too deeply.
    #[error("types are nested too deeply: expected at most {limit} levels")]
    TooDeep {
        /// The maximum number of levels.
        limit: u32,
    },
    /// A value takes too much memory.
    #[error("a type is too large: expected at most {limit} bytes for one value")]
    TooLarge {
        /// The maximum number of bytes.
        limit: u64,
    },
    /// The plan has an interface that the component's world does not have.
    #[error("interface `{name}` is missing from the world of the component")]
    NoInterface {
        /// The interface.
        name: String,
    },
    /// The plan has a function that the interface does not have.
    #[error("function `{function}` is missing from interface `{interface}`")]
    NoFunction {
        /// The interface.
        interface: String,
        /// The function.
        function: String,
    },
    /// Two copies of an interface with resources cannot be in one component.
    #[error("interface `{name}` occurs twice: one stub cannot tell its resources apart")]
    Twice {
        /// The interface.
        name: String,
    },
    /// The component has a package with the reserved name of the link interfaces.
    #[error("package name `weft:link` is reserved: {message}")]
    Reserved {
        /// The message of the tools.
        message: String,
    },
    /// The generated module could not be turned into a component.
    #[error("cannot turn the generated module into a component: {message}")]
    Componentize {
        /// The message of the tools.
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
