//! Describes WebAssembly components and fuses linked ones into one.
//!
//! Everything here is bytes in, bytes out: [`describe`] says what a component imports and exports,
//! [`fuse`] composes linked components into a single one in which every part keeps the imports that
//! carry its identity. [`Linkable`] checks links that are not fused. Running the result, and binding
//! its imports, is the host's.
//!
//! Input is hostile: it is measured and validated before anything else looks at it.

mod adopt;
mod binary;
mod compose;
mod describe;
mod error;
mod fuse;
mod graph;
mod limits;
mod link;
mod matching;
mod measure;
mod names;
mod outline;
mod plan;
mod print;
mod rewrite;
mod shape;
mod unnamed;
mod wit;

pub use describe::{DescribeError, Description, Extern, ExternKind, FunctionInfo, describe};
pub use error::{Cause, FuseError, LinkEnds};
pub use fuse::{Edge, FuseOptions, Fused, FusedImport, ImportOwner, Part, fuse, fuse_exporting};
pub use limits::{
    MAX_COMPONENT_BYTES, MAX_FUSED_BYTES, MAX_FUSED_PARTS, MAX_NESTING, MAX_SIGNATURE_BYTES,
    MAX_TYPE_NODES,
};
pub use link::Linkable;
pub use names::private_name;
