//! From a method and a path to an operation.
//!
//! No two operations match one request: the manifest is refused otherwise. So the order of
//! operations has no meaning.

mod path;

use std::fmt;

use http::{HeaderValue, StatusCode, header};
use weft_lattice_config::template::{Method, PathTemplate, Segment};

use self::path::{RequestPath, check_rest};
use crate::api::Api;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::response::Response;

pub use self::path::PathError;

/// The operation of a request, with the values of its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// The index of the operation among those of the API.
    pub index: usize,
    /// The values of the path.
    pub path: PathValues,
}

/// The decoded values of a path, in the order of its template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathValues {
    pub(crate) segments: Vec<String>,
    pub(crate) rest: Vec<String>,
}

/// A request without an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmatched {
    /// No operation has the path.
    NotFound,
    /// Operations with the path have other methods.
    Method(Allow),
    /// `OPTIONS` of a path.
    Options(Allow),
    /// The path is malformed.
    Path(PathError),
}

/// The methods of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow(Vec<Method>);

impl Api {
    /// Returns the part of a path of a request below the path of the route; `None` if the route has
    /// another path.
    #[must_use]
    pub fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let prefix = self.prefix();
        match prefix.as_str() {
            "/" => Some(path),
            prefix => {
                let below = path.strip_prefix(prefix)?;
                (below.is_empty() || below.starts_with('/')).then_some(below)
            }
        }
    }

    /// Finds the operation of a request by the raw path [below](Self::below) the route, without
    /// its query. `HEAD` finds that of `GET`.
    ///
    /// # Errors
    /// If no operation has the request. That includes `OPTIONS`, to which the host responds itself.
    pub fn find(&self, method: &http::Method, path: &str) -> Result<Matched<'_>, Unmatched> {
        let path = RequestPath::decode(path).map_err(Unmatched::Path)?;
        let mut methods = Vec::new();
        for (index, operation) in self.operations().iter().enumerate() {
            let template = operation.request();
            if !matches(&template.path, path.segments()) {
                continue;
            }
            if is_method(template.method, method) {
                let path = values(&template.path, path.segments()).map_err(Unmatched::Path)?;
                return Ok(Matched {
                    operation,
                    index,
                    path,
                });
            }
            methods.push(template.method);
        }
        Err(match methods.is_empty() {
            true => Unmatched::NotFound,
            false if method == http::Method::OPTIONS => Unmatched::Options(Allow::of(methods)),
            false => Unmatched::Method(Allow::of(methods)),
        })
    }
}

fn is_method(method: Method, requested: &http::Method) -> bool {
    let is_head = method == Method::Get && requested == http::Method::HEAD;
    is_head || requested.as_str() == method.as_str()
}

fn matches(template: &PathTemplate, path: &[String]) -> bool {
    let count = template.segments.len();
    let is_long_enough = match template.rest {
        Some(_) => path.len() > count,
        None => path.len() == count,
    };
    let mut pairs = template.segments.iter().zip(path);
    is_long_enough
        && pairs.all(|(segment, text)| match segment {
            Segment::Literal(literal) => literal == text,
            Segment::Value(_) => !text.is_empty(),
        })
        && path[count..].iter().all(|text| !text.is_empty())
}

/// The values of a path that matches the template.
fn values(template: &PathTemplate, path: &[String]) -> Result<PathValues, PathError> {
    let pairs = template.segments.iter().zip(path);
    let segments = pairs.filter_map(|(segment, text)| match segment {
        Segment::Literal(_) => None,
        Segment::Value(_) => Some(text.clone()),
    });
    let rest = path[template.segments.len()..].to_vec();
    check_rest(&rest)?;
    Ok(PathValues {
        segments: segments.collect(),
        rest,
    })
}

// === impl Unmatched ===

impl Unmatched {
    /// The response to the client.
    #[must_use]
    pub fn response(&self) -> Response {
        match self {
            Self::NotFound => {
                let title = "No operation has this path";
                Problem::of_host(StatusCode::NOT_FOUND, "not-found", title).response()
            }
            Self::Method(allow) => {
                let title = "No operation with this path has this method";
                Problem::of_host(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title)
                    .with_header(header::ALLOW, allow.header())
                    .response()
            }
            Self::Options(allow) => {
                let mut response = Response::empty(StatusCode::NO_CONTENT);
                response.headers.insert(header::ALLOW, allow.header());
                response
            }
            Self::Path(error) => {
                let title = "The path is malformed";
                Problem::of_host(StatusCode::BAD_REQUEST, "path", title)
                    .with_detail(error.to_string())
                    .response()
            }
        }
    }
}

// === impl Allow ===

impl Allow {
    fn of(mut methods: Vec<Method>) -> Self {
        methods.sort_unstable();
        methods.dedup();
        Self(methods)
    }

    /// The value of the header `allow`.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        // Names of methods are valid in a header.
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for method in &self.0 {
            write!(formatter, "{method}, ")?;
            if *method == Method::Get {
                formatter.write_str("HEAD, ")?;
            }
        }
        formatter.write_str("OPTIONS")
    }
}
