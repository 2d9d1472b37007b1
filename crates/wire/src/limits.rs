//! The limits of this crate, each with its reason.

/// The largest encoded value: both ends of a link have it in memory at once. Larger data belongs
/// into a stream.
pub const MAX_VALUE_BYTES: usize = 64 << 20;

/// The largest number of elements in a decoded value, summed over all its lists. Strings and
/// `list<u8>` count as bytes instead. A decoded element takes some forty bytes as a dynamic value.
pub const MAX_VALUE_ELEMENTS: u64 = 4 << 20;

/// The deepest nesting of a value. Component tools refuse types that are deeper than a hundred, so
/// only a hostile value is deeper.
pub const MAX_VALUE_DEPTH: u32 = 128;

/// The largest frame: a value of the largest size, with the other fields.
pub const MAX_FRAME_BYTES: usize = MAX_VALUE_BYTES + (64 << 10);

/// The longest authenticator: enough for two signatures, a key name and a nonce, twice.
pub const MAX_AUTHENTICATOR_BYTES: usize = 512;

/// The longest name of a lattice: one token of a subject, and a DNS label.
pub const MAX_LATTICE_BYTES: usize = 63;

/// The longest name of an app or a component; manifests have the same bound.
pub const MAX_COMPONENT_NAME_BYTES: usize = 63;

/// The longest name of an interface or a function: a namespace, a package of several parts, an
/// interface and a version, each of generous length.
pub const MAX_WIT_NAME_BYTES: usize = 1 << 10;

/// The longest trace context: a `traceparent` takes 55 bytes, and later versions may append to it.
pub const MAX_TRACE_BYTES: usize = 256;

/// The longest method, authority, or path with query: the limit of an ingress for a request head.
pub const MAX_HTTP_TARGET_BYTES: usize = 64 << 10;

/// The longest name or value of a header: the limit of an ingress for a request head.
pub const MAX_HTTP_FIELD_BYTES: usize = 64 << 10;

/// The largest number of headers in a request or response, or of trailers: twice the limit of an
/// ingress.
pub const MAX_HTTP_FIELDS: usize = 256;

/// The longest message of a failure; longer ones are cut, since a failure must always be
/// deliverable.
pub const MAX_MESSAGE_BYTES: usize = 4 << 10;

/// The limits of a decoder. Each is checked before anything of that size is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Levels of nesting.
    pub depth: u32,
    /// Elements, summed over all lists.
    pub elements: u64,
    /// Bytes of the whole value.
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
