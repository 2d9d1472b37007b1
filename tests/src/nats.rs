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
    has_store: bool,
}

impl Nats {
    /// Starts a server.
    ///
    /// # Panics
    /// If it does not take connections in time.
    #[must_use]
    pub fn start() -> Self {
        let mut nats = Self {
            process: None,
            address: free_address(),
            directory: tempfile::tempdir().expect("a temporary directory"),
            has_store: true,
        };
        nats.start_again();
        nats
    }

    /// Whether it has JetStream, from the next start on. With it come the files that it had.
    pub fn set_has_store(&mut self, has_store: bool) {
        self.has_store = has_store;
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
        command.args(["-a", "127.0.0.1", "-p", &port]);
        if self.has_store {
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
