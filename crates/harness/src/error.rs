//! Failures of child processes and of waits for them.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// A failure of a child process, or of a wait.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages document the fields")]
pub enum Error {
    /// The program is missing, or the system refuses to start it.
    #[error("cannot start {name}")]
    Start { name: String, source: io::Error },
    /// The process ended before its owner stopped it.
    #[error("{name} ended ({status}){log}")]
    Ended {
        name: String,
        status: ExitStatus,
        /// The last lines of standard error, if it is in a file.
        log: String,
    },
    /// The awaited state was not reached.
    #[error("timed out after {timeout:?}: {event}")]
    Timeout { event: String, timeout: Duration },
    /// The system refuses a signal, a file or a port.
    #[error("cannot {action}")]
    System { action: String, source: io::Error },
}

impl Error {
    /// A function that wraps an I/O error of `action`.
    pub(crate) fn of<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self::System {
            action: action.into(),
            source: source.into(),
        }
    }
}
