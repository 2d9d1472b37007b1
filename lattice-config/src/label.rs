//! Labels of hosts: `cloud=aws`, `zone=eu-west-1a`, or any name that an operator likes.
//!
//! Placement asks for them by equality alone. They are text that people choose, so they may have what
//! names of zones and machine types have, and nothing that would need escaping in a shell or a list.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::name::{NameError, text_type};
use crate::quote::quoted;

/// The most labels a host may have, or a component may ask for: each is compared with each.
pub const LABELS_MAX: usize = 64;
/// The longest label name or value: as in Kubernetes, where many of them come from.
const LABEL_LENGTH_MAX: usize = 63;

/// The labels of a host.
pub type Labels = BTreeMap<LabelName, LabelValue>;

text_type!(
    /// The name of a label, such as `zone` or `topology.kubernetes.io/zone`.
    LabelName,
    "a label name",
    problem: name_problem,
    pattern: "^[A-Za-z0-9]([-._/A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
    description: "Letters, digits, `-`, `_`, `.` and `/`, starting and ending with a letter or digit; at most \
                  63 characters."
);
text_type!(
    /// The value of a label, such as `eu-west-1a`.
    LabelValue,
    "a label value",
    problem: value_problem,
    pattern: "^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
    description: "Letters, digits, `-`, `_` and `.`, starting and ending with a letter or digit; at most 63 \
                  characters."
);

/// A label as people write it: `zone=eu-west-1a`.
///
/// ```
/// # use weft_lattice_config::Label;
/// let label: Label = "zone=eu-west-1a".parse().unwrap();
/// assert_eq!((label.name.as_str(), label.value.as_str()), ("zone", "eu-west-1a"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// What is said.
    pub name: LabelName,
    /// What it is.
    pub value: LabelValue,
}

/// The text is not a label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// There is no `=` in it.
    #[error("{} is not a label: expected a name and a value, as in `zone=eu-west-1a`", quoted(.0))]
    Form(String),
    /// The name or the value is wrong.
    #[error(transparent)]
    Part(#[from] NameError),
}

/// The values of a label that will do: one, or any of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LabelValues {
    /// This one.
    One(LabelValue),
    /// Any of these.
    AnyOf(Vec<LabelValue>),
}

impl LabelValues {
    /// The values, in the order of the manifest.
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

/// The form of one value; a list has its items checked one by one.
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
            "description": "The value of a label, or a list of values of which any will do.",
        })
    }
}

fn name_problem(text: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    problem(text).or_else(|| {
        (!text.chars().all(allowed))
            .then_some("only letters, digits, `-`, `_`, `.` and `/` are allowed")
    })
}

fn value_problem(text: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    problem(text).or_else(|| {
        (!text.chars().all(allowed)).then_some("only letters, digits, `-`, `_` and `.` are allowed")
    })
}

fn problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > LABEL_LENGTH_MAX {
        return Some("it is longer than 63 characters");
    }
    let is_at_an_end = |c: char| c.is_ascii_alphanumeric();
    (!text.starts_with(is_at_an_end) || !text.ends_with(is_at_an_end))
        .then_some("it must start and end with a letter or digit")
}
