//! Runs the commands of a build.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::cancel::Cancel;
use crate::command_line::command_line;
use crate::error::Error;
use crate::event::{Event, Stream};

/// The longest line of a tool that is passed on as one; the rest is a line of its own. Diagnostics
/// of compilers have some kilobytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// The lines that a tool may be ahead of their reader.
const LINES_AHEAD_MAX: usize = 256;

/// The time between two looks at a command that prints nothing.
const POLL_PERIOD: Duration = Duration::from_millis(50);

/// The looks after the end of a command at output that another process holds open, as a compiler
/// server does that the command has started.
const POLLS_AFTER_END: u32 = 10;

/// The output of the commands of a [`Shell`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// That of this process. Commands are in its process group, so that a terminal interrupts them.
    Inherited,
    /// Events, a line each. Each command has a process group of its own, which [`Cancel`] ends.
    Events,
}

/// Runs commands one after another, and publishes what they do.
pub struct Shell {
    cache: PathBuf,
    output: Output,
    cancel: Cancel,
    sink: Box<dyn Fn(Event) + Send + Sync>,
}

impl Shell {
    /// A shell that installs tools below the folder `cache`.
    pub fn new(
        cache: PathBuf,
        output: Output,
        cancel: Cancel,
        sink: impl Fn(Event) + Send + Sync + 'static,
    ) -> Self {
        Self {
            cache,
            output,
            cancel,
            sink: Box::new(sink),
        }
    }

    /// The folder for installed tools.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Publishes an event.
    pub fn publish(&self, event: Event) {
        (self.sink)(event);
    }

    /// Publishes a fact that explains the next commands.
    pub fn note(&self, message: impl Into<String>) {
        let message = message.into();
        self.publish(Event::Note { message });
    }

    /// Publishes a command and runs it.
    ///
    /// # Errors
    /// The command cannot be started, fails, or was cancelled.
    pub fn run(&self, command: &mut Command) -> Result<(), Error> {
        self.run_reading(command, |stream, line| {
            let line = line.to_owned();
            self.publish(Event::Output { stream, line });
        })
    }

    /// Publishes a command and runs it; `read` gets each line that it prints, unless output is
    /// [inherited](Output::Inherited).
    ///
    /// # Errors
    /// The command cannot be started, fails, or was cancelled.
    pub fn run_reading(
        &self,
        command: &mut Command,
        read: impl FnMut(Stream, &str),
    ) -> Result<(), Error> {
        let line = command_line(command);
        self.publish(Event::Command {
            command: line.clone(),
        });
        let status = match self.output {
            Output::Inherited => command.status().map_err(cannot_start(command))?,
            Output::Events => self.run_group(command, read)?,
        };
        if self.cancel.is_cancelled() {
            Err(Error::Cancelled)
        } else if status.success() {
            Ok(())
        } else {
            Err(Error::Failed {
                command: line,
                status,
            })
        }
    }

    /// Runs a command without effects and returns its standard output. It is not published.
    ///
    /// # Errors
    /// The command cannot be started, fails, or prints something that is not UTF-8.
    pub fn output(&self, command: &mut Command) -> Result<String, Error> {
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(cannot_start(command))?;
        if !output.status.success() {
            return Err(Error::Failed {
                command: command_line(command),
                status: output.status,
            });
        }
        String::from_utf8(output.stdout).map_err(|_| Error::Unexpected {
            program: program(command),
            problem: "not UTF-8".to_owned(),
        })
    }

    fn run_group(
        &self,
        command: &mut Command,
        mut read: impl FnMut(Stream, &str),
    ) -> Result<ExitStatus, Error> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let started = self.cancel.start(|| {
            let child = command.spawn();
            let group = child.as_ref().ok().map(Pid::from_child);
            (child, group)
        });
        let mut child = started
            .ok_or(Error::Cancelled)?
            .map_err(cannot_start(command))?;
        let group = Pid::from_child(&child);
        let lines = lines(&mut child);
        let waited = follow(group, &lines, &mut read);
        self.cancel.ended(group);
        let read_error = |source| Error::Read {
            program: program(command),
            source,
        };
        let status = child.wait().map_err(read_error)?;
        waited.map_err(|source| Error::Read {
            program: program(command),
            source: source.into(),
        })?;
        Ok(status)
    }
}

/// Passes lines on until the leader of the group has ended, and its output is read. The leader is
/// not reaped, so that its id stays its own.
fn follow(
    leader: Pid,
    lines: &Receiver<(Stream, String)>,
    read: &mut impl FnMut(Stream, &str),
) -> rustix::io::Result<()> {
    let mut polls_after_end = 0;
    loop {
        match lines.recv_timeout(POLL_PERIOD) {
            Ok((stream, line)) => read(stream, &line),
            Err(RecvTimeoutError::Timeout) if has_ended(leader, WaitIdOptions::NOHANG)? => {
                polls_after_end += 1;
                if polls_after_end == POLLS_AFTER_END {
                    return Ok(());
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return has_ended(leader, WaitIdOptions::empty()).map(drop);
            }
        }
    }
}

fn has_ended(leader: Pid, options: WaitIdOptions) -> rustix::io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | options;
    waitid(WaitId::Pid(leader), options).map(|status| status.is_some())
}

/// The lines of both outputs. A thread reads each, until its other end is closed.
fn lines(child: &mut Child) -> Receiver<(Stream, String)> {
    let (sender, receiver) = sync_channel(LINES_AHEAD_MAX);
    if let Some(stdout) = child.stdout.take() {
        spawn_reader(Stream::Stdout, stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        spawn_reader(Stream::Stderr, stderr, sender);
    }
    receiver
}

fn spawn_reader(
    stream: Stream,
    pipe: impl Read + Send + 'static,
    sender: SyncSender<(Stream, String)>,
) {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        loop {
            let mut line = Vec::new();
            let read = pipe
                .by_ref()
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line);
            // A pipe that cannot be read is at its end.
            if !matches!(read, Ok(1..)) {
                return;
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']).to_owned();
            if sender.send((stream, line)).is_err() {
                return;
            }
        }
    });
}

fn cannot_start(command: &Command) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let program = program(command);
    move |source| Error::Start { program, source }
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn shell(cancel: &Cancel) -> (Shell, Arc<Mutex<Vec<Event>>>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let shell = Shell::new(
            PathBuf::new(),
            Output::Events,
            cancel.clone(),
            move |event| {
                sink.lock().unwrap().push(event);
            },
        );
        (shell, events)
    }

    fn script(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    fn line(stream: Stream, line: &str) -> Event {
        let line = line.to_owned();
        Event::Output { stream, line }
    }

    #[test]
    fn a_command_is_published_before_its_lines() {
        let (shell, events) = shell(&Cancel::default());
        shell.run(&mut script("echo one; echo two >&2")).unwrap();
        let events = events.lock().unwrap();
        let command = "sh -c 'echo one; echo two >&2'".to_owned();
        assert_eq!(events[0], Event::Command { command });
        assert!(events.contains(&line(Stream::Stdout, "one")), "{events:?}");
        assert!(events.contains(&line(Stream::Stderr, "two")), "{events:?}");
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let (shell, _) = shell(&Cancel::default());
        let error = shell.run(&mut script("exit 3")).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c 'exit 3'` failed: exit status: 3");
        let error = shell.run(&mut Command::new("/missing/tool")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `/missing/tool`");
    }

    #[test]
    fn a_cancelled_command_ends_with_its_children() {
        let cancel = Cancel::default();
        let (shell, events) = shell(&cancel);
        let running = std::thread::spawn(move || {
            shell.run(&mut script("trap '' TERM; sleep 600 & echo $!; wait"))
        });
        let child = loop {
            let events = events.lock().unwrap();
            if let Some(Event::Output { line, .. }) = events.get(1) {
                break line.parse().unwrap();
            }
            drop(events);
            std::thread::yield_now();
        };
        cancel.cancel();
        cancel.kill();
        let outcome = running.join().unwrap();
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
        let child = Pid::from_raw(child).unwrap();
        while is_running(child) {
            std::thread::yield_now();
        }
        assert!(cancel.is_cancelled());
    }

    #[test]
    fn a_cancelled_shell_starts_nothing() {
        let cancel = Cancel::default();
        let (shell, _) = shell(&cancel);
        cancel.cancel();
        let outcome = shell.run(&mut script("echo one"));
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
    }

    #[test]
    fn output_that_a_background_process_holds_open_does_not_hold_up_the_build() {
        let (shell, events) = shell(&Cancel::default());
        let mut command = script("sleep 600 & echo $!");
        shell.run(&mut command).unwrap();
        let events = events.lock().unwrap();
        let Some(Event::Output { line, .. }) = events.get(1) else {
            panic!("{events:?}");
        };
        let child = Pid::from_raw(line.parse().unwrap()).unwrap();
        rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
    }

    /// True for a process that is neither dead nor a zombie.
    fn is_running(process: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }
}
