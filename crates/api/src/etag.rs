//! Entity tags: a hash of the body, by which clients find that it has not changed.

use http::{HeaderMap, HeaderValue, header};

/// Number of bytes of the hash: collisions of one resource with itself do not happen by chance.
const HASH_BYTES: usize = 16;

/// The tag of a body with its media type.
pub(crate) fn of(media_type: &str, body: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    // The length separates the two.
    hasher.update(&(media_type.len() as u64).to_le_bytes());
    hasher.update(media_type.as_bytes());
    hasher.update(body);
    let hash = hasher.finalize().to_hex();
    format!("\"{}\"", &hash[..HASH_BYTES * 2])
}

/// True if `if-none-match` has the tag, as strong or weak, or `*`.
pub(crate) fn is_known(if_none_match: &[HeaderValue], tag: &str) -> bool {
    let texts = if_none_match.iter().filter_map(|value| value.to_str().ok());
    let mut tags = texts.flat_map(|text| text.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// The values of `if-none-match`.
pub(crate) fn if_none_match(headers: &HeaderMap) -> Vec<HeaderValue> {
    let values = headers.get_all(header::IF_NONE_MATCH);
    values.iter().cloned().collect()
}
