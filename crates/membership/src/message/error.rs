//! Why bytes are not a message that this host takes.

use thiserror::Error;
use weft_lattice_config::NameError;
use weft_wire::DecodeError;

use super::Kind;
use super::labels::LabelError;

/// Why bytes are not a message of this lattice that this host can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// There is not even a version and a kind.
    #[error("expected a message, found less than the two bytes that each begins with")]
    Empty,
    /// It is of another version.
    #[error(
        "expected a message of version {supported}, found version {found}; \
         run the same release of weft on both hosts"
    )]
    Version {
        /// The version of the message.
        found: u8,
        /// The version that this host speaks.
        supported: u8,
    },
    /// It is of a kind that this version does not have.
    #[error("expected a kind of message between hosts, found kind {found}")]
    Kind {
        /// The kind of the message.
        found: u8,
    },
    /// It is longer than any of its kind may be.
    #[error("expected a `{}` of at most {limit} bytes, found {found}", kind.name())]
    TooLong {
        /// What the message is.
        kind: Kind,
        /// The limit.
        limit: usize,
        /// How long it is.
        found: usize,
    },
    /// It is for another lattice.
    #[error("expected a message for lattice `{expected}`, found one for `{}`", .found.escape_debug())]
    Lattice {
        /// The lattice of this host.
        expected: String,
        /// The lattice that the message names.
        found: String,
    },
    /// A field is not as it has to be.
    #[error("malformed `{}`", kind.name())]
    Malformed {
        /// What the message is.
        kind: Kind,
        /// What is wrong with it.
        #[source]
        source: FieldError,
    },
}

/// Why a field of a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The bytes are not a value of the field's type.
    #[error(transparent)]
    Value(#[from] DecodeError),
    /// A field is too long.
    #[error("expected at most {limit} bytes of `{field}`, found {found}")]
    TooLong {
        /// The field, as `docs/lattice.md` names it.
        field: &'static str,
        /// The limit.
        limit: usize,
        /// How long it is.
        found: usize,
    },
    /// There are too many of something.
    #[error("expected at most {limit} `{field}`, found {found}")]
    TooMany {
        /// The field, as `docs/lattice.md` names it.
        field: &'static str,
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A public key or a hash has another length.
    #[error("expected {expected} bytes of `{field}`, found {found}")]
    Length {
        /// The field, as `docs/lattice.md` names it.
        field: &'static str,
        /// How long each is.
        expected: usize,
        /// How long it is.
        found: usize,
    },
    /// A list is not in ascending order, or has something twice: then it would have two hashes.
    #[error("expected `{field}` in ascending order, each once, found otherwise")]
    Order {
        /// The field, as `docs/lattice.md` names it.
        field: &'static str,
    },
    /// A key is none of a record.
    #[error("expected the key of a record, found something else")]
    Key,
    /// An app or a component has a name that no manifest gives.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A label cannot be one.
    #[error(transparent)]
    Label(#[from] LabelError),
}
