//! The events of a build.

use serde::Serialize;
use serde_json::Value;

/// A step of a build, as it happens.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A command starts.
    Command {
        /// The command, ready to paste into a shell.
        command: String,
    },
    /// A tool has printed a line.
    Output {
        /// The output of the line.
        stream: Stream,
        /// The line without its end.
        line: String,
    },
    /// A compiler has reported a diagnostic.
    CompilerMessage {
        /// The object `message` of cargo's JSON, as it is.
        message: Value,
    },
    /// A fact that explains the next commands.
    Note {
        /// The fact as a sentence without a full stop.
        message: String,
    },
}

/// An output of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
