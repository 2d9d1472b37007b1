//! Why bytes are not a frame.

use thiserror::Error;

use super::Kind;
use crate::error::DecodeError;

/// Why bytes are not a frame that this crate can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// There is not even a version and a kind.
    #[error("expected a frame, found less than the two bytes that each begins with")]
    Empty,
    /// The frame is longer than any may be.
    #[error("expected a frame of at most {limit} bytes, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// How long it is.
        found: usize,
    },
    /// It is of another version.
    #[error(
        "expected a frame of version {supported}, found version {found}; \
         run the same release of weft on both hosts"
    )]
    Version {
        /// The version of the frame.
        found: u8,
        /// The version that this host speaks.
        supported: u8,
    },
    /// It is of a kind that its version does not have.
    #[error(
        "expected a kind of frame that version {supported} has, found kind {found} in a frame of \
         version {version}; run the same release of weft on both hosts"
    )]
    Kind {
        /// The kind of the frame.
        found: u8,
        /// The version of the frame.
        version: u8,
        /// The version that this host speaks.
        supported: u8,
    },
    /// A field is not as it has to be.
    #[error("malformed `{}` frame", kind.name())]
    Malformed {
        /// What the frame is.
        kind: Kind,
        /// What is wrong with it.
        #[source]
        source: FieldError,
    },
    /// A held frame is not of the kind that can be held there.
    #[error("expected a held `{}` frame, found a `{}` frame", expected.name(), found.name())]
    Unexpected {
        /// What can be held there.
        expected: Kind,
        /// What is.
        found: Kind,
    },
}

/// Why a field of a frame is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The bytes are not a value of the field's type.
    #[error(transparent)]
    Value(#[from] DecodeError),
    /// A field is too long.
    #[error("expected at most {limit} bytes of `{field}`, found {found}")]
    TooLong {
        /// The field, as `docs/wire.md` names it.
        field: &'static str,
        /// The limit.
        limit: usize,
        /// How long it is.
        found: usize,
    },
    /// The name of a session has another length.
    #[error("expected a session of {expected} bytes, found {found}")]
    Session {
        /// How long each is.
        expected: usize,
        /// How long it is.
        found: usize,
    },
    /// A field of a fixed length has another one.
    #[error("expected {expected} bytes of `{field}`, found {found}")]
    Length {
        /// The field, as `docs/wire.md` names it.
        field: &'static str,
        /// How long it always is.
        expected: usize,
        /// How long it is.
        found: usize,
    },
    /// A held frame ends elsewhere than was announced.
    #[error("expected a frame of {announced} bytes, found one of {found}")]
    Total {
        /// How long it was said to be.
        announced: u32,
        /// How long it is by its own fields.
        found: u64,
    },
}
