//! What is known of a link between stores before anything runs.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;
use weft_link::{CallTarget, Frames};
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

/// All that one part of an entry imports of one target: one stub, one session.
pub(crate) struct Link {
    /// By the index that the stub knows them under.
    pub(crate) functions: Vec<Arc<LinkedFunction>>,
}

/// The way from an importer to its target.
#[derive(Clone)]
pub(crate) struct LinkTarget {
    pub(crate) ends: LinkEnds,
    /// Id of the target in the lattice.
    pub(crate) call_target: Arc<CallTarget>,
    /// The target's index in the generation.
    pub(crate) component: usize,
    /// Index of the link's session in the importer's instance.
    pub(crate) session_slot: usize,
    /// Handles of the target's resources cross the link, so its session lasts as long as the
    /// importer's instance.
    pub(crate) has_resources: bool,
    pub(crate) delivery: Delivery,
}

/// How calls get to the target.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) execution: Execution,
    /// Owns the tasks of the calls.
    pub(crate) tasks: TaskTracker,
    /// Where calls go as frames; none if they go from store to store.
    pub(crate) frames: Option<Frames>,
}

/// Who polls a callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Execution {
    /// The importer's own, within its host call.
    Inline,
    /// A task of its own: inside a store of the concurrent engine no other store may be polled.
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

/// One function that is imported over a link.
pub(crate) struct LinkedFunction {
    pub(crate) target: Arc<LinkTarget>,
    /// Name of the import in the importer.
    pub(crate) interface: Arc<str>,
    /// The function's name in the interface.
    pub(crate) name: String,
    /// The export's name in the target.
    pub(crate) export: Arc<str>,
    /// The target's index of it.
    pub(crate) target_index: u32,
    /// How the importer can learn of a failure.
    pub(crate) failure: FailureForm,
    /// How its calls go.
    pub(crate) path: CallPath,
    /// Whether it is an `async func`.
    pub(crate) is_async: bool,
    /// How long a call may take, by the manifest.
    pub(crate) deadline: Option<Duration>,
    /// Whether a call may be made twice, by the manifest.
    pub(crate) is_idempotent: bool,
}

impl Link {
    /// The function that the stub knows under an index.
    ///
    /// # Errors
    /// If there is none, which a generated stub does not ask for.
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
    /// What the importer's stub is given in place of a reply.
    ///
    /// # Errors
    /// The importer's trap, if the function's result cannot carry a failure.
    pub(super) fn failure_reply(&self, failure: LinkFailure) -> wasmtime::Result<Vec<u8>> {
        match self.encode_failure(&failure) {
            Some(reply) => Ok(reply),
            None => Err(self.trap(failure)),
        }
    }

    /// The trap of an importer that cannot be told of a failure in another way.
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
