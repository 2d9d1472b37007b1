//! Failures of a build.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// The reason why a component was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages document the fields")]
pub enum Error {
    /// The program is missing, or the system refuses to start it.
    #[error("cannot start `{program}`")]
    Start { program: String, source: io::Error },
    /// The output of a program cannot be read.
    #[error("cannot read the output of `{program}`")]
    Read { program: String, source: io::Error },
    /// A program has printed something unexpected.
    #[error("unexpected output of `{program}`: {problem}")]
    Unexpected { program: String, problem: String },
    /// A program has failed, and has printed the reason.
    #[error("`{command}` failed: {status}")]
    Failed { command: String, status: ExitStatus },
    /// The build was cancelled.
    #[error("the build was cancelled")]
    Cancelled,
    /// A tool is missing and cannot be installed from here.
    #[error("missing {tool}")]
    Missing {
        tool: String,
        /// The way to install the tool.
        help: String,
    },
    /// A tool cannot be installed.
    #[error("cannot install {tool}")]
    Install { tool: String, source: Box<Error> },
    /// The sources are not those of a component.
    #[error("{problem}")]
    Sources {
        problem: String,
        /// The next step.
        help: String,
    },
    /// A file or folder cannot be used.
    #[error("cannot {action} `{}`", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl Error {
    /// The next step of the user, if the failure has one beyond its message.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Error::Missing { help, .. } | Error::Sources { help, .. } => Some(help),
            Error::Install { .. } => Some(
                "check the network: the first build of a language fetches its tools, later builds \
                 have them",
            ),
            _ => None,
        }
    }

    /// A function that wraps an I/O error of a file.
    pub(crate) fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    pub(crate) fn missing(tool: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Missing {
            tool: tool.into(),
            help: help.into(),
        }
    }
}
