//! Defects of encoded values, by number.
//!
//! Generated stubs and skeletons can report only a number, and they are cached: a number never
//! changes its meaning and is never reused.

use std::fmt;

use crate::numbered;

numbered! {
    /// A defect of an encoded value, or of a handle or function index in it.
    #[non_exhaustive]
    pub enum Malformed: u32 {
        /// The bytes end within a value.
        Truncated = 1, "truncated";
        /// An integer is longer or larger than its type.
        Integer = 2, "integer";
        /// A `bool` is neither 0 nor 1.
        Bool = 3, "bool";
        /// A `char` is not the UTF-8 of one scalar value.
        Char = 4, "char";
        /// A string is not UTF-8.
        Utf8 = 5, "utf8";
        /// The case does not exist.
        Discriminant = 6, "discriminant";
        /// A flag is set that the type does not have.
        Flags = 7, "flags";
        /// The lists have too many elements for a link.
        Elements = 8, "elements";
        /// The value is nested too deeply for a link.
        Depth = 9, "depth";
        /// The value has more bytes than a link carries, or than the receiver's memory has left.
        Bytes = 10, "bytes";
        /// Bytes follow after the value.
        Trailing = 11, "trailing";
        /// A handle is not four bytes long.
        Handle = 12, "handle";
        /// A handle does not refer to a resource of the expected type.
        UnknownHandle = 13, "unknown-handle";
        /// The function index does not exist.
        UnknownFunction = 14, "unknown-function";
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
