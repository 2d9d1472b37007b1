//! Quantities in their written form: sizes in bytes and spans of time.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::quote::quoted;

/// Largest first: a size is shown in the first unit that divides it exactly.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
];

/// Largest first, in milliseconds.
const TIME_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A year: longer than any useful limit, and adding it to a clock cannot overflow.
const DURATION_MS_MAX: u64 = 365 * 24 * 3_600_000;

/// A number of bytes, written `512`, `64KiB` or `10MB`.
///
/// ```
/// # use weft_lattice_config::ByteSize;
/// let size: ByteSize = "64KiB".parse().unwrap();
/// assert_eq!(size.bytes(), 65_536);
/// assert_eq!(size.to_string(), "64KiB");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// Creates a size of so many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> ByteSize {
        ByteSize(bytes)
    }

    /// Returns the size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// A span of time, written `250ms`, `5s`, `2m` or `1h`.
///
/// At least a millisecond and at most a year, in whole milliseconds.
///
/// ```
/// # use weft_lattice_config::DurationText;
/// let deadline: DurationText = "1500ms".parse().unwrap();
/// assert_eq!(deadline.get(), std::time::Duration::from_millis(1500));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DurationText(Duration);

impl DurationText {
    /// The default for `max-idle` of reused instances: longer than the gap between two requests of
    /// a person, and short enough that idle instances cost little memory.
    pub(crate) const MAX_IDLE_DEFAULT: DurationText = DurationText(Duration::from_secs(30));

    /// Returns the span.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// A text that is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a whole number with a known unit of size, or too large.
    #[error("{} is not a size: expected a whole number of bytes, such as `512`, `64KiB`, `10MB` or `1GiB`", quoted(.0))]
    Size(String),
    /// Not a whole number with a known unit of time.
    #[error("{} is not a duration: expected a whole number and a unit, such as `250ms`, `5s`, `2m` or `1h`", quoted(.0))]
    Duration(String),
    /// Zero, or above a year.
    #[error("duration {} is out of range: expected `1ms` to `8760h`", quoted(.0))]
    DurationRange(String),
}

// === impl ByteSize ===

impl FromStr for ByteSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let invalid = || QuantityError::Size(text.to_owned());
        let (number, unit) = split_number(text).ok_or_else(invalid)?;
        let factor = match unit {
            "" | "B" => 1,
            unit => factor(&SIZE_UNITS, unit).ok_or_else(invalid)?,
        };
        number.checked_mul(factor).map(ByteSize).ok_or_else(invalid)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match exact_unit(&SIZE_UNITS, self.0) {
            Some((number, unit)) => formatter.pad(&format!("{number}{unit}")),
            None => formatter.pad(&self.0.to_string()),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a size such as `64KiB`, or a number of bytes"
        )]
        enum Written {
            Bytes(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(ByteSize(bytes)),
            Written::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": "^[0-9]+(B|[KMGT]i?B)?$",
            "minimum": 0,
            "description": "A number of bytes, such as `512`, `64KiB`, `10MB` or `1GiB`.",
        })
    }
}

// === impl DurationText ===

impl FromStr for DurationText {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let invalid = || QuantityError::Duration(text.to_owned());
        let (number, unit) = split_number(text).ok_or_else(invalid)?;
        let factor = factor(&TIME_UNITS, unit).ok_or_else(invalid)?;
        match number.checked_mul(factor) {
            Some(ms @ 1..=DURATION_MS_MAX) => Ok(DurationText(Duration::from_millis(ms))),
            Some(_) | None => Err(QuantityError::DurationRange(text.to_owned())),
        }
    }
}

impl TryFrom<String> for DurationText {
    type Error = QuantityError;

    fn try_from(text: String) -> Result<Self, QuantityError> {
        text.parse()
    }
}

impl From<DurationText> for String {
    fn from(duration: DurationText) -> String {
        duration.to_string()
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole milliseconds within a year: the conversion is exact and cannot fail.
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(DURATION_MS_MAX);
        let (number, unit) = exact_unit(&TIME_UNITS, ms).unwrap_or((ms, "ms"));
        formatter.pad(&format!("{number}{unit}"))
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "DurationText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h)$",
            "description": "A duration of at least `1ms`, such as `250ms`, `5s`, `2m` or `1h`.",
        })
    }
}

// === helpers ===

/// "64KiB" → (64, "KiB"). `None` if the number in front is missing or overflows.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit))
}

fn factor(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units
        .iter()
        .find(|(unit, _)| *unit == name)
        .map(|(_, factor)| *factor)
}

/// The largest unit that divides the value exactly.
fn exact_unit(units: &[(&'static str, u64)], value: u64) -> Option<(u64, &'static str)> {
    let divides = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
    units
        .iter()
        .find(divides)
        .map(|(unit, factor)| (value / factor, *unit))
}
