//! Errors of decoding messages between hosts.

use thiserror::Error;
use weft_lattice_config::NameError;
use weft_wire::DecodeError;

use super::Kind;
use super::labels::LabelError;

/// The reason why bytes are not a message of this lattice that this host can decode.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The version or the kind is missing.
    #[error("truncated message: expected a version and a kind, found less than two bytes")]
    Empty,
    /// The message has another version.
    #[error(
        "unsupported message version {found}: expected version {supported}; \
         run the same release of weft on both hosts"
    )]
    Version {
        /// The version of the message.
        found: u8,
        /// The version of this host.
        supported: u8,
    },
    /// This version has no such kind.
    #[error("unsupported kind {found} of a message between hosts")]
    Kind {
        /// The number in the message.
        found: u8,
    },
    /// The message is longer than its kind allows.
    #[error("expected a `{}` of at most {limit} bytes, found {found}", kind.name())]
    TooLong {
        /// The kind of the message.
        kind: Kind,
        /// Limit of the kind, in bytes.
        limit: usize,
        /// Length of the message.
        found: usize,
    },
    /// The message is for another lattice.
    #[error("message is for another lattice: expected `{expected}`, found `{}`", .found.escape_debug())]
    Lattice {
        /// The lattice of this host.
        expected: String,
        /// The lattice in the message.
        found: String,
    },
    /// A field is invalid.
    #[error("malformed `{}`", kind.name())]
    Malformed {
        /// The kind of the message.
        kind: Kind,
        /// The invalid field.
        #[source]
        source: FieldError,
    },
}

/// The reason why a field of a message is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The bytes do not encode a value of the field's type.
    #[error(transparent)]
    Value(#[from] DecodeError),
    /// The field is too long.
    #[error("expected at most {limit} bytes of `{field}`, found {found}")]
    TooLong {
        /// Name of the field in `docs/lattice.md`.
        field: &'static str,
        /// Limit of the field, in bytes.
        limit: usize,
        /// Length of the field, in bytes.
        found: usize,
    },
    /// The list has too many elements.
    #[error("expected at most {limit} `{field}`, found {found}")]
    TooMany {
        /// Name of the field in `docs/lattice.md`.
        field: &'static str,
        /// Limit of the list.
        limit: usize,
        /// Number of elements.
        found: usize,
    },
    /// A public key or a hash has the wrong length.
    #[error("expected {expected} bytes of `{field}`, found {found}")]
    Length {
        /// Name of the field in `docs/lattice.md`.
        field: &'static str,
        /// Valid length, in bytes.
        expected: usize,
        /// Length of the field, in bytes.
        found: usize,
    },
    /// The list is unsorted or has duplicates: its hash would not be unique.
    #[error("expected `{field}` in ascending order without duplicates")]
    Order {
        /// Name of the field in `docs/lattice.md`.
        field: &'static str,
    },
    /// The key does not name a record.
    #[error("invalid record key")]
    Key,
    /// The name of an app or a component is invalid in manifests.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The label is invalid.
    #[error(transparent)]
    Label(#[from] LabelError),
}
