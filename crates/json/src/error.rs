//! Errors of reading and writing bodies.

use std::fmt;

use thiserror::Error;

use crate::problem::Problem;

/// The reason why a body is no value of its type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is not JSON, or not CBOR.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The value does not have the type. There are at most
    /// [`MAX_PROBLEMS`](crate::MAX_PROBLEMS) problems; reading ends at the last one.
    #[error("body does not have the expected type, {} problems, the first {}", .0.len(), first(.0))]
    Invalid(Vec<Problem>),
    /// The encoded value is too large.
    #[error("body takes more than {limit} bytes as a value of the wire, the limit; send less")]
    TooLarge {
        /// The largest number of encoded bytes.
        limit: usize,
    },
}

fn first(problems: &[Problem]) -> String {
    problems.first().map(Problem::to_string).unwrap_or_default()
}

/// A defect of the syntax of a body.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("malformed body at {location}: expected {expected}, found {found}")]
pub struct SyntaxError {
    /// The place of the defect.
    pub location: Location,
    /// The syntax that can be there.
    pub expected: &'static str,
    /// The syntax that is there.
    pub found: String,
}

/// A place in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// A place in a text, from 1.
    Text {
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// An offset in bytes, from 0.
    Byte(usize),
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { line, column } => write!(formatter, "line {line}, column {column}"),
            Self::Byte(offset) => write!(formatter, "byte {offset}"),
        }
    }
}

/// The reason why value bytes have no form in JSON or CBOR.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The bytes are not a value of the type.
    #[error("malformed value of the wire")]
    Malformed(#[from] weft_wire::DecodeError),
    /// The text is too large.
    #[error("value takes more than {limit} bytes, the limit; return less, or a stream")]
    TooLarge {
        /// The largest number of bytes.
        limit: usize,
    },
    /// A stream or a future is not a part of a body.
    #[error("value is a stream or a future, which has a body of its own")]
    Stream,
    /// The type has no form as the text of a path, a query or a header.
    #[error("value has no form as text of a path, a query or a header; expected a scalar")]
    NotText,
}
