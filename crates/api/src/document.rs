//! Documents that a host serves as they are: their bytes are the same for every client.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::etag;
use crate::problem::Problem;
use crate::response::{Body, Response};

/// The policy of all documents: scripts, styles and requests of their own origin alone, nothing
/// inline, and no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The headers of all documents. They are validated before each use, since a deploy changes them.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-cache"),
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The methods of documents.
const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    media_type: &'static str,
    bytes: Vec<u8>,
    tag: String,
}

impl Document {
    pub(crate) fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let tag = etag::of(media_type, &bytes);
        Self {
            media_type,
            bytes,
            tag,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The response to a request. That to `HEAD` has the body of `GET`, which the server removes.
    #[must_use]
    pub fn response(&self, method: &Method, headers: &HeaderMap) -> Response {
        match *method {
            Method::GET | Method::HEAD => self.read(headers),
            Method::OPTIONS => {
                let mut response = Response::empty(StatusCode::NO_CONTENT);
                response.headers.insert(header::ALLOW, ALLOW);
                response
            }
            _ => method_not_allowed(ALLOW),
        }
    }

    fn read(&self, headers: &HeaderMap) -> Response {
        let known = etag::if_none_match(headers);
        let mut response = match etag::is_known(&known, &self.tag) {
            true => Response::empty(StatusCode::NOT_MODIFIED),
            false => Response::new(StatusCode::OK, Body::Bytes(self.bytes.clone())),
        };
        for (name, value) in HEADERS {
            let value = HeaderValue::from_static(value);
            response.headers.insert(name, value);
        }
        // Hexadecimal digits in quotes are valid in a header.
        if let Ok(tag) = HeaderValue::try_from(&self.tag) {
            response.headers.insert(header::ETAG, tag);
        }
        if response.status == StatusCode::OK {
            let media_type = HeaderValue::from_static(self.media_type);
            response.headers.insert(header::CONTENT_TYPE, media_type);
        }
        response
    }
}

/// The response to a method that a path does not have.
pub(crate) fn method_not_allowed(allow: HeaderValue) -> Response {
    let title = "The path does not have this method";
    Problem::of_host(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title)
        .with_header(header::ALLOW, allow)
        .response()
}

/// The response to a method of a path that takes messages by `POST`; `None` for `POST`.
#[must_use]
pub fn not_post(method: &Method) -> Option<Response> {
    const ALLOW: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
    match *method {
        Method::POST => None,
        Method::OPTIONS => {
            let mut response = Response::empty(StatusCode::NO_CONTENT);
            response.headers.insert(header::ALLOW, ALLOW);
            Some(response)
        }
        _ => Some(method_not_allowed(ALLOW)),
    }
}
