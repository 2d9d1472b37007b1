//! A NATS server of a test's own: on a free port of loopback, with JetStream in a temporary directory.

use std::net::{SocketAddr, TcpListener, TcpStream};
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
}

impl Nats {
    /// Starts a server.
    ///
    /// # Panics
    /// If it does not take connections in time.
    #[must_use]
    pub fn start() -> Self {
        Self::configured("")
    }

    /// Starts a server with more configuration than a test's own.
    ///
    /// # Panics
    /// If it does not take connections in time.
    #[must_use]
    pub fn configured(configuration: &str) -> Self {
        let mut nats = Self {
            process: None,
            address: free_address(),
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        let file = nats.directory.path().join("nats.conf");
        std::fs::write(file, configuration).expect("a file can be written");
        nats.start_again();
        nats
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
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

    /// Starts it after [`Nats::kill`], on the same port and with the files it had.
    ///
    /// # Panics
    /// If it does not take connections in time.
    pub fn start_again(&mut self) {
        let mut command = Command::new("nats-server");
        let port = self.address.port().to_string();
        command.args(["-a", "127.0.0.1", "-p", &port, "-js", "-sd"]);
        command.arg(self.directory.path());
        command
            .arg("-c")
            .arg(self.directory.path().join("nats.conf"));
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
