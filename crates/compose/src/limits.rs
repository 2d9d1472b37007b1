//! The bounds of this crate, each with its reason.

/// The largest component that is looked at: a Python component is 18 MB, a JavaScript one 12 MB.
pub const MAX_COMPONENT_BYTES: usize = 64 << 20;

/// The largest sum of parts a host should fuse: compiling takes memory of some fifty times the input.
pub const MAX_FUSED_BYTES: usize = 128 << 20;

/// The most parts a host should fuse: one store holds them all, and one trap ends them all.
pub const MAX_FUSED_PARTS: usize = 32;

/// How large the types of all functions of a component may be, written out in full.
///
/// A type of a hundred nested pairs is a few hundred bytes as a binary and exceeds any memory when
/// it is walked or printed; the largest WASI interfaces stay under ten thousand nodes.
pub const MAX_TYPE_NODES: u64 = 500_000;

/// The longest signature or definition that is printed; what is longer ends in `…`.
pub const MAX_SIGNATURE_BYTES: usize = 4 << 10;

/// How deeply components may be nested: fusing adds one level, and the time to validate grows with
/// the square of the depth.
pub const MAX_NESTING: usize = 64;
