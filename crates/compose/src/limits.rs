//! The limits of this crate, each with its reason.

/// The largest component that is read: a Python component has 18 MB, a JavaScript one 12 MB.
pub const MAX_COMPONENT_BYTES: usize = 64 << 20;

/// The largest sum of part sizes that a host should fuse: compiling takes about fifty times as much
/// memory.
pub const MAX_FUSED_BYTES: usize = 128 << 20;

/// The largest number of parts that a host should fuse: they share one store, and a trap in one
/// ends them all.
pub const MAX_FUSED_PARTS: usize = 32;

/// The largest size of a component's function types, written out in full.
///
/// A type of a hundred nested pairs takes a few hundred bytes in the binary and exceeds any memory
/// when it is walked or printed. The largest WASI interfaces have less than ten thousand nodes.
pub const MAX_TYPE_NODES: u64 = 500_000;

/// The longest signature or definition that is printed; longer ones are cut and end in `…`.
pub const MAX_SIGNATURE_BYTES: usize = 4 << 10;

/// The deepest nesting of components: fusing adds one level, and validation time grows with the
/// square of the depth.
pub const MAX_NESTING: usize = 64;
