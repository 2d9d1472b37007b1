//! A host as a process of its own, and `weft` commands against it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{run, start};
use crate::signals::Signals;

/// The time for a host to listen: a debug build takes some seconds to compile an app.
const START_MAX: Duration = Duration::from_secs(60);

/// The time for a host to end: its drain deadline, with a margin.
const STOP_MAX: Duration = Duration::from_secs(40);

/// The time between two checks of the process.
const POLL_PERIOD: Duration = Duration::from_millis(50);

/// A running host, killed on drop.
pub(crate) struct Host {
    child: Child,
    weft: PathBuf,
    /// The address for HTTP requests.
    pub(crate) http: SocketAddr,
    /// The address for `weft` commands.
    pub(crate) admin: SocketAddr,
    data: PathBuf,
}

impl Host {
    /// Starts `weft up` on free ports, and waits until it listens.
    ///
    /// # Errors
    /// If it ends or does not listen in time, or at a signal.
    pub(crate) fn start(weft: &Path, data: &Path, signals: &Signals) -> Result<Self> {
        let http = free_address(8080)?;
        let admin = free_address(7411)?;
        let mut command = Command::new(weft);
        command
            .arg("up")
            .args(["--http", &http.to_string(), "--admin", &admin.to_string()])
            .arg("--data-dir")
            .arg(data)
            .stdin(Stdio::null())
            // A terminal sends Ctrl-C to a whole process group. This process forwards it once: a
            // second signal would abort requests.
            .process_group(0);
        let mut host = Self {
            child: start(&mut command)?,
            weft: weft.to_owned(),
            http,
            admin,
            data: data.to_owned(),
        };
        host.wait_until_listening(signals)?;
        Ok(host)
    }

    /// Runs a `weft` command against this host.
    pub(crate) fn weft(&self, arguments: &[&str]) -> Result<()> {
        run(Command::new(&self.weft)
            .args(arguments)
            .args(self.address_flags())
            .stdin(Stdio::null()))
    }

    /// The command line of a `weft` command against this host.
    pub(crate) fn weft_line(&self, arguments: &str) -> String {
        let flags = self.address_flags().join(" ");
        format!("{} {arguments} {flags}", self.weft.display())
    }

    /// Waits for a signal for a short time, then checks the process.
    pub(crate) fn poll(&mut self, signals: &Signals) -> Result<Event> {
        let signal = signals.wait(POLL_PERIOD);
        Ok(match self.child.try_wait()? {
            Some(status) => Event::Ended(status),
            None if signal => Event::Signal,
            None => Event::Running,
        })
    }

    /// Sends SIGINT, like Ctrl-C.
    pub(crate) fn interrupt(&self) -> Result<()> {
        // A shell has `kill` even where there is no such program.
        let mut command = Command::new("sh");
        command.args(["-c", "kill -s INT \"$0\"", &self.child.id().to_string()]);
        let status = command.status().context("cannot start `sh`")?;
        if !status.success() {
            bail!("cannot send SIGINT to the host: {status}");
        }
        Ok(())
    }

    /// Sends SIGINT, and waits until the host has drained.
    ///
    /// # Errors
    /// If it does not end in time, or fails.
    pub(crate) fn stop(mut self, signals: &Signals) -> Result<()> {
        self.interrupt()?;
        let deadline = Instant::now() + STOP_MAX;
        while Instant::now() < deadline {
            match self.poll(signals)? {
                Event::Ended(status) if status.success() => return Ok(()),
                Event::Ended(status) => bail!("the host ended with {status}"),
                // A second signal aborts requests.
                Event::Signal => self.interrupt()?,
                Event::Running => {}
            }
        }
        bail!("the host did not end within {STOP_MAX:?}");
    }

    fn wait_until_listening(&mut self, signals: &Signals) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        let listens = |address| TcpStream::connect_timeout(&address, POLL_PERIOD).is_ok();
        while Instant::now() < deadline {
            if listens(self.admin) && listens(self.http) {
                return Ok(());
            }
            match self.poll(signals)? {
                Event::Ended(status) => bail!("the host ended while it started: {status}"),
                Event::Signal => bail!("interrupted while the host started"),
                Event::Running => {}
            }
        }
        bail!("the host does not listen after {START_MAX:?}");
    }

    fn address_flags(&self) -> [String; 4] {
        [
            "--admin".to_owned(),
            self.admin.to_string(),
            "--data-dir".to_owned(),
            self.data.display().to_string(),
        ]
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // The error that led here is reported; this only leaves no process behind.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The state of a host after a short wait.
#[derive(Debug)]
pub(crate) enum Event {
    Ended(ExitStatus),
    /// It runs, and this process received a signal.
    Signal,
    Running,
}

/// A local address with the usual port, or with a free one if that is taken.
fn free_address(usual: u16) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, usual))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("cannot bind a free port")?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_address(port).unwrap().port(), port);
    }
}
