//! The limits of this crate, each with its reason.

/// The largest component that is read: a Python component has 18 MB, a JavaScript one 12 MB.
pub const MAX_COMPONENT_BYTES: usize = 64 << 20;

/// The most code of a component, in all of its core modules: compiling a mebibyte takes some three
/// seconds of two cores. The language runtime of a Python component has 7 MB, that of a JavaScript
/// one 9 MB.
pub const MAX_CODE_BYTES: usize = 24 << 20;

/// The longest body of a function. One is compiled on one core, in a time that grows faster than
/// its length; the longest of a language runtime has some 200 KB.
pub const MAX_FUNCTION_BYTES: usize = 1 << 20;

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
