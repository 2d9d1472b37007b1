//! Child processes: started with their output in files, and ended by their own id.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::{Error, Polling, until};

/// The last lines of standard error that a failure repeats.
const LOG_LINES_SHOWN: usize = 20;

/// The time limit of a connection over loopback.
const CONNECT_MAX: Duration = Duration::from_millis(200);

/// The longest time in which the threads of a process stop: some are in the kernel.
const STOP_MAX: Duration = Duration::from_secs(10);

/// A running program, killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    /// True once the exit status was read: the id may be that of another process by now.
    has_ended: bool,
    /// The files with standard output and standard error.
    output: Option<[File; 2]>,
}

impl Process {
    /// Starts a command without input, called `name` in failures. Its output goes to files that are
    /// replaced: `output` with the extensions `out` and `err`.
    ///
    /// # Errors
    /// A file cannot be written, or the command cannot be started.
    pub fn start(name: &str, command: &mut Command, output: &Path) -> Result<Self, Error> {
        let create = |extension| {
            let file = output.with_added_extension(extension);
            let mut options = File::options();
            let options = options.read(true).write(true).create(true).truncate(true);
            options
                .open(&file)
                .map_err(Error::of(format!("write {}", file.display())))
        };
        let output = [create("out")?, create("err")?];
        Self::start_with(name, command, Stdio::null(), output)
    }

    /// Starts a command that reads `input` and writes to these two files; see [`Process::start`].
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn start_with(
        name: &str,
        command: &mut Command,
        input: impl Into<Stdio>,
        output: [File; 2],
    ) -> Result<Self, Error> {
        let [stdout, stderr] = output.each_ref().map(File::try_clone);
        let of_copy = || Error::of("copy a file handle");
        command
            .stdin(input)
            .stdout(stdout.map_err(of_copy())?)
            .stderr(stderr.map_err(of_copy())?);
        let mut process = Self::start_attached(name, command)?;
        process.output = Some(output);
        Ok(process)
    }

    /// Starts a command with the input and output that it has.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn start_attached(name: &str, command: &mut Command) -> Result<Self, Error> {
        let child = command.spawn().map_err(|source| Error::Start {
            name: name.to_owned(),
            source,
        })?;
        Ok(Self {
            child,
            name: name.to_owned(),
            has_ended: false,
            output: None,
        })
    }

    /// The name in failures.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.read(0)
    }

    /// The standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.read(1)
    }

    fn read(&self, stream: usize) -> String {
        let mut bytes = Vec::new();
        if let Some(files) = &self.output {
            let mut chunk = [0; 8192];
            // The process writes at the position of the file, which this leaves alone.
            while let Ok(length @ 1..) = files[stream].read_at(&mut chunk, bytes.len() as u64) {
                bytes.extend_from_slice(&chunk[..length]);
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of standard error.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> String {
        let log = self.stderr();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// The exit status, once the process has ended.
    ///
    /// # Errors
    /// The system does not report it.
    pub fn status(&mut self) -> Result<Option<ExitStatus>, Error> {
        let status = self.child.try_wait();
        let status = status.map_err(Error::of("read an exit status"))?;
        self.has_ended |= status.is_some();
        Ok(status)
    }

    /// Fails if the process has ended.
    ///
    /// # Errors
    /// [`Error::Ended`].
    pub fn check(&mut self) -> Result<(), Error> {
        match self.status()? {
            None => Ok(()),
            Some(status) => Err(self.ended(status)),
        }
    }

    /// True if the process, which has to run, listens on `address`.
    ///
    /// # Errors
    /// [`Error::Ended`].
    pub fn is_listening(&mut self, address: SocketAddr) -> Result<bool, Error> {
        self.check()?;
        Ok(TcpStream::connect_timeout(&address, CONNECT_MAX).is_ok())
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// [`Error::Timeout`].
    pub fn wait(&mut self, timeout: Duration) -> Result<ExitStatus, Error> {
        let event = format!("end of {}", self.name);
        until(&event, Polling::of(timeout), || self.status())
    }

    /// Sends SIGTERM, and waits for a successful end.
    ///
    /// # Errors
    /// [`Error::Timeout`], or [`Error::Ended`] with another status.
    pub fn end(mut self, timeout: Duration) -> Result<(), Error> {
        self.terminate()?;
        match self.wait(timeout)? {
            status if status.success() => Ok(()),
            status => Err(self.ended(status)),
        }
    }

    /// Kills the process, as `kill -9` does, and waits until it has ended.
    pub fn kill(&mut self) {
        // Both fail if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.has_ended = true;
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// The process has ended.
    pub fn terminate(&self) -> Result<(), Error> {
        self.signal(Signal::TERM)
    }

    /// Sends SIGINT, as Ctrl-C does.
    ///
    /// # Errors
    /// The process has ended.
    pub fn interrupt(&self) -> Result<(), Error> {
        self.signal(Signal::INT)
    }

    /// Suspends the process: its connections stay open without replies. Returns once all of its
    /// threads have stopped.
    ///
    /// # Errors
    /// The process has ended.
    pub fn suspend(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)?;
        let id = Pid::from_child(&self.child);
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let event = format!("{} stops", self.name);
        until(&event, Polling::of(STOP_MAX), || {
            let status = waitid(WaitId::Pid(id), stopped);
            let status = status.map_err(Error::of(format!("wait until {event}")))?;
            Ok(status.map(drop))
        })
    }

    /// Continues after [`Process::suspend`].
    ///
    /// # Errors
    /// The process has ended.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let sent = match self.has_ended {
            true => Err(Errno::SRCH),
            false => kill_process(Pid::from_child(&self.child), signal),
        };
        sent.map_err(Error::of(format!("send a signal to {}", self.name)))
    }

    fn ended(&self, status: ExitStatus) -> Error {
        let log = match self.last_lines(LOG_LINES_SHOWN) {
            lines if lines.is_empty() => lines,
            lines => format!(":\n{lines}"),
        };
        Error::Ended {
            name: self.name.clone(),
            status,
            log,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback address whose port was free a moment ago.
///
/// # Errors
/// The system has no free port.
pub fn free_address() -> Result<SocketAddr, Error> {
    Ok(free_addresses(1)?[0])
}

/// Distinct loopback addresses whose ports were free a moment ago. Another process may take one
/// before a server does; then the server ends, and its owner may try another.
///
/// # Errors
/// The system has too few free ports.
pub fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, Error> {
    let listeners = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listeners: io::Result<Vec<_>> = listeners.collect();
    let addresses = listeners.and_then(|all| all.iter().map(TcpListener::local_addr).collect());
    addresses.map_err(Error::of("find a free port"))
}
