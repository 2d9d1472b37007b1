//! HTTP routes: host patterns and path prefixes, and the order of routes.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::app::RouteSpec;
use crate::quote::quoted;

/// Maximum length of a host name, by RFC 1035.
const HOST_LENGTH_MAX: usize = 253;
/// Maximum length of a path prefix: a request is compared with all prefixes, and no real route
/// needs a longer one.
const PATH_LENGTH_MAX: usize = 1024;

/// The host names of a route: one name (`shop.example.com`) or every name below one
/// (`*.example.com`). Always lower case.
///
/// ```
/// # use weft_lattice_config::HostPattern;
/// let pattern: HostPattern = "*.example.com".parse().unwrap();
/// assert!(pattern.matches("Shop.example.com:8080"));
/// assert!(!pattern.matches("example.com"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

/// The path prefix of a route: `/api` matches `/api` and `/api/x`, not `/apis`. It has no slash at
/// the end, except for `/` itself, which matches every path.
///
/// ```
/// # use weft_lattice_config::PathPrefix;
/// let prefix: PathPrefix = "/api/".parse().unwrap();
/// assert_eq!(prefix.as_str(), "/api");
/// assert!(prefix.matches("/api/orders"));
/// assert!(!prefix.matches("/apis"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPrefix(String);

/// A text that is not a host pattern or not a path prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Not a name and not `*.` with a name.
    #[error("{} is not a host name: expected a name such as `shop.example.com` or `*.example.com`, without scheme, port or path", quoted(.0))]
    Host(String),
    /// Not a plain absolute path.
    #[error("{} is not a path: {problem}", quoted(.text))]
    Path {
        /// The rejected text.
        text: String,
        /// The violated rule.
        problem: &'static str,
    },
}

/// Finds repeated keys: pairs of the index of the first occurrence and the index of the repetition.
pub(crate) fn duplicates<K: Ord>(keys: impl IntoIterator<Item = K>) -> Vec<(usize, usize)> {
    let mut first_places = BTreeMap::new();
    let mut duplicates = Vec::new();
    for (place, key) in keys.into_iter().enumerate() {
        let first = *first_places.entry(key).or_insert(place);
        if first != place {
            duplicates.push((first, place));
        }
    }
    duplicates
}

/// Orders routes by precedence: the first route that matches a request handles it.
///
/// The order is total, and equal only for routes that collide:
/// 1. an exact host, then a wildcard (the longer suffix first), then any host;
/// 2. within one host, the longer path first;
/// 3. remaining ties by text, so that every host sorts alike.
#[must_use]
pub fn most_specific_first(left: &RouteSpec, right: &RouteSpec) -> Ordering {
    rank(left).cmp(&rank(right))
}

type Rank<'a> = (HostRank<'a>, Reverse<usize>, &'a str);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum HostRank<'a> {
    Exact(&'a str),
    Wildcard(Reverse<usize>, &'a str),
    Any,
}

fn rank(route: &RouteSpec) -> Rank<'_> {
    let host = match &route.host {
        None => HostRank::Any,
        Some(host) => match host.suffix() {
            None => HostRank::Exact(&host.0),
            Some(suffix) => HostRank::Wildcard(Reverse(suffix.len()), suffix),
        },
    };
    (host, Reverse(route.path.0.len()), &route.path.0)
}

// === impl RouteSpec ===

impl RouteSpec {
    /// The requests of the route as text, as in `shop.example.com/api` or `*/api`. No two routes
    /// with different requests have the same text.
    #[must_use]
    pub fn pattern(&self) -> String {
        let host = self.host.as_ref().map_or("*", HostPattern::as_str);
        format!("{host}{}", self.path)
    }
}

// === impl HostPattern ===

impl HostPattern {
    /// Returns the text of the pattern, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the pattern matches the host of a request. Case, a port and a dot at the end
    /// are ignored; a wildcard stands for one or more labels.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let name = host.split_once(':').map_or(host, |(name, _)| name);
        let name = name.strip_suffix('.').unwrap_or(name);
        match self.suffix() {
            None => name.eq_ignore_ascii_case(&self.0),
            Some(suffix) => name.len().checked_sub(suffix.len()).is_some_and(|start| {
                start > 0
                    && name
                        .get(start..)
                        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            }),
        }
    }

    /// `.example.com` of `*.example.com`; `None` for an exact name.
    fn suffix(&self) -> Option<&str> {
        self.0.strip_prefix('*')
    }
}

impl TryFrom<String> for HostPattern {
    type Error = RouteError;

    fn try_from(text: String) -> Result<Self, RouteError> {
        let name = text.strip_prefix("*.").unwrap_or(&text);
        if text.len() <= HOST_LENGTH_MAX && name.split('.').all(is_host_label) {
            Ok(HostPattern(text.to_ascii_lowercase()))
        } else {
            Err(RouteError::Host(text))
        }
    }
}

fn is_host_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

// === impl PathPrefix ===

impl PathPrefix {
    /// Returns the text of the prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the prefix matches the path of a request, without the query. Whole segments
    /// are compared.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match path.strip_prefix(self.0.as_str()) {
            None => false,
            Some(rest) => rest.is_empty() || rest.starts_with('/') || self.0 == "/",
        }
    }
}

impl Default for PathPrefix {
    fn default() -> Self {
        PathPrefix("/".to_owned())
    }
}

impl TryFrom<String> for PathPrefix {
    type Error = RouteError;

    fn try_from(text: String) -> Result<Self, RouteError> {
        if let Some(problem) = path_problem(&text) {
            return Err(RouteError::Path { text, problem });
        }
        Ok(match text.strip_suffix('/') {
            None => PathPrefix(text),
            Some("") => PathPrefix::default(),
            Some(rest) => PathPrefix(rest.to_owned()),
        })
    }
}

fn path_problem(text: &str) -> Option<&'static str> {
    if !text.starts_with('/') {
        return Some("must start with `/`");
    }
    if text.len() > PATH_LENGTH_MAX {
        return Some("must have at most 1024 bytes");
    }
    if text.contains("..") || text.contains("/./") || text.ends_with("/.") {
        return Some("must not contain `.` or `..` segments");
    }
    if text.contains("//") {
        return Some("must not contain `//`");
    }
    if text.contains(['?', '#', '%']) {
        return Some("must not contain `?`, `#` or `%`");
    }
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    (!text.bytes().all(is_plain)).then_some("must be printable ASCII without spaces or `\\`")
}

// === text forms of both ===

macro_rules! text_form {
    ($name:ident, $pattern:literal, $description:literal) => {
        impl FromStr for $name {
            type Err = RouteError;

            fn from_str(text: &str) -> Result<Self, RouteError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "description": $description,
                })
            }
        }
    };
}

text_form!(
    HostPattern,
    "^(\\*\\.)?[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$",
    "A host name such as `shop.example.com`, or `*.example.com` for every name below `example.com`."
);
text_form!(
    PathPrefix,
    "^/[^?#%\\s\\\\]*$",
    "An absolute path prefix of whole segments: `/api` matches `/api` and `/api/x`, not `/apis`."
);
