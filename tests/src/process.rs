//! A program that a test runs: its output is kept for messages, and it ends with the test.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::wait::eventually;

/// A running program. Dropping it kills it, by its own id.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    stdout: Captured,
    stderr: Captured,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// All that it printed.
    pub stdout: String,
    /// All that it said beside that.
    pub stderr: String,
    /// The command, for messages.
    pub command: String,
}

/// What a pipe has brought so far.
#[derive(Debug)]
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

// === impl Process ===

impl Process {
    /// Starts the command, with nothing on its standard input.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn spawn(command: Command) -> Self {
        Self::start(command, Stdio::null())
    }

    /// Starts the command, with this text on its standard input.
    ///
    /// # Panics
    /// If it cannot be started, or does not take the text.
    #[must_use]
    pub fn spawn_typing(command: Command, text: &str) -> Self {
        let mut process = Self::start(command, Stdio::piped());
        let mut stdin = process.child.stdin.take().expect("stdin is piped");
        stdin.write_all(text.as_bytes()).expect("stdin is open");
        process
    }

    fn start(mut command: Command, stdin: Stdio) -> Self {
        let name = format!("{command:?}");
        let spawned = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("`{name}` does not start: {error}"));
        let stdout = Captured::read(child.stdout.take().expect("stdout is piped"));
        let stderr = Captured::read(child.stderr.take().expect("stderr is piped"));
        Self {
            child,
            name,
            stdout,
            stderr,
        }
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has said beside that so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    /// Asks it to end with SIGTERM.
    ///
    /// # Panics
    /// If the signal cannot be sent.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Has it do nothing at all, until [`Process::resume`].
    ///
    /// # Panics
    /// If the signal cannot be sent.
    pub fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Ends what [`Process::suspend`] began.
    ///
    /// # Panics
    /// If the signal cannot be sent.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ends.
    ///
    /// # Panics
    /// If it does not within `deadline`.
    #[must_use]
    pub fn wait(mut self, deadline: Duration) -> Finished {
        let name = self.name.clone();
        let status = eventually(&format!("`{name}` ends"), deadline, || {
            let status = self.status();
            status.ok_or_else(|| format!("{}{}", self.stdout(), self.stderr()))
        });
        Finished {
            code: status.code(),
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
            command: name,
        }
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("the child is ours to wait for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

// === impl Captured ===

impl Captured {
    fn read(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let target = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                let mut bytes = target.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&chunk[..length]);
            }
        });
        let reader = Some(reader);
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Everything, once the pipe is closed.
    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.text()
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
