//! A NATS server on loopback, with its files in a directory.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Error, Polling, Process, until};

/// The time limit of a start. It takes 30 ms on an idle machine.
const START_MAX: Duration = Duration::from_secs(30);

/// The time limit of a greeting over loopback.
const GREETING_MAX: Duration = Duration::from_millis(200);

/// The first bytes that a server sends to a client.
const GREETING: [u8; 5] = *b"INFO ";

/// A server that keeps its address and its files when it is killed and started again. The process
/// is killed on drop; `D` owns the directory.
///
/// Clusters, gateways, limits and users are lines of the server's own configuration.
#[derive(Debug)]
pub struct NatsServer<D = PathBuf> {
    process: Option<Process>,
    address: SocketAddr,
    /// True if the server stores streams, from its next start on.
    pub has_jetstream: bool,
    directory: D,
}

impl<D: AsRef<Path>> NatsServer<D> {
    /// Prepares a server with JetStream that is not started yet.
    ///
    /// # Errors
    /// The configuration cannot be written into `directory`.
    pub fn new(directory: D, address: SocketAddr, configuration: &str) -> Result<Self, Error> {
        let server = Self {
            process: None,
            address,
            has_jetstream: true,
            directory,
        };
        let written = fs::create_dir_all(server.directory.as_ref())
            .and_then(|()| fs::write(server.configuration(), configuration));
        written.map_err(Error::of("write a NATS configuration"))?;
        Ok(server)
    }

    /// The address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The folder with the streams.
    pub fn jetstream_directory(&self) -> PathBuf {
        self.directory.as_ref().join("jetstream")
    }

    /// Starts the server, with the files of earlier starts, and waits until it listens.
    ///
    /// # Errors
    /// The server is not installed, ends, or does not listen in time.
    pub fn start(&mut self) -> Result<(), Error> {
        self.spawn()?;
        until("start of `nats-server`", Polling::of(START_MAX), || {
            Ok(self.is_listening()?.then_some(()))
        })
    }

    /// Starts the server without waiting for it.
    ///
    /// # Errors
    /// The server is not installed.
    pub fn spawn(&mut self) -> Result<(), Error> {
        let directory = self.directory.as_ref();
        let mut command = Command::new("nats-server");
        let port = self.address.port().to_string();
        command.args(["-a", "127.0.0.1", "-p", &port, "-c"]);
        command.arg(self.configuration());
        if self.has_jetstream {
            command.arg("-js").arg("-sd").arg(directory);
        }
        let output = directory.join("nats-server");
        self.process = Some(Process::start("`nats-server`", &mut command, &output)?);
        Ok(())
    }

    /// True if the server greets a client.
    ///
    /// # Errors
    /// The server has ended.
    pub fn is_listening(&mut self) -> Result<bool, Error> {
        let Some(process) = &mut self.process else {
            return Ok(false);
        };
        process.check()?;
        // The port may be that of another process, and the server about to notice.
        let greeting = || {
            let mut stream = TcpStream::connect_timeout(&self.address, GREETING_MAX)?;
            stream.set_read_timeout(Some(GREETING_MAX))?;
            let mut bytes = [0; GREETING.len()];
            stream.read_exact(&mut bytes)?;
            std::io::Result::Ok(bytes)
        };
        Ok(greeting().is_ok_and(|bytes| bytes == GREETING))
    }

    /// Kills the process, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Takes the process out: dropping it kills it.
    pub fn take_process(&mut self) -> Option<Process> {
        self.process.take()
    }

    /// The process, unless it was killed.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    fn configuration(&self) -> PathBuf {
        self.directory.as_ref().join("nats.conf")
    }
}
