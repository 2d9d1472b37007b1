//! Interfaces, functions and types that links between stores do not support.

use std::fmt;

use thiserror::Error;

/// The reason a link between stores does not support an interface, a function or a type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Unsupported {
    /// The import or export.
    pub interface: String,
    /// The function; `None` for the interface as a whole.
    pub function: Option<String>,
    /// The type as WIT, if a type is the cause.
    pub ty: Option<String>,
    /// The cause.
    pub reason: Reason,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => write!(out, "`{function}` of `{}`", self.interface)?,
            None => write!(out, "`{}`", self.interface)?,
        }
        match &self.ty {
            Some(ty) => write!(out, ": `{ty}` {}", self.reason),
            None => write!(out, " {}", self.reason),
        }
    }
}

/// The cause of an [`Unsupported`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// The component does not have the interface.
    #[error("is missing from the component: found {}", list(.found))]
    Missing {
        /// The imports or exports of the component.
        found: Vec<String>,
    },
    /// The name is that of a function or a type.
    #[error("is not an interface: only interfaces can be linked")]
    NotAnInterface,
    /// The set has one interface under two names, and the interface defines a resource.
    #[error(
        "is the same interface as `{first}` and defines `{resource}`: expected one name for each target"
    )]
    DefinedTwice {
        /// The first name.
        first: String,
        /// The resource.
        resource: String,
    },
    /// The handle is of a resource that an interface outside the set defines.
    #[error(
        "is a handle of a resource of `{owner}`, outside this link: such handles cannot leave their store"
    )]
    ForeignResource {
        /// The interface that defines the resource.
        owner: String,
    },
    /// The type is a resource or handle in an interface with concurrent functions.
    #[error(
        "is a resource in an interface with concurrent functions (`{concurrent}`): unsupported on links between stores"
    )]
    ResourceBesideConcurrent {
        /// The first concurrent function.
        concurrent: String,
    },
    /// The stream has an unsupported element type.
    #[error("has unsupported elements: expected numbers, `bool`, `char`, `string` or `list<u8>`")]
    StreamElement,
    /// The future has an unsupported value type.
    #[error(
        "has an unsupported value: expected a number, `bool`, `char`, `string`, `list<u8>`, or a `result` of one of these or nothing, with the error `string`"
    )]
    FutureValue,
    /// The stream or future is inside another type.
    #[error(
        "is inside another type: expected a parameter, the result, its `ok`, or a member of a \
         result tuple"
    )]
    Nested,
    /// The type has no encoding.
    #[error("has no encoding on links between stores")]
    Kind,
    /// The type has more flags than the tools support.
    #[error("has {found} flags: expected at most {limit}")]
    TooManyFlags {
        /// The maximum.
        limit: usize,
        /// The number of flags.
        found: usize,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
