//! A NATS server of a test's own: on a free port of loopback, with JetStream in a temporary directory.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Process;
use crate::wait::{PATIENCE, eventually};

/// How long one look at the port may take.
const LOOK: Duration = Duration::from_millis(200);

/// A server that runs until the test ends.
#[derive(Debug)]
pub struct Nats {
    process: Option<Process>,
    address: SocketAddr,
    directory: TempDir,
    has_jetstream: bool,
}

impl Nats {
    /// Starts a server.
    ///
    /// # Panics
    /// If it does not take connections in time.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("", true)
    }

    /// Starts a server that stores nothing: it has no JetStream.
    ///
    /// # Panics
    /// If it does not take connections in time.
    #[must_use]
    pub fn start_without_jetstream() -> Self {
        Self::start_with("", false)
    }

    /// Starts a server with these lines of configuration.
    ///
    /// # Panics
    /// If it does not take connections in time.
    #[must_use]
    pub fn start_configured(lines: &str) -> Self {
        Self::start_with(lines, true)
    }

    fn start_with(lines: &str, has_jetstream: bool) -> Self {
        let mut nats = Self {
            process: None,
            address: free_address(),
            directory: tempfile::tempdir().expect("a temporary directory"),
            has_jetstream,
        };
        std::fs::write(nats.configuration(), lines).expect("a temporary file");
        nats.start_again();
        nats
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it has JetStream, from the next start on. With it come the files that it had.
    pub fn set_has_store(&mut self, has_store: bool) {
        self.has_jetstream = has_store;
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("nats.conf")
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Stops it in its tracks: connections stay, and nothing is answered.
    ///
    /// # Panics
    /// If it does not run.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Ends [`Nats::freeze`].
    ///
    /// # Panics
    /// If it does not run.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("the server runs");
        let id = process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("`kill` runs").success());
    }

    /// Starts it after [`Nats::kill`], on the same port and with the files it had.
    ///
    /// # Panics
    /// If it does not take connections in time.
    pub fn start_again(&mut self) {
        let mut command = Command::new("nats-server");
        let port = self.address.port().to_string();
        command.args(["-a", "127.0.0.1", "-p", &port, "-c"]);
        command.arg(self.configuration());
        if self.has_jetstream {
            command.args(["-js", "-sd"]).arg(self.directory.path());
        }
        let mut process = Process::spawn(command);
        eventually("the NATS server takes connections", PATIENCE, || {
            assert!(
                !process.has_ended(),
                "the NATS server ended while it started:\n{}",
                process.stderr()
            );
            let connected = TcpStream::connect_timeout(&self.address, LOOK);
            connected.map(drop).map_err(|error| error.to_string())
        });
        self.process = Some(process);
    }
}

/// An address that nothing listened on a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound")
}
