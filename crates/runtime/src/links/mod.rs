//! Links between stores: what runs when a component calls another that is not fused with it.
//!
//! - [`link`]: what is known of a link before anything runs: its ends, functions and bounds.
//! - [`session`]: a callee's instance that belongs to an importer's instance.
//! - [`call`]: one call: taking the session, running under the deadline, giving it back.
//! - [`stub`]: the host functions that a generated stub imports.
//! - [`scalars`]: the same for functions of few scalars, which nobody encodes between two stores.
//! - [`skeleton`]: the functions of a callee's skeleton, found once.
//! - [`exchange`]: calls as bytes, where a task or the wire lies between the two stores.
//! - [`bytes`]: bytes between host and stub or skeleton, in words if they are few.
//! - [`task`]: the task that makes a call for an importer of the concurrent engine.
//! - [`wire`]: the same calls as frames.
//! - [`concurrent`]: calls of `async func`s, and streams and futures.
//! - [`codec`]: dynamic values as bytes of the wire.
//! - [`failure`]: what becomes of a call without a reply.
//! - [`mod@boxed`]: the futures of calls, on the heap.
//!
//! `docs/adr/0007-links-between-stores.md` says why it is so.

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
use weft_link::Frames;
pub(crate) use weft_link::{DEPTH_MAX, LinkFailure, boxed};

pub(crate) use self::link::{Delivery, Execution, Link, LinkEnds, LinkTarget, LinkedFunction};
pub(crate) use self::local_call::Callee;
pub(crate) use self::session::Sessions;
pub(crate) use self::skeleton_exports::SkeletonFunctions;
use self::spawned_call::in_task;
pub(crate) use self::stub_imports::bind as bind_stub;

/// The interfaces between generated components and the host.
pub(crate) const CALL_INTERFACE: &str = "weft:link/call";
/// What the stub exports again: typed functions of the host.
pub(crate) const DIRECT_INTERFACE: &str = "weft:link/direct";
/// What a skeleton exports.
pub(crate) const SERVE_INTERFACE: &str = "weft:link/serve";

/// What carries the calls of a host's links.
#[derive(Clone, Default)]
pub(crate) struct Transport {
    /// Owns the tasks that calls run in.
    pub(crate) tasks: TaskTracker,
    /// The way of the links between two components of this host, if they go as frames.
    pub(crate) loopback: Option<Frames>,
    /// The way to other hosts, if there may be some.
    pub(crate) remote: Option<Frames>,
}
