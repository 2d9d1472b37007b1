//! The bounds of this crate, each with its reason.

/// The largest encoded value: as large as a chunked message may sensibly become in memory at both ends of
/// a link at once. What is larger belongs into a stream.
pub const MAX_VALUE_BYTES: usize = 64 << 20;

/// The most elements that a decoder takes, counted over all lists of a value, without those of strings and
/// of `list<u8>`, which are bytes. A decoded element takes some forty bytes as a dynamic value.
pub const MAX_VALUE_ELEMENTS: u64 = 4 << 20;

/// How deeply a value may be nested. Component tools refuse types that are deeper than a hundred, so only a
/// hostile one is.
pub const MAX_VALUE_DEPTH: u32 = 128;

/// The largest frame: a value of the largest size, and what is around it.
pub const MAX_FRAME_BYTES: usize = MAX_VALUE_BYTES + (64 << 10);

/// The longest authenticator: two signatures, a key's name and a nonce fit twice.
pub const MAX_AUTHENTICATOR_BYTES: usize = 512;

/// The longest name of an app or a component, as manifests bound it.
pub const MAX_COMPONENT_NAME_BYTES: usize = 63;

/// The longest name of an interface or a function: a namespace, a package of several parts, an interface
/// and a version of generous length each.
pub const MAX_WIT_NAME_BYTES: usize = 1 << 10;

/// The longest trace context: a `traceparent` takes 55 bytes, and later versions may append to it.
pub const MAX_TRACE_BYTES: usize = 256;

/// The longest method, authority, or path with its query: what an ingress takes as the head of a request.
pub const MAX_HTTP_TARGET_BYTES: usize = 64 << 10;

/// The longest name or value of a header: what an ingress takes as the head of a request.
pub const MAX_HTTP_FIELD_BYTES: usize = 64 << 10;

/// The most headers of a request or an answer, or trailers: twice what an ingress takes of a client.
pub const MAX_HTTP_FIELDS: usize = 256;

/// The longest message of a failure; what is longer is cut, since a failure must not fail.
pub const MAX_MESSAGE_BYTES: usize = 4 << 10;

/// What a decoder takes. Each bound is checked before anything of that size is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deeply values may be nested.
    pub depth: u32,
    /// How many elements lists may have, all together.
    pub elements: u64,
    /// How many bytes the whole value may have.
    pub bytes: usize,
}

impl Limits {
    /// The bounds of a link.
    pub const LINK: Self = Self {
        depth: MAX_VALUE_DEPTH,
        elements: MAX_VALUE_ELEMENTS,
        bytes: MAX_VALUE_BYTES,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::LINK
    }
}
