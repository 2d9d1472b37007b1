//! A response to a client.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::streams::StreamFormat;

/// A response, for any server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers, without `content-length`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// A sentence for the log of the host about what the response does not show.
    pub log: Option<String>,
}

/// The body of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// All bytes.
    Bytes(Vec<u8>),
    /// A stream of the call.
    Stream {
        /// The number of the stream within the call.
        number: u32,
        /// The form of its elements.
        format: StreamFormat,
    },
    /// The messages of a WebSocket, which are a stream of the call.
    Messages {
        /// The number of the stream within the call.
        number: u32,
    },
}

impl Response {
    pub(crate) fn new(status: StatusCode, body: Body) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body,
            log: None,
        }
    }

    /// A response with JSON.
    #[must_use]
    pub fn json(status: StatusCode, json: String) -> Self {
        let mut response = Self::new(status, Body::Bytes(json.into_bytes()));
        let json = HeaderValue::from_static("application/json");
        response.headers.insert(header::CONTENT_TYPE, json);
        response
    }

    /// A response without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self::new(status, Body::Bytes(Vec::new()))
    }
}
