//! Defects of encoded values, by number.
//!
//! Generated stubs and skeletons can report only a number, and they are cached: a number never
//! changes its meaning and is never reused.

use std::fmt;

/// A defect of an encoded value, or of a handle or function index in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes end within a value.
    Truncated = 1,
    /// An integer is longer or larger than its type.
    Integer = 2,
    /// A `bool` is neither 0 nor 1.
    Bool = 3,
    /// A `char` is not the UTF-8 of one scalar value.
    Char = 4,
    /// A string is not UTF-8.
    Utf8 = 5,
    /// The case does not exist.
    Discriminant = 6,
    /// A flag is set that the type does not have.
    Flags = 7,
    /// The lists have too many elements for a link.
    Elements = 8,
    /// The value is nested too deeply for a link.
    Depth = 9,
    /// The value has more bytes than a link carries, or than the receiver's memory has left.
    Bytes = 10,
    /// Bytes follow after the value.
    Trailing = 11,
    /// A handle is not four bytes long.
    Handle = 12,
    /// A handle does not refer to a resource of the expected type.
    UnknownHandle = 13,
    /// The function index does not exist.
    UnknownFunction = 14,
}

impl Malformed {
    /// All defects, ordered by number.
    pub const ALL: [Self; 14] = [
        Self::Truncated,
        Self::Integer,
        Self::Bool,
        Self::Char,
        Self::Utf8,
        Self::Discriminant,
        Self::Flags,
        Self::Elements,
        Self::Depth,
        Self::Bytes,
        Self::Trailing,
        Self::Handle,
        Self::UnknownHandle,
        Self::UnknownFunction,
    ];

    /// Returns the number that generated code reports.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// Returns the defect with a number; `None` for other numbers, which a guest may report.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The name in `docs/wire.md`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Integer => "integer",
            Self::Bool => "bool",
            Self::Char => "char",
            Self::Utf8 => "utf8",
            Self::Discriminant => "discriminant",
            Self::Flags => "flags",
            Self::Elements => "elements",
            Self::Depth => "depth",
            Self::Bytes => "bytes",
            Self::Trailing => "trailing",
            Self::Handle => "handle",
            Self::UnknownHandle => "unknown-handle",
            Self::UnknownFunction => "unknown-function",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Truncated => "the bytes end within a value",
            Self::Integer => "an integer is longer or larger than its type",
            Self::Bool => "a `bool` is neither 0 nor 1",
            Self::Char => "a `char` is not one Unicode scalar value",
            Self::Utf8 => "a string is not UTF-8",
            Self::Discriminant => "a discriminant names no case of its type",
            Self::Flags => "a flag is set that its type does not have",
            Self::Elements => "there are more elements than a link carries",
            Self::Depth => "the value is nested deeper than a link carries",
            Self::Bytes => "there are more bytes than a link carries, or than memory is left",
            Self::Trailing => "bytes follow after the value",
            Self::Handle => "a handle is not four bytes long",
            Self::UnknownHandle => "no resource of this type is behind a handle",
            Self::UnknownFunction => "there is no function with this index",
        })
    }
}
