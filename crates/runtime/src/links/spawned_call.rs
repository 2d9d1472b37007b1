//! A call in a task of its own, for importers of the concurrent engine.

use std::future::Future;

use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Runs `call` in a task of `tasks` and waits for it. Dropping the future ends the task, and all
/// calls that it made.
///
/// # Errors
/// If the task panicked, or the host is shutting down.
pub(super) async fn in_task<R: Send + 'static>(
    tasks: &TaskTracker,
    call: impl Future<Output = R> + Send + 'static,
) -> wasmtime::Result<R> {
    let task = AbortOnDropHandle::new(tasks.spawn(call));
    task.await.map_err(wasmtime::Error::new)
}
