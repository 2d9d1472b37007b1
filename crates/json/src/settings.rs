//! Settings of a route that change the form of values.

use crate::types::Names;

/// The form of values in JSON, for both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Settings {
    /// The style of keys.
    pub names: Names,
    /// The form of 64-bit integers.
    pub int64: Int64,
}

/// The form of 64-bit integers in JSON that a host writes. A body can have both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Int64 {
    /// A number with all digits. JavaScript rounds those above 2⁵³.
    #[default]
    Number,
    /// A string of digits.
    String,
}

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// `application/json`
    #[default]
    Json,
    /// `application/cbor`
    Cbor,
}

impl Format {
    /// Returns the media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Cbor => "application/cbor",
        }
    }
}
