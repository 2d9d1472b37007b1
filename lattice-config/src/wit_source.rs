//! The WIT source of a component.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::quote::quoted;

/// Maximum length of a path, as in Linux.
const PATH_LENGTH_MAX: usize = 4096;

/// Maximum length of a WIT text: a hundred times that of a common interface with comments, and room
/// for several in a record of the desired state.
pub const WIT_TEXT_BYTES_MAX: usize = 256 << 10;

/// The WIT source of a component: the types of its typed routes, with comments, which the component
/// itself lacks. A text with a line end is WIT, any other is a path.
///
/// ```
/// # use weft_lattice_config::WitSource;
/// assert_eq!("orders/wit".parse(), Ok(WitSource::Folder("orders/wit".to_owned())));
/// assert!(matches!("package a:b;\n".parse(), Ok(WitSource::Text(_))));
/// assert!("".parse::<WitSource>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WitSource {
    /// The path of a folder with WIT files, relative to the manifest.
    Folder(String),
    /// The WIT itself, as it is deployed.
    Text(String),
}

/// A text that is neither a path nor WIT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a WIT source: {problem}; expected a folder such as `./wit`, or the WIT itself", quoted(.text))]
pub struct WitSourceError {
    text: String,
    problem: &'static str,
}

impl TryFrom<String> for WitSource {
    type Error = WitSourceError;

    fn try_from(text: String) -> Result<Self, WitSourceError> {
        if text.contains('\n') {
            return match text.len() {
                0..=WIT_TEXT_BYTES_MAX => Ok(WitSource::Text(text)),
                _ => Err(WitSourceError {
                    text,
                    problem: "must have at most 256 KiB",
                }),
            };
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
            WitSource::Text(text) => text,
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
            "pattern": "^[\\s\\S]+$",
            "description": "A folder with WIT files, relative to the manifest, or the WIT itself.",
        })
    }
}
