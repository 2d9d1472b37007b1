//! Errors of reading frames.

use std::fmt::Display;

use thiserror::Error;

use crate::error::DecodeError;

/// The reason why bytes are not a frame that the receiver can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes end before the version and the kind.
    #[error("expected a frame, found less than the two bytes of its head")]
    Empty,
    /// The frame exceeds the size limit of its kind.
    #[error("expected a `{kind}` frame of at most {limit} bytes, found {found}")]
    TooLong {
        /// The name of the kind.
        kind: &'static str,
        /// The limit.
        limit: usize,
        /// The length of the frame.
        found: usize,
    },
    /// The frame has another version.
    #[error(
        "expected a frame of version {supported}, found version {found}; \
         run the same release of weft on both hosts"
    )]
    Version {
        /// The version of the frame.
        found: u8,
        /// The version of this host.
        supported: u8,
    },
    /// The protocol does not have the kind in this version, or the receiver does not accept it.
    #[error(
        "expected a kind of frame that version {supported} has, found kind {found}; \
         run the same release of weft on both hosts"
    )]
    Kind {
        /// The kind of the frame.
        found: u8,
        /// The version of this host.
        supported: u8,
    },
    /// The frame is for another lattice.
    #[error("expected a frame for lattice `{expected}`, found one for `{}`", .found.escape_debug())]
    Lattice {
        /// The lattice of this host.
        expected: String,
        /// The lattice in the frame.
        found: String,
    },
    /// A field is malformed.
    #[error("malformed `{kind}` frame")]
    Malformed {
        /// The name of the kind.
        kind: &'static str,
        /// The defect.
        #[source]
        source: FieldError,
    },
    /// A held frame does not have the expected kind.
    #[error("expected a held `{expected}` frame, found a `{found}` frame")]
    Unexpected {
        /// The name of the expected kind.
        expected: &'static str,
        /// The name of the kind of the held frame.
        found: &'static str,
    },
}

/// The reason why a field of a frame is refused. Fields have their names in the specification.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The bytes are not a value of the field's type.
    #[error(transparent)]
    Value(#[from] DecodeError),
    /// A field is too long.
    #[error("expected at most {limit} bytes of `{field}`, found {found}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// The limit.
        limit: usize,
        /// The length of the field.
        found: usize,
    },
    /// A list has too many elements.
    #[error("expected at most {limit} `{field}`, found {found}")]
    TooMany {
        /// The field.
        field: &'static str,
        /// The limit.
        limit: usize,
        /// The number of elements.
        found: usize,
    },
    /// A field of a fixed length has another length.
    #[error("expected {expected} bytes of `{field}`, found {found}")]
    Length {
        /// The field.
        field: &'static str,
        /// The fixed length.
        expected: usize,
        /// The length of the field.
        found: usize,
    },
    /// A list is not sorted, or has duplicates.
    #[error("expected `{field}` in ascending order without duplicates")]
    Order {
        /// The field.
        field: &'static str,
    },
    /// The text or the number is invalid in the field.
    #[error("invalid `{field}`: {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// The defect.
        reason: String,
    },
    /// A held frame does not have the announced length.
    #[error("expected a frame of {announced} bytes, found {found}")]
    Total {
        /// The announced length.
        announced: u32,
        /// The length by the frame's own fields.
        found: u64,
    },
}

impl FieldError {
    /// The error for a field whose value is invalid for this reason.
    pub fn invalid(field: &'static str, reason: &dyn Display) -> Self {
        let reason = reason.to_string();
        Self::Invalid { field, reason }
    }
}
