//! Names of request headers that a route passes to a function.

use crate::name::text_type;

/// Maximum length of a header name, far above those in use.
const NAME_LENGTH_MAX: usize = 128;

/// The headers that the host interprets itself or that belong to one connection (RFC 9110, section
/// 7.6.1): a function must not depend on them.
const OWNED_BY_THE_HOST: [&str; 16] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "if-none-match",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The beginning of the headers of Weft itself.
const OWN_PREFIX: &str = "weft-";

text_type!(
    /// The name of a header of a request, such as `If-Match`, as written. Two names that differ
    /// only in case are one header.
    HeaderName,
    "the name of a header for a parameter",
    problem: problem,
    pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    description: "The name of a header of a request, such as `If-Match`."
);

fn problem(text: &str) -> Option<&'static str> {
    if text.is_empty() || !text.bytes().all(is_token) {
        return Some("must be letters, digits and `-`, such as `If-Match`");
    }
    if text.len() > NAME_LENGTH_MAX {
        return Some("must have at most 128 characters");
    }
    let name = text.to_ascii_lowercase();
    if OWNED_BY_THE_HOST.contains(&name.as_str()) {
        return Some("the host itself uses this header, or it belongs to the connection");
    }
    name.starts_with(OWN_PREFIX)
        .then_some("headers that start with `weft-` are of the host")
}

/// True for the bytes of a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
