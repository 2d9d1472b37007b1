//! Errors of decoding and encoding values.

use thiserror::Error;

use crate::malformed::Malformed;

/// The reason why bytes are not a value of the expected type, with its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("at byte {offset}: {problem}")]
pub struct DecodeError {
    /// The offset of the defect in the decoded bytes.
    pub offset: usize,
    /// The defect.
    pub problem: Problem,
}

/// A defect of an encoded value, with expected and found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The bytes end within a value.
    #[error("expected {needed} more bytes, found {left}")]
    Truncated {
        /// The smallest number of bytes that the value still needs.
        needed: u64,
        /// The number of remaining bytes.
        left: usize,
    },
    /// An integer is longer or larger than its type.
    #[error("expected an integer of {bits} bits, found a larger one")]
    Integer {
        /// The width of the type.
        bits: u32,
    },
    /// A `bool` is neither 0 nor 1.
    #[error("expected a `bool`, 0 or 1, found {found}")]
    Bool {
        /// The byte.
        found: u8,
    },
    /// A `char` is not the UTF-8 of one scalar value.
    #[error("expected the UTF-8 of one `char`, found other bytes")]
    Char,
    /// A string is not UTF-8.
    #[error("expected UTF-8, found other bytes")]
    Utf8,
    /// The case does not exist.
    #[error("expected a case below {cases}, found {found}")]
    Discriminant {
        /// The number of cases of the type.
        cases: u32,
        /// The encoded case.
        found: u32,
    },
    /// A flag is set that the type does not have.
    #[error("expected {count} flags, found a higher one set")]
    Flags {
        /// The number of flags of the type.
        count: usize,
    },
    /// The lists have too many elements.
    #[error("expected at most {left} more elements, found {found}")]
    Elements {
        /// The remaining number of elements within the limit.
        left: u64,
        /// The length of the list.
        found: u64,
    },
    /// The value is nested too deeply.
    #[error("expected at most {limit} levels of nesting, found more")]
    Depth {
        /// The limit.
        limit: u32,
    },
    /// The value has too many bytes.
    #[error("expected at most {limit} bytes, found {found}")]
    Bytes {
        /// The limit.
        limit: usize,
        /// The number of bytes.
        found: usize,
    },
    /// Bytes follow after the value.
    #[error("expected the end of the value, found {left} more bytes")]
    Trailing {
        /// The number of bytes after the value.
        left: usize,
    },
    /// A handle is not four bytes long.
    #[error("expected a handle of 4 bytes, found {found}")]
    Handle {
        /// The number of bytes.
        found: usize,
    },
}

impl Problem {
    /// The same defect without details, as generated code reports it.
    #[must_use]
    pub const fn malformed(&self) -> Malformed {
        match self {
            Self::Truncated { .. } => Malformed::Truncated,
            Self::Integer { .. } => Malformed::Integer,
            Self::Bool { .. } => Malformed::Bool,
            Self::Char => Malformed::Char,
            Self::Utf8 => Malformed::Utf8,
            Self::Discriminant { .. } => Malformed::Discriminant,
            Self::Flags { .. } => Malformed::Flags,
            Self::Elements { .. } => Malformed::Elements,
            Self::Depth { .. } => Malformed::Depth,
            Self::Bytes { .. } => Malformed::Bytes,
            Self::Trailing { .. } => Malformed::Trailing,
            Self::Handle { .. } => Malformed::Handle,
        }
    }
}

/// The reason why a value or a frame cannot be encoded: the receiver would refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The encoded bytes exceed the limit of a link.
    #[error("expected at most {limit} bytes to send, found more")]
    Bytes {
        /// The limit.
        limit: usize,
    },
    /// A list or a string is too long for a `u32` count.
    #[error("expected at most {} elements in a list, found {found}", u32::MAX)]
    Elements {
        /// The number of elements.
        found: usize,
    },
    /// The case does not exist.
    #[error("expected a case below {cases}, found {found}")]
    Discriminant {
        /// The number of cases of the type.
        cases: u32,
        /// The case.
        found: u32,
    },
    /// The flag does not exist.
    #[error("expected a flag below {count}, found {found}")]
    Flag {
        /// The number of flags of the type.
        count: usize,
        /// The index of the flag.
        found: usize,
    },
    /// A field of a frame is too long.
    #[error("expected at most {limit} bytes of `{field}`, found {found}")]
    Field {
        /// The name of the field in `docs/wire.md`.
        field: &'static str,
        /// The limit.
        limit: usize,
        /// The length of the field.
        found: usize,
    },
}
