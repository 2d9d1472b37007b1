//! What a drill may do to the process that a host runs in. The process is not this crate's, so whoever runs a
//! host says how, or leaves it out: then the host takes no drills.

use std::fmt;
use std::io;
use std::time::Duration;

/// Faults of a process.
pub trait Faults: fmt::Debug + Send + Sync {
    /// Ends the process at once, as `kill -9` does.
    fn kill(&self);

    /// Whether the process could hang and go on again.
    ///
    /// # Errors
    /// Why it could not.
    fn check_hang(&self) -> Result<(), FaultError>;

    /// Has the process hang after a while, and go on when it did for `lasting`. Returns at once.
    ///
    /// # Errors
    /// If it will not hang.
    fn hang(&self, after: Duration, lasting: Duration) -> Result<(), FaultError>;
}

/// Why a process does not break.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// It is the first process of its container.
    #[error("it is the first process of its container (pid 1), which the kernel does not stop")]
    FirstProcess,
    /// Nothing would let it go on again.
    #[error("what lets it go on again does not start")]
    Helper(#[source] io::Error),
}
