//! Faults that a drill may inject into the process of a host. The process belongs to the embedder,
//! which implements [`Faults`] or leaves it out: then the host rejects drills.

use std::fmt;
use std::io;
use std::time::Duration;

/// Faults of a process.
pub trait Faults: fmt::Debug + Send + Sync {
    /// Ends the process at once, as `kill -9` does.
    fn kill(&self);

    /// Checks that the process could hang and resume.
    ///
    /// # Errors
    /// The reason it could not.
    fn check_hang(&self) -> Result<(), FaultError>;

    /// Stops the process after `after` and resumes it `lasting` later. Returns at once.
    ///
    /// # Errors
    /// If the process cannot be stopped.
    fn hang(&self, after: Duration, lasting: Duration) -> Result<(), FaultError>;
}

/// The reason a process cannot be stopped.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The process is the first one of its container.
    #[error("the process is the first of its container (pid 1), which the kernel does not stop")]
    FirstProcess,
    /// The helper that resumes the process does not start.
    #[error("the helper process that resumes the host does not start")]
    Helper(#[source] io::Error),
}
