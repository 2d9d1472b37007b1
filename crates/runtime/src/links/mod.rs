//! Links between stores: calls to components that are not fused with their importer.
//!
//! - [`link`]: static description of a link: its ends, functions and bounds.
//! - [`session`]: instances of callees that belong to an importer's instance.
//! - [`local_call`]: one call: takes the session, runs under the deadline, puts the session back.
//! - [`stub_imports`]: the host functions that a generated stub imports.
//! - [`scalar_calls`]: the same for functions of few scalars, which are not encoded between two
//!   stores.
//! - [`typed`]: functions of common signatures, called by their own types without a stub.
//! - [`skeleton_exports`]: the functions of a callee's skeleton, cached per instance.
//! - [`encoded_call`]: encoded calls, for links with a task or a transport between the two stores.
//! - [`inline_bytes`]: bytes between host and stub or skeleton, inline in words up to 32 bytes.
//! - [`spawned_call`]: the task of a call, for importers of the concurrent engine.
//! - [`remote`]: calls as frames.
//! - [`async_calls`]: calls of `async func`s, with streams and futures.
//! - [`codec`]: dynamic values in the encoding of the wire.
//! - [`failure`]: failures of callees, as importers receive them.
//!
//! The design is in `docs/adr/0007-links-between-stores.md`.

pub(crate) mod async_calls;
pub(crate) mod codec;
mod encoded_call;
mod failure;
mod inline_bytes;
mod link;
mod local_call;
pub(crate) mod remote;
mod scalar_calls;
mod session;
mod skeleton_exports;
mod spawned_call;
mod stub_imports;
pub(crate) mod typed;

use tokio_util::task::TaskTracker;
use weft_link::FrameTransport;
pub(crate) use weft_link::{DEPTH_MAX, LinkFailure, boxed};

pub(crate) use self::link::{Delivery, Execution, Link, LinkEnds, LinkTarget, LinkedFunction};
pub(crate) use self::local_call::Callee;
pub(crate) use self::session::Sessions;
pub(crate) use self::skeleton_exports::SkeletonFunctions;
use self::spawned_call::in_task;
pub(crate) use self::stub_imports::bind as bind_stub;

/// Interface of calls from a generated stub to the host.
pub(crate) const CALL_INTERFACE: &str = "weft:link/call";
/// Typed functions of the host, which the stub exports again.
pub(crate) const DIRECT_INTERFACE: &str = "weft:link/direct";
/// Interface of calls from the host to a generated skeleton.
pub(crate) const SERVE_INTERFACE: &str = "weft:link/serve";

/// Transport of the calls of a host's links.
#[derive(Clone, Default)]
pub(crate) struct Transport {
    /// Owns the tasks of the calls.
    pub(crate) tasks: TaskTracker,
    /// Transport of links between two components of this host, if they use frames.
    pub(crate) loopback: Option<FrameTransport>,
    /// Transport to other hosts, for a host in a lattice.
    pub(crate) remote: Option<FrameTransport>,
}
