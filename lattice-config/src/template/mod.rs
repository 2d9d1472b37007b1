//! Templates of requests and locations: `GET /orders/{id}?limit={limit=20}`.
//!
//! A template is syntax only. The names in braces are checked against the functions of an interface
//! by the crate that has its types.

mod parse;
mod text;

use crate::quote::quoted;
use crate::wit_name::WitName;

/// Maximum length of a template, as of a [path prefix](crate::PathPrefix).
pub const TEMPLATE_LENGTH_MAX: usize = 1024;
/// Maximum number of segments of a path: real APIs have fewer than ten.
pub const SEGMENTS_MAX: usize = 32;
/// Maximum number of keys in the query of a template.
pub const QUERY_KEYS_MAX: usize = 64;
/// Maximum number of names in a value path: a record in a record in a record is rare.
pub const VALUE_PATH_MAX: usize = 8;

/// The requests of an operation: `METHOD /path?query`.
///
/// ```
/// # use weft_lattice_config::template::{Method, RequestTemplate};
/// let template: RequestTemplate = "GET /orders?limit={limit=20}".parse().unwrap();
/// assert_eq!(template.method, Method::Get);
/// assert_eq!(template.query[0].default.as_deref(), Some("20"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestTemplate {
    /// The method.
    pub method: Method,
    /// The path, below the path of the route.
    pub path: PathTemplate,
    /// The keys of the query, each once.
    pub query: Vec<QueryParameter>,
}

/// The method of an operation. `HEAD` and `OPTIONS` are of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

/// A path with values: `/orders/{id}`, `/files/{*rest}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathTemplate {
    /// The segments before the rest.
    pub segments: Vec<Segment>,
    /// The value of all further segments, of which there is at least one.
    pub rest: Option<ValuePath>,
}

/// A segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A fixed text, without percent-encoding.
    Literal(String),
    /// A value.
    Value(ValuePath),
}

/// A key of a query: `limit={limit=20}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryParameter {
    /// The key in the query.
    pub key: String,
    /// The value.
    pub value: ValuePath,
    /// The text that stands for a missing key.
    pub default: Option<String>,
}

/// A value of a parameter: all of it (`order`) or a field of its record (`order.id`).
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct ValuePath {
    /// The name of the parameter.
    pub root: WitName,
    /// The names of fields, from the outside in.
    pub fields: Vec<WitName>,
}

/// The location of the result of an operation, below the path of the route: `/orders/{id}`. The
/// names are those of fields of the result.
///
/// ```
/// # use weft_lattice_config::template::LocationTemplate;
/// let location: LocationTemplate = "/orders/{id}".parse().unwrap();
/// assert_eq!(location.to_string(), "/orders/{id}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocationTemplate(pub PathTemplate);

/// A text that is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not {kind}: {problem}; expected {expected}", quoted(.text))]
pub struct TemplateError {
    text: String,
    kind: &'static str,
    problem: String,
    expected: &'static str,
}

// === impl RequestTemplate ===

impl RequestTemplate {
    /// All values of the path and the query, in their order.
    pub fn values(&self) -> impl Iterator<Item = &ValuePath> {
        let query = self.query.iter().map(|parameter| &parameter.value);
        self.path.values().chain(query)
    }

    /// True if a request may match both templates: they have one method, and a common path. The
    /// query selects no operation.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.method == other.method && self.path.overlaps(&other.path)
    }
}

// === impl Method ===

impl Method {
    /// All methods.
    pub const ALL: [Method; 5] = [
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ];

    /// The method as in a request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// True if a repetition of the request has no further effect (RFC 9110, section 9.2.2).
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        match self {
            Method::Get | Method::Put | Method::Delete => true,
            Method::Post | Method::Patch => false,
        }
    }

    /// True if a request has a body with a meaning (RFC 9110, section 9.3).
    #[must_use]
    pub fn has_body(self) -> bool {
        match self {
            Method::Post | Method::Put | Method::Patch => true,
            Method::Get | Method::Delete => false,
        }
    }
}

// === impl PathTemplate ===

impl PathTemplate {
    /// The values, in the order of the path.
    pub fn values(&self) -> impl Iterator<Item = &ValuePath> {
        let segments = self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Value(value) => Some(value),
        });
        segments.chain(&self.rest)
    }

    /// True if some path matches both templates.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut left, mut right) = (self.segments.iter(), other.segments.iter());
        loop {
            match (left.next(), right.next()) {
                (Some(left), Some(right)) if left.excludes(right) => return false,
                (Some(_), Some(_)) => {}
                (Some(_), None) => return other.rest.is_some(),
                (None, Some(_)) => return self.rest.is_some(),
                (None, None) => return self.rest.is_some() == other.rest.is_some(),
            }
        }
    }
}

impl Segment {
    /// True if no text matches both segments.
    fn excludes(&self, other: &Self) -> bool {
        matches!((self, other), (Segment::Literal(left), Segment::Literal(right)) if left != right)
    }
}

// === impl ValuePath ===

impl ValuePath {
    /// The path of a whole parameter.
    #[must_use]
    pub fn parameter(root: WitName) -> Self {
        let fields = Vec::new();
        Self { root, fields }
    }

    /// True if one of the two values contains the other, or is the other.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        let mut fields = self.fields.iter().zip(&other.fields);
        self.root == other.root && fields.all(|(left, right)| left == right)
    }
}
