//! The processes of a drill's lattice, and the addresses that they listen on.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, Kind};

/// How long a process may take to listen.
const LISTEN_MAX: Duration = Duration::from_secs(30);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Starts a program that ends with this one, and writes to a log.
pub(super) fn spawn(mut command: Command, log: io::Result<File>) -> io::Result<Child> {
    let log = log?;
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
}

/// Ends a process as `kill -9` does, if it runs.
pub(super) async fn kill(process: &mut Option<Child>) -> Result<(), Failure> {
    match process.take() {
        Some(mut process) => {
            let killed = process.kill().await;
            killed.map_err(|error| cannot("end a process", &error))
        }
        None => Ok(()),
    }
}

/// Waits until a process listens.
///
/// # Errors
/// If it ends before, or takes too long.
pub(super) async fn listens(
    address: SocketAddr,
    what: &str,
    process: &mut Child,
) -> Result<(), Failure> {
    let deadline = Instant::now() + LISTEN_MAX;
    while TcpStream::connect(address).await.is_err() {
        if let Ok(Some(status)) = process.try_wait() {
            let message = format!("{what} ended while it started: {status}");
            return Err(Failure::new(Kind::Failed, message));
        }
        if Instant::now() > deadline {
            let message = format!("{what} does not listen after {} s", LISTEN_MAX.as_secs());
            return Err(Failure::new(Kind::Failed, message));
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Addresses that nothing listened on a moment ago, each another one.
pub(super) fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    let listeners = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listeners: Vec<_> = listeners.collect::<Result<_, _>>()?;
    listeners.iter().map(TcpListener::local_addr).collect()
}

/// What the system did not let the drill do.
pub(super) fn cannot(what: &str, error: &io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot {what}")).caused_by(error)
}
