//! Errors of reading frames.

use thiserror::Error;

use super::Kind;
use crate::error::DecodeError;

/// The reason why bytes are not a frame that this crate can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes end before the version and the kind.
    #[error("expected a frame, found less than the two bytes of its head")]
    Empty,
    /// The frame exceeds the size limit.
    #[error("expected a frame of at most {limit} bytes, found {found}")]
    TooLong {
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
    /// The kind does not exist in the frame's version.
    #[error(
        "expected a kind of frame that version {supported} has, found kind {found} in a frame of \
         version {version}; run the same release of weft on both hosts"
    )]
    Kind {
        /// The kind of the frame.
        found: u8,
        /// The version of the frame.
        version: u8,
        /// The version of this host.
        supported: u8,
    },
    /// A field is malformed.
    #[error("malformed `{}` frame", kind.name())]
    Malformed {
        /// The kind of the frame.
        kind: Kind,
        /// The defect.
        #[source]
        source: FieldError,
    },
    /// A held frame does not have the expected kind.
    #[error("expected a held `{}` frame, found a `{}` frame", expected.name(), found.name())]
    Unexpected {
        /// The expected kind.
        expected: Kind,
        /// The kind of the held frame.
        found: Kind,
    },
}

/// The reason why a field of a frame is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The bytes are not a value of the field's type.
    #[error(transparent)]
    Value(#[from] DecodeError),
    /// A field is too long.
    #[error("expected at most {limit} bytes of `{field}`, found {found}")]
    TooLong {
        /// The name of the field in `docs/wire.md`.
        field: &'static str,
        /// The limit.
        limit: usize,
        /// The length of the field.
        found: usize,
    },
    /// A session id has the wrong length.
    #[error("expected a session of {expected} bytes, found {found}")]
    Session {
        /// The length of a session id.
        expected: usize,
        /// The length of the field.
        found: usize,
    },
    /// A field of a fixed length has another length.
    #[error("expected {expected} bytes of `{field}`, found {found}")]
    Length {
        /// The name of the field in `docs/wire.md`.
        field: &'static str,
        /// The fixed length.
        expected: usize,
        /// The length of the field.
        found: usize,
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
