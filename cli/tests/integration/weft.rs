//! Runs the built command in a fresh directory, without the variables of the caller's environment
//! that the command reads.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory that is the working and home directory of the command.
pub(crate) struct Sandbox {
    directory: TempDir,
}

/// The result of a run of the command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Runs `weft` with these arguments and this standard input.
    pub(crate) fn weft(&self, arguments: &[&str], stdin: &str) -> Run {
        self.run(&[], arguments, stdin)
    }

    /// Runs `weft` with these variables and arguments.
    pub(crate) fn weft_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
        self.run(variables, arguments, "")
    }

    /// The command with these variables and arguments, and no other setting.
    pub(crate) fn command(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
        let mut command = weft_harness::weft::command(Path::new(env!("CARGO_BIN_EXE_weft")));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("HOME", self.path())
            .env_remove("COLUMNS")
            .envs(variables.iter().copied());
        command
    }

    fn run(&self, variables: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Run {
        let mut command = self.command(variables, arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input may have ended already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Run::new(child.wait_with_output().unwrap(), self.path())
    }
}

impl Run {
    /// Replaces the directory, whose name differs between runs, by `~`.
    fn new(output: Output, directory: &Path) -> Run {
        let text = |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(directory.to_str().unwrap(), "~")
        };
        Run {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
