//! Why a value cannot be decoded or encoded.

use thiserror::Error;

use crate::malformed::Malformed;

/// Why bytes are not a value of the expected type, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("at byte {offset}: {problem}")]
pub struct DecodeError {
    /// Where what is wrong begins, counted from the beginning of the decoded bytes.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with an encoded value, with what was expected and found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The bytes end within a value.
    #[error("expected {needed} more bytes, found {left}")]
    Truncated {
        /// How many bytes the value takes at least from here.
        needed: u64,
        /// How many are left.
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
        /// What it is.
        found: u8,
    },
    /// A `char` is not the UTF-8 of one scalar value.
    #[error("expected the UTF-8 of one `char`, found other bytes")]
    Char,
    /// A string is not UTF-8.
    #[error("expected UTF-8, found other bytes")]
    Utf8,
    /// There is no such case.
    #[error("expected a case below {cases}, found {found}")]
    Discriminant {
        /// How many cases the type has.
        cases: u32,
        /// The case that is named.
        found: u32,
    },
    /// A flag is set that the type does not have.
    #[error("expected {count} flags, found a higher one set")]
    Flags {
        /// How many flags the type has.
        count: usize,
    },
    /// There are more elements than the receiver takes.
    #[error("expected at most {left} more elements, found {found}")]
    Elements {
        /// How many are left of the limit.
        left: u64,
        /// How many there are.
        found: u64,
    },
    /// The value is nested deeper than the receiver takes.
    #[error("expected at most {limit} levels of nesting, found more")]
    Depth {
        /// The limit.
        limit: u32,
    },
    /// There are more bytes than the receiver takes.
    #[error("expected at most {limit} bytes, found {found}")]
    Bytes {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// Bytes follow after the value.
    #[error("expected the end of the value, found {left} more bytes")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// A handle is not four bytes long.
    #[error("expected a handle of 4 bytes, found {found}")]
    Handle {
        /// How many it has.
        found: usize,
    },
}

impl Problem {
    /// The same reason without details, as generated code reports it.
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

/// Why a value or a frame cannot be encoded: the other end would refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// There are more bytes than a link carries.
    #[error("expected at most {limit} bytes to send, found more")]
    Bytes {
        /// The limit.
        limit: usize,
    },
    /// A list or a string has more elements than can be counted.
    #[error("expected at most {} elements in a list, found {found}", u32::MAX)]
    Elements {
        /// How many there are.
        found: usize,
    },
    /// There is no such case.
    #[error("expected a case below {cases}, found {found}")]
    Discriminant {
        /// How many cases the type has.
        cases: u32,
        /// The case that is named.
        found: u32,
    },
    /// There is no such flag.
    #[error("expected a flag below {count}, found {found}")]
    Flag {
        /// How many flags the type has.
        count: usize,
        /// The flag that is named.
        found: usize,
    },
    /// A field of a frame is too long.
    #[error("expected at most {limit} bytes of `{field}`, found {found}")]
    Field {
        /// The field, as `docs/wire.md` names it.
        field: &'static str,
        /// The limit.
        limit: usize,
        /// How long it is.
        found: usize,
    },
}
