//! Labels of hosts: `cloud=aws`, `zone=eu-west-1a`, or any other name that an operator chooses.
//!
//! Placement compares labels for equality only. The allowed characters cover the names of zones and
//! machine types, and exclude all that would need escaping in a shell or a list.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::name::{NameError, text_type};
use crate::quote::quoted;

/// Maximum number of labels of a host, and of a requirement: each is compared with each.
pub const LABELS_MAX: usize = 64;
/// Maximum length of a label name or value, as in Kubernetes, the source of many labels.
const LABEL_LENGTH_MAX: usize = 63;

/// The labels of a host.
pub type Labels = BTreeMap<LabelName, LabelValue>;

text_type!(
    /// The name of a label, such as `zone` or `topology.kubernetes.io/zone`.
    LabelName,
    "a label name",
    problem: name_problem,
    pattern: "^[A-Za-z0-9]([-._/A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
    description: "Up to 63 letters, digits, `-`, `_`, `.` and `/`, starting and ending with a letter \
                  or digit."
);
text_type!(
    /// The value of a label, such as `eu-west-1a`.
    LabelValue,
    "a label value",
    problem: value_problem,
    pattern: "^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
    description: "Up to 63 letters, digits, `-`, `_` and `.`, starting and ending with a letter or \
                  digit."
);

/// A label in its written form: `zone=eu-west-1a`.
///
/// ```
/// # use weft_lattice_config::Label;
/// let label: Label = "zone=eu-west-1a".parse().unwrap();
/// assert_eq!((label.name.as_str(), label.value.as_str()), ("zone", "eu-west-1a"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// The part before `=`.
    pub name: LabelName,
    /// The part after `=`.
    pub value: LabelValue,
}

/// A text that is not a label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// `=` is missing.
    #[error("{} is not a label: expected `name=value`, such as `zone=eu-west-1a`", quoted(.0))]
    Form(String),
    /// The name or the value is invalid.
    #[error(transparent)]
    Part(#[from] NameError),
}

/// The accepted values of a label: one, or any of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LabelValues {
    /// One value.
    One(LabelValue),
    /// Any of several values.
    AnyOf(Vec<LabelValue>),
}

impl LabelValues {
    /// Returns the values in the order of the manifest.
    #[must_use]
    pub fn as_slice(&self) -> &[LabelValue] {
        match self {
            LabelValues::One(value) => std::slice::from_ref(value),
            LabelValues::AnyOf(values) => values,
        }
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Label, LabelError> {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| LabelError::Form(text.to_owned()))?;
        Ok(Label {
            name: name.parse()?,
            value: value.parse()?,
        })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}={}", self.name, self.value))
    }
}

/// Parses a single value; the items of a list are checked one by one.
impl FromStr for LabelValues {
    type Err = NameError;

    fn from_str(text: &str) -> Result<LabelValues, NameError> {
        text.parse().map(LabelValues::One)
    }
}

impl JsonSchema for LabelValues {
    fn schema_name() -> Cow<'static, str> {
        "LabelValues".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "array"],
            "pattern": "^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
            "items": generator.subschema_for::<LabelValue>(),
            "maxItems": LABELS_MAX,
            "description": "The value of a label, or a list of accepted values.",
        })
    }
}

fn name_problem(text: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    problem(text).or_else(|| {
        (!text.chars().all(allowed))
            .then_some("must contain only letters, digits, `-`, `_`, `.` and `/`")
    })
}

fn value_problem(text: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    problem(text).or_else(|| {
        (!text.chars().all(allowed))
            .then_some("must contain only letters, digits, `-`, `_` and `.`")
    })
}

fn problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("must not be empty");
    }
    if text.len() > LABEL_LENGTH_MAX {
        return Some("must have at most 63 characters");
    }
    let is_at_an_end = |c: char| c.is_ascii_alphanumeric();
    (!text.starts_with(is_at_an_end) || !text.ends_with(is_at_an_end))
        .then_some("must start and end with a letter or digit")
}
