//! The WIT source of a component.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, PREFIX};
use crate::quote::quoted;

/// Maximum length of a path, as in Linux.
const PATH_LENGTH_MAX: usize = 4096;

/// The WIT source of a component: comments of its interfaces, which the component itself lacks.
///
/// ```
/// # use weft_lattice_config::WitSource;
/// assert_eq!("orders/wit".parse(), Ok(WitSource::Folder("orders/wit".to_owned())));
/// assert!("sha256:12".parse::<WitSource>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WitSource {
    /// The path of a folder with WIT files, relative to the manifest.
    Folder(String),
    /// The digest of a WIT text that is stored in the lattice.
    Digest(Digest),
}

/// A text that is neither a path nor a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a WIT source: {problem}; expected a folder such as `./wit`, or `sha256:` and 64 lower-case hex digits", quoted(.text))]
pub struct WitSourceError {
    text: String,
    problem: &'static str,
}

impl TryFrom<String> for WitSource {
    type Error = WitSourceError;

    fn try_from(text: String) -> Result<Self, WitSourceError> {
        if text.starts_with(PREFIX) {
            return text.parse().map(WitSource::Digest).map_err(|_| {
                let problem = "the digest is malformed";
                WitSourceError { text, problem }
            });
        }
        match path_problem(&text) {
            Some(problem) => Err(WitSourceError { text, problem }),
            None => Ok(WitSource::Folder(text)),
        }
    }
}

fn path_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("must not be empty")
    } else if text.len() > PATH_LENGTH_MAX {
        Some("must have at most 4096 bytes")
    } else if text.contains(char::is_control) {
        Some("must not contain control characters")
    } else {
        None
    }
}

impl FromStr for WitSource {
    type Err = WitSourceError;

    fn from_str(text: &str) -> Result<Self, WitSourceError> {
        Self::try_from(text.to_owned())
    }
}

impl From<WitSource> for String {
    fn from(source: WitSource) -> String {
        match source {
            WitSource::Folder(path) => path,
            WitSource::Digest(digest) => digest.into(),
        }
    }
}

impl fmt::Display for WitSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WitSource::Folder(path) => formatter.pad(path),
            WitSource::Digest(digest) => digest.fmt(formatter),
        }
    }
}

impl JsonSchema for WitSource {
    fn schema_name() -> Cow<'static, str> {
        "WitSource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[^\\x00-\\x1f]+$",
            "description": "A folder with WIT files, relative to the manifest, or the digest of a \
                            WIT text that is stored in the lattice.",
        })
    }
}
