//! The processes of a local lattice, and their addresses.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, Kind};

/// The time limit for a process to listen.
const LISTEN_MAX: Duration = Duration::from_secs(30);

/// The interval of polls.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Starts a child process that ends with this process and writes to a log.
pub(super) fn spawn(mut command: Command, log: io::Result<File>) -> io::Result<Child> {
    let log = log?;
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
}

/// Kills a process, as `kill -9` does, if it runs.
pub(super) async fn kill(process: &mut Option<Child>) -> Result<(), Failure> {
    match process.take() {
        Some(mut process) => {
            let killed = process.kill().await;
            killed.map_err(|error| cannot("kill a process", &error))
        }
        None => Ok(()),
    }
}

/// Waits until a process listens.
///
/// # Errors
/// The process ends, or the time limit passes.
pub(super) async fn wait_until_listening(
    address: SocketAddr,
    name: &str,
    process: &mut Child,
) -> Result<(), Failure> {
    let deadline = Instant::now() + LISTEN_MAX;
    while TcpStream::connect(address).await.is_err() {
        if let Ok(Some(status)) = process.try_wait() {
            let message = format!("{name} exited during startup: {status}");
            return Err(Failure::new(Kind::Failed, message));
        }
        if Instant::now() > deadline {
            let message = format!("{name} does not listen after {} s", LISTEN_MAX.as_secs());
            return Err(Failure::new(Kind::Failed, message));
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Distinct addresses whose ports were free a moment ago.
pub(super) fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    let listeners = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listeners: Vec<_> = listeners.collect::<Result<_, _>>()?;
    listeners.iter().map(TcpListener::local_addr).collect()
}

/// Creates the failure of an action that the operating system rejected.
pub(super) fn cannot(action: &str, error: &io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot {action}")).caused_by(error)
}
