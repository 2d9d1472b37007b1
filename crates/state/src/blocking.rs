//! Blocking operations: the disk, and computations of many milliseconds.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinError, spawn_blocking};

/// Runs a blocking operation on a thread of its own, so that other tasks go on meanwhile.
///
/// A runtime with a single thread runs it in place: there, the order of all tasks is deterministic
/// (under a paused clock), which simulations rely on.
///
/// # Errors
/// If the runtime stops before the operation starts, or the operation panics on its thread.
pub async fn run<R: Send + 'static>(
    operation: impl FnOnce() -> R + Send + 'static,
) -> Result<R, JoinError> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Ok(operation()),
        _ => spawn_blocking(operation).await,
    }
}
