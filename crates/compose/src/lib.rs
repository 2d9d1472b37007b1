//! Describes WebAssembly components and fuses linked ones into one.
//!
//! Everything here is bytes in, bytes out: [`describe`] lists the imports and exports of a
//! component, [`fuse`] composes linked components into one in which every part keeps the imports
//! that carry its identity. [`Linkable`] checks links that are not fused. The host runs the result
//! and binds its imports. [`outline`] removes the code, so that a host can check the rest quickly.
//!
//! Input is hostile: a component is measured and validated before any other code reads it.

mod binary;
mod compose;
mod describe;
mod error;
mod fuse;
mod graph;
mod import_names;
mod import_type_aliases;
mod interface_wit;
mod limits;
mod link;
mod matching;
mod names;
mod outline;
mod print;
mod rewrite;
mod scan;
mod type_only_exports;
mod type_size;
mod unsupported;
mod wit;

pub use describe::{DescribeError, Description, Extern, ExternKind, FunctionInfo, describe};
pub use error::{Cause, FuseError, LinkEnds};
pub use fuse::{Edge, FuseOptions, Fused, FusedImport, ImportOwner, Part, fuse, fuse_exporting};
pub use interface_wit::{interface_wit, print_interfaces};
pub use limits::{
    MAX_CODE_BYTES, MAX_COMPONENT_BYTES, MAX_FUNCTION_BYTES, MAX_FUSED_BYTES, MAX_FUSED_PARTS,
    MAX_NESTING, MAX_SIGNATURE_BYTES, MAX_TYPE_NODES,
};
pub use link::Linkable;
pub use names::private_name;
pub use outline::{Outline, outline};
