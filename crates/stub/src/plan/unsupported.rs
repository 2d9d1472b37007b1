//! What links between stores cannot carry, and why.

use std::fmt;

use thiserror::Error;

/// Why an interface, a function or a type cannot be on a link between stores.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Unsupported {
    /// The import or export.
    pub interface: String,
    /// The function, unless it is the interface as a whole.
    pub function: Option<String>,
    /// The type as WIT, if it is about one.
    pub ty: Option<String>,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => write!(out, "`{function}` of `{}`: ", self.interface)?,
            None => write!(out, "`{}`: ", self.interface)?,
        }
        match &self.ty {
            Some(ty) => write!(out, "`{ty}` {}", self.reason),
            None => write!(out, "it {}", self.reason),
        }
    }
}

/// What is wrong with what a [`Unsupported`] names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// The component does not have this interface.
    #[error("is not among what the component has: {}", list(.found))]
    Missing {
        /// What there is.
        found: Vec<String>,
    },
    /// The name is of a function or a type.
    #[error("is no interface; only interfaces can be linked")]
    NotAnInterface,
    /// The set has one interface under two names, and it defines a resource.
    #[error(
        "is the same interface as `{first}` and defines `{resource}`: expected one name for each target"
    )]
    DefinedTwice {
        /// The first name.
        first: String,
        /// The resource.
        resource: String,
    },
    /// The handle is of a resource that another interface defines.
    #[error(
        "is a handle of a resource that `{owner}` defines, which this link does not reach; such handles stay within one store"
    )]
    ForeignResource {
        /// Who defines the resource.
        owner: String,
    },
    /// There are handles in an interface with concurrent functions.
    #[error(
        "is a resource, which an interface with concurrent functions (`{concurrent}`) cannot have between stores"
    )]
    ResourceBesideConcurrent {
        /// The first concurrent function.
        concurrent: String,
    },
    /// The elements of the stream are not of the types that are carried.
    #[error(
        "has elements that no link between stores carries: expected numbers, `bool`, `char`, `string` or `list<u8>`"
    )]
    StreamElement,
    /// The value of the future is not of the types that are carried.
    #[error(
        "has a value that no link between stores carries: expected a number, `bool`, `char`, `string`, `list<u8>`, or `result` of one of these or none, and `string`"
    )]
    FutureValue,
    /// A stream or future is inside another type.
    #[error(
        "is inside another type: expected it as a parameter, as the result, or as a member of a tuple that is the result"
    )]
    Nested,
    /// There is no encoding for the type.
    #[error("is of a kind that no link between stores carries")]
    Kind,
    /// More flags than the tools take.
    #[error("has {found} flags: expected at most {limit}")]
    TooManyFlags {
        /// The bound.
        limit: usize,
        /// How many there are.
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
