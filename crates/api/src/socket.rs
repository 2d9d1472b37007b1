//! WebSockets (RFC 6455): operations whose function takes a stream of messages and returns one.
//!
//! A `stream<string>` in both directions is a socket of texts, a `stream<list<u8>>` one of binary
//! messages. Here are the handshake of the client, and messages as chunks of the streams; the host
//! has the connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha1::{Digest as _, Sha1};
use weft_json::{Function, Kind};
use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, Limits, MAX_VALUE_BYTES, SimpleType};

use crate::problem::Problem;
use crate::response::{Body, Response};

/// The version of the protocol.
const VERSION: &str = "13";

/// Number of bytes of a client's key.
const KEY_BYTES: usize = 16;

/// What a server adds to the key of a client (RFC 6455, section 1.3).
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The messages of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Texts, of a `stream<string>`.
    Text,
    /// Bytes, of a `stream<list<u8>>`.
    Binary,
}

/// A client's request for a socket, with the header that accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    accept: HeaderValue,
}

// === impl MessageKind ===

impl MessageKind {
    /// The messages of a stream; `None` if its elements are no messages.
    pub(crate) fn of(element: SimpleType) -> Option<Self> {
        match element {
            SimpleType::String => Some(Self::Text),
            SimpleType::Bytes => Some(Self::Binary),
            SimpleType::Scalar(_) => None,
        }
    }

    /// The messages of a function that takes a stream of them and returns one; `None` for other
    /// functions.
    pub(crate) fn of_function(function: &Function) -> Option<Self> {
        let returned = function.result.as_ref()?.kind();
        let Kind::Stream(element) = returned else {
            return None;
        };
        let mut params = function.params.iter();
        params.find(|param| param.ty.kind() == returned)?;
        Self::of(*element)
    }

    /// The element of its stream.
    pub(crate) fn element(self) -> SimpleType {
        match self {
            Self::Text => SimpleType::String,
            Self::Binary => SimpleType::Bytes,
        }
    }

    /// The name of the kind in documents.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }

    /// The chunk of the stream with one message. The bytes of a text must be UTF-8.
    ///
    /// # Errors
    /// If the message exceeds a value of a link.
    pub fn chunk(self, message: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let mut chunk = Vec::with_capacity(message.len() + 2 * size_of::<u64>());
        let mut encoder = Encoder::new(&mut chunk, MAX_VALUE_BYTES);
        encoder.list(1)?;
        // A string and a list of bytes have one form.
        encoder.bytes(message)?;
        Ok(chunk)
    }

    /// The messages of a chunk.
    ///
    /// # Errors
    /// If the chunk is not a list of such messages.
    pub fn messages(self, chunk: &Bytes) -> Result<Vec<Bytes>, DecodeError> {
        let mut decoder = Decoder::new(chunk, Limits::LINK)?;
        let mut messages = Vec::new();
        for _ in 0..decoder.list(1)? {
            messages.push(chunk.slice_ref(match self {
                Self::Text => decoder.string()?.as_bytes(),
                Self::Binary => decoder.bytes()?,
            }));
        }
        decoder.finish()?;
        Ok(messages)
    }
}

// === impl Handshake ===

impl Handshake {
    /// Reads the handshake of a `GET` request.
    ///
    /// # Errors
    /// A problem for the client: 426 if the request is none for a WebSocket of version 13, 400 if
    /// its key is malformed.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let is_upgrade = has_token(headers, header::UPGRADE, "websocket")
            && has_token(headers, header::CONNECTION, "upgrade");
        if !is_upgrade {
            return Err(Self::required());
        }
        let version = headers.get(header::SEC_WEBSOCKET_VERSION);
        if version.is_none_or(|version| version != VERSION) {
            let found = match version.and_then(|version| version.to_str().ok()) {
                Some(text) => format!("found `{}`", crate::quote::excerpt(text)),
                None => "found none".to_owned(),
            };
            let problem = Self::required();
            return Err(problem.with_detail(format!(
                "expected `sec-websocket-version: {VERSION}`, {found}"
            )));
        }
        let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
        let key = match (keys.next(), keys.next()) {
            (Some(key), None) => key.to_str().ok().filter(|key| is_key(key)),
            _ => None,
        };
        let accept = key.and_then(accept_of).ok_or_else(|| {
            let title = "The handshake of the WebSocket is malformed";
            Problem::of_host(StatusCode::BAD_REQUEST, "handshake", title).with_detail(format!(
                "expected one `sec-websocket-key` of {KEY_BYTES} bytes in base64"
            ))
        })?;
        Ok(Self { accept })
    }

    /// The problem of a request without a handshake.
    #[must_use]
    pub fn required() -> Problem {
        let title = "The operation is a WebSocket";
        let upgrade = HeaderValue::from_static("websocket");
        Problem::of_host(StatusCode::UPGRADE_REQUIRED, "upgrade", title)
            .with_detail("expected a request with `upgrade: websocket` over HTTP/1.1")
            .with_header(header::UPGRADE, upgrade)
            .with_header(header::CONNECTION, HeaderValue::from_static("upgrade"))
            .with_header(
                header::SEC_WEBSOCKET_VERSION,
                HeaderValue::from_static(VERSION),
            )
    }

    /// The response that opens the socket.
    #[must_use]
    pub fn response(self) -> Response {
        let body = Body::Bytes(Vec::new());
        let mut response = Response::new(StatusCode::SWITCHING_PROTOCOLS, body);
        let headers = &mut response.headers;
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        response
    }
}

/// True if a header has a token in one of its lists.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    let mut tokens = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tokens.any(|found| found.trim().eq_ignore_ascii_case(token))
}

fn is_key(key: &str) -> bool {
    STANDARD
        .decode(key)
        .is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}

fn accept_of(key: &str) -> Option<HeaderValue> {
    let digest = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX);
    HeaderValue::try_from(STANDARD.encode(digest.finalize())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter();
        let fields = fields.map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers
    }

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const UPGRADE: (&str, &str) = ("upgrade", "websocket");
    const CONNECTION: (&str, &str) = ("connection", "keep-alive, Upgrade");
    const THIRTEEN: (&str, &str) = ("sec-websocket-version", "13");

    #[test]
    fn a_handshake_is_accepted_with_the_digest_of_its_key() {
        // The example of RFC 6455, section 1.3.
        let fields = headers(&[UPGRADE, CONNECTION, THIRTEEN, KEY]);
        let response = Handshake::read(&fields).unwrap().response();
        assert_eq!(response.status, 101);
        let accept = &response.headers["sec-websocket-accept"];
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn other_requests_are_problems() {
        let old = ("sec-websocket-version", "8");
        for (fields, status) in [
            (&[][..], 426),
            (&[CONNECTION, THIRTEEN, KEY], 426),
            (&[UPGRADE, THIRTEEN, KEY], 426),
            (&[("upgrade", "h2c"), CONNECTION, THIRTEEN, KEY], 426),
            (&[UPGRADE, CONNECTION, KEY], 426),
            (&[UPGRADE, CONNECTION, old, KEY], 426),
            (&[UPGRADE, CONNECTION, THIRTEEN], 400),
            (&[UPGRADE, CONNECTION, THIRTEEN, KEY, KEY], 400),
            (
                &[
                    UPGRADE,
                    CONNECTION,
                    THIRTEEN,
                    ("sec-websocket-key", "c2hvcnQ="),
                ],
                400,
            ),
            (
                &[
                    UPGRADE,
                    CONNECTION,
                    THIRTEEN,
                    ("sec-websocket-key", "not base64"),
                ],
                400,
            ),
        ] {
            let problem = Handshake::read(&headers(fields)).unwrap_err();
            assert_eq!(problem.status().as_u16(), status, "{fields:?}");
            let response = problem.response();
            let upgrade = response.headers.get("upgrade");
            assert_eq!(upgrade.is_some(), status == 426, "{fields:?}");
        }
    }

    #[test]
    fn messages_are_elements_of_chunks() {
        let chunk = Bytes::from(MessageKind::Text.chunk("hé".as_bytes()).unwrap());
        assert_eq!(chunk, "\x01\x03hé".as_bytes());
        assert_eq!(MessageKind::Text.messages(&chunk).unwrap(), ["hé"]);
        let two = Bytes::from_static(b"\x02\x01\xff\x00");
        let messages = MessageKind::Binary.messages(&two).unwrap();
        assert_eq!(messages, [&b"\xff"[..], b""]);
        for (kind, malformed) in [
            (MessageKind::Text, &b"\x01\x01\xff"[..]),
            (MessageKind::Binary, b"\x01\x02a"),
            (MessageKind::Binary, b"\x00\x00"),
            (MessageKind::Text, b""),
        ] {
            let messages = kind.messages(&Bytes::from_static(malformed));
            assert!(messages.is_err(), "{malformed:?}: {messages:?}");
        }
    }
}
