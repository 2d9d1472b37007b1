//! Errors of types and of WIT texts.

use std::fmt;

use thiserror::Error;

/// The place of a type in a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A parameter, by its name.
    Param(String),
    /// The result.
    Result,
    /// The function itself.
    Function,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Param(name) => write!(formatter, "parameter `{name}` of "),
            Self::Result => formatter.write_str("the result of "),
            Self::Function => Ok(()),
        }
    }
}

/// The reason why JSON cannot call a function.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}`{function}` has {problem}")]
pub struct TypeError {
    /// The name of the function.
    pub function: Box<str>,
    /// The place of the type.
    pub place: Place,
    /// The defect of the type.
    pub problem: TypeProblem,
}

/// The reason why JSON cannot carry a type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TypeProblem {
    /// The type has no form in JSON.
    #[error("{found}, which has no form in JSON; use another type there")]
    Unsupported {
        /// The type, with an article.
        found: Box<str>,
    },
    /// Two keys of one object are the same in lowerCamelCase.
    #[error(
        "{found} in which `{first}` and `{second}` are both `{key}` in JSON; rename one of them"
    )]
    SameKey {
        /// The kind of the type, with an article.
        found: &'static str,
        /// A name in WIT.
        first: Box<str>,
        /// Another name in WIT.
        second: Box<str>,
        /// The key in JSON.
        key: Box<str>,
    },
    /// The type has too many parts.
    #[error("a type of more than {limit} parts, the limit; split the function")]
    Parts {
        /// The largest number of parts.
        limit: usize,
    },
    /// The type is nested too deeply.
    #[error("a type of more than {limit} levels, the limit; flatten it")]
    Depth {
        /// The largest number of levels.
        limit: u32,
    },
}

/// The reason why a WIT text has no model of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextError {
    /// The text is too long.
    #[error("WIT text of {found} bytes exceeds the limit of {limit}; leave out other interfaces")]
    Bytes {
        /// The largest number of bytes.
        limit: usize,
        /// The length of the text.
        found: usize,
    },
    /// The text is not valid WIT.
    #[error("WIT text is invalid: {message}")]
    Syntax {
        /// The message of the parser, with the line.
        message: String,
    },
    /// The text has too many packages, interfaces, worlds or levels of types.
    #[error("WIT text has {found} {items}, above the limit of {limit}; leave out those not needed")]
    Items {
        /// The counted items.
        items: &'static str,
        /// The largest number of items.
        limit: usize,
        /// The number of items in the text.
        found: usize,
    },
    /// The text does not define the interface.
    #[error("WIT text does not define the interface `{name}`; found {found}")]
    Interface {
        /// The expected interface.
        name: String,
        /// The interfaces of the text.
        found: String,
    },
}
