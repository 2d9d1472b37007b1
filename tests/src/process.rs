//! Programs that a test runs. Their output is in files, for messages; they end with the test.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use weft_harness::Process;

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The standard output.
    pub stdout: String,
    /// The standard error.
    pub stderr: String,
    /// The command, for messages.
    pub command: String,
}

/// Starts a command without input.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn spawn(command: Command) -> Process {
    start(command, Stdio::null())
}

/// Starts a command with this text as input: a line or two.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn spawn_typing(command: Command, text: &str) -> Process {
    let (input, mut typing) = std::io::pipe().expect("a pipe");
    let typed = typing.write_all(text.as_bytes());
    typed.expect("a pipe has room for some lines");
    start(command, input.into())
}

fn start(mut command: Command, input: Stdio) -> Process {
    let name = format!("{command:?}");
    let output = [(); 2].map(|()| tempfile::tempfile().expect("a temporary file"));
    command.env("NO_COLOR", "1");
    Process::start_with(&name, &mut command, input, output)
        .unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

/// Waits until a program ends.
///
/// # Panics
/// If it does not within `deadline`.
#[must_use]
#[track_caller]
pub fn finish(mut process: Process, deadline: Duration) -> Finished {
    let status = process.wait(deadline).unwrap_or_else(|error| {
        panic!("{error}\n{}{}", process.stdout(), process.stderr());
    });
    Finished {
        code: status.code(),
        stdout: process.stdout(),
        stderr: process.stderr(),
        command: process.name().to_owned(),
    }
}

// === impl Finished ===

impl Finished {
    /// Fails the test unless the exit code is `code`.
    ///
    /// # Panics
    /// If it is another.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code of {self}");
        self
    }

    /// Fails the test unless standard error contains each of `parts`.
    ///
    /// # Panics
    /// If one is missing.
    #[track_caller]
    pub fn expect_stderr(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.stderr.contains(part), "no `{part}` in {self}");
        }
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
            command,
        } = self;
        write!(
            formatter,
            "{command}\ncode {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}
