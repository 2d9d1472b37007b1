//! A NATS server for one test: on a free loopback port, with its files in a temporary directory.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, timeout};

/// Time limit for the server's greeting. It takes 30 ms on an idle machine.
const START_WAIT_MAX: Duration = Duration::from_secs(20);

/// Number of ports tried, in case another process takes one before the server starts.
const PORTS_TRIED_MAX: usize = 5;

/// A server process; killed on drop.
pub struct NatsServer {
    child: Option<Child>,
    port: u16,
    directory: TempDir,
}

impl NatsServer {
    /// Starts a server with JetStream and further lines of configuration.
    pub async fn start(configuration: &str) -> Self {
        let store = "jetstream { store_dir: \"DIRECTORY/jetstream\" }";
        Self::start_bare(&format!("{store}\n{configuration}")).await
    }

    /// Starts a server with only these lines of configuration; `DIRECTORY` in them is replaced by
    /// the server's own.
    pub async fn start_bare(configuration: &str) -> Self {
        for _ in 0..PORTS_TRIED_MAX {
            let mut server = Self {
                child: None,
                port: free_port(),
                directory: tempfile::tempdir().unwrap(),
            };
            let directory = server.directory.path().display().to_string();
            let text = configuration.replace("DIRECTORY", &directory);
            fs::write(server.directory.path().join("nats.conf"), text).unwrap();
            if server.try_start().await {
                return server;
            }
        }
        panic!("nats-server did not start on any of {PORTS_TRIED_MAX} ports");
    }

    /// The address for clients.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills the process, like a crash.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts the server after [`NatsServer::kill`], on the same port and with the same files.
    pub async fn restart(&mut self) {
        let deadline = Instant::now() + START_WAIT_MAX;
        while !self.try_start().await {
            assert!(
                Instant::now() < deadline,
                "nats-server did not restart in time"
            );
        }
    }

    /// Deletes the JetStream files; only while the server is killed.
    pub fn delete_jetstream_files(&self) {
        fs::remove_dir_all(self.directory.path().join("jetstream")).unwrap();
    }

    /// Suspends the process: connections stay open, and requests get no reply.
    pub fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Continues after [`NatsServer::suspend`].
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().unwrap();
        let status = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Starts the process and waits for its greeting; false if the process exited.
    async fn try_start(&mut self) -> bool {
        let log = fs::File::create(self.directory.path().join("log")).unwrap();
        let spawned = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-c"])
            .arg(self.directory.path().join("nats.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = match spawned {
            Ok(child) => Some(child),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!(
                    "missing `nats-server` in PATH: install it, for example with `apt-get install nats-server`"
                )
            }
            Err(error) => panic!("cannot start `nats-server`: {error}"),
        };
        let ready = timeout(START_WAIT_MAX, self.ready()).await;
        match ready {
            Ok(is_ready) => is_ready,
            Err(_) => panic!("nats-server sent no greeting; its log: {}", self.log()),
        }
    }

    async fn ready(&mut self) -> bool {
        let mut interval = interval(Duration::from_millis(10));
        loop {
            interval.tick().await;
            if self.child.as_mut().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)).await else {
                continue;
            };
            let mut line = String::new();
            let read = BufReader::new(stream).read_line(&mut line).await;
            if read.is_ok() && line.starts_with("INFO ") {
                return true;
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The process may have exited.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
