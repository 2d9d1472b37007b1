//! The static description of a link between stores: its ends, functions and bounds.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;
use weft_lattice_config::placement::ComponentId;
use weft_link::FrameTransport;
use weft_stub::plan::{CallPath, FailureForm};
use weft_wire::{Encoder, MAX_VALUE_BYTES};

use super::LinkFailure;

/// The two components of a link, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkEnds {
    pub(crate) app: Arc<str>,
    pub(crate) from: Arc<str>,
    pub(crate) to: Arc<str>,
}

/// All imports that one part of an endpoint has from one target: one stub, one session.
pub(crate) struct Link {
    /// Functions by their index in the stub.
    pub(crate) functions: Vec<Arc<LinkedFunction>>,
}

/// The target of a link, and the delivery of calls to it.
#[derive(Clone)]
pub(crate) struct LinkTarget {
    pub(crate) ends: LinkEnds,
    /// Id of the target in the lattice.
    pub(crate) id: Arc<ComponentId>,
    /// The target's index in the generation.
    pub(crate) component: usize,
    /// Index of the link's session in the importer's instance.
    pub(crate) session_slot: usize,
    /// Handles of the target's resources cross the link, so its session lasts as long as the
    /// importer's instance.
    pub(crate) has_resources: bool,
    pub(crate) delivery: Delivery,
}

/// Delivery of calls to the target.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) execution: Execution,
    /// Owns the tasks of the calls.
    pub(crate) tasks: TaskTracker,
    /// Transport of calls as frames; `None` if they go from store to store.
    pub(crate) frames: Option<FrameTransport>,
}

/// The task that polls a callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Execution {
    /// The importer's own, within its host call.
    Inline,
    /// A new one: inside a store of the concurrent engine no other store may be polled.
    Task,
}

impl Delivery {
    /// True if a call goes straight from the importer's store to the target's.
    pub(crate) fn is_inline(&self) -> bool {
        self.execution == Execution::Inline && self.frames.is_none()
    }

    pub(crate) fn is_in_task(&self) -> bool {
        self.execution == Execution::Task
    }
}

/// A function that is imported over a link.
pub(crate) struct LinkedFunction {
    pub(crate) target: Arc<LinkTarget>,
    /// Name of the import in the importer.
    pub(crate) interface: Arc<str>,
    /// Name of the function in the interface.
    pub(crate) name: String,
    /// Name of the export in the target.
    pub(crate) export: Arc<str>,
    /// Index of the function in the target.
    pub(crate) target_index: u32,
    /// The form in which the importer receives a failure.
    pub(crate) failure: FailureForm,
    pub(crate) path: CallPath,
    /// True for an `async func`.
    pub(crate) is_async: bool,
    /// Deadline of a call by the manifest.
    pub(crate) deadline: Option<Duration>,
    /// A call may be repeated, by the manifest.
    pub(crate) is_idempotent: bool,
}

impl Link {
    /// The function with an index in the stub.
    ///
    /// # Errors
    /// If the index is out of range, which generated stubs never pass.
    pub(super) fn function(&self, index: u32) -> wasmtime::Result<&Arc<LinkedFunction>> {
        let function = usize::try_from(index)
            .ok()
            .and_then(|index| self.functions.get(index));
        function.ok_or_else(|| {
            wasmtime::Error::msg(format!("invalid function index {index} of a stub"))
        })
    }
}

impl LinkedFunction {
    /// The encoded failure, as the importer's stub receives it in place of a reply.
    ///
    /// # Errors
    /// The importer's trap, if the function's result cannot carry a failure.
    pub(super) fn failure_reply(&self, failure: LinkFailure) -> wasmtime::Result<Vec<u8>> {
        match self.encode_failure(&failure) {
            Some(reply) => Ok(reply),
            None => Err(self.trap(failure)),
        }
    }

    /// The trap of an importer whose function cannot return a failure.
    pub(crate) fn trap(&self, failure: LinkFailure) -> wasmtime::Error {
        let LinkEnds { app, from, to } = &self.target.ends;
        let context = format!(
            "link `{app}/{from}` → `{app}/{to}`, function `{}.{}`",
            self.interface, self.name
        );
        wasmtime::Error::new(failure).context(context)
    }

    /// The encoded result that carries a failure; `None` if the function's result cannot.
    pub(crate) fn encode_failure(&self, failure: &LinkFailure) -> Option<Vec<u8>> {
        let mut reply = Vec::new();
        let mut encoder = Encoder::new(&mut reply, MAX_VALUE_BYTES);
        encoder.err().ok()?;
        match self.failure {
            FailureForm::Trap => return None,
            FailureForm::Text => {}
            FailureForm::Case { index } => encoder.u32(index).ok()?,
        }
        encoder.string(&failure.to_string()).ok()?;
        Some(reply)
    }
}
