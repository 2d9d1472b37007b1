//! A host as a process of its own, and `weft` commands against it.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use weft_harness::http::Request;
use weft_harness::{Polling, Process, free_address, until, weft};

use crate::command::{output, print_command, run};
use crate::signals::Signals;

/// The port of a host for people, if it is free.
const USUAL_PORT: u16 = 8080;

/// The time for a host to take commands: a debug build takes some seconds to compile an app.
const START_MAX: Duration = Duration::from_secs(120);

/// The time between two requests to a host that starts: each is a process.
const START_PERIOD: Duration = Duration::from_millis(50);

/// The time for a host to end: its drain deadline, with a margin.
const STOP_MAX: Duration = Duration::from_secs(40);

/// A running host, killed on drop.
pub(crate) struct Host {
    pub(crate) process: Process,
    weft: PathBuf,
    data: PathBuf,
    /// The address for HTTP requests.
    pub(crate) http: SocketAddr,
}

impl Host {
    /// Starts a host with the log and the settings of this process, and waits until it takes
    /// commands.
    ///
    /// # Errors
    /// If it ends or does not take commands in time, or at a signal.
    pub(crate) fn start_attached(weft: &Path, data: &Path, signals: &Signals) -> Result<Self> {
        let http = address_with(USUAL_PORT)?;
        let mut command = weft::up(Command::new(weft), data, &http.to_string());
        // A terminal sends Ctrl-C to a whole process group. This process forwards it once: a second
        // signal would abort requests.
        command.stdin(Stdio::null()).process_group(0);
        print_command(&command);
        let process = Process::start_attached("the host", &mut command)?;
        let mut host = Self::of(process, weft, data, http);
        host.wait_until_started(|| {
            ensure!(!signals.received(), "interrupted while the host started");
            Ok(())
        })?;
        Ok(host)
    }

    /// Starts a host with its log in a file beside `data`, and waits until it takes commands.
    pub(crate) fn start(weft: &Path, data: &Path, arguments: &[&str]) -> Result<Self> {
        let mut host = Self::spawn(weft, data, arguments)?;
        host.wait_until_started(|| Ok(()))?;
        Ok(host)
    }

    /// Starts a host with its log in a file beside `data`, without waiting for it.
    pub(crate) fn spawn<A: AsRef<OsStr>>(
        weft: &Path,
        data: &Path,
        arguments: &[A],
    ) -> Result<Self> {
        let http = free_address()?;
        let mut command = weft::up(weft::command(weft), data, &http.to_string());
        let process = Process::start("`weft up`", command.args(arguments), data)?;
        Ok(Self::of(process, weft, data, http))
    }

    fn of(process: Process, weft: &Path, data: &Path, http: SocketAddr) -> Self {
        let (weft, data) = (weft.to_owned(), data.to_owned());
        Self {
            process,
            weft,
            data,
            http,
        }
    }

    fn wait_until_started(&mut self, check: impl Fn() -> Result<()>) -> Result<()> {
        let polling = Polling {
            timeout: START_MAX,
            period: START_PERIOD,
        };
        until("start of the host", polling, || {
            check()?;
            self.process.check()?;
            Ok(self.query(&["get", "hosts"]).ok().map(drop))
        })
    }

    /// Waits until the status of a path is 200.
    pub(crate) fn wait_for(&mut self, path: &str, polling: Polling) -> Result<()> {
        until(&format!("status 200 of `{path}`"), polling, || {
            self.process.check()?;
            let response = Request::get(path).try_send(self.http);
            Ok(response.is_ok_and(|it| it.status == 200).then_some(()))
        })
    }

    /// Prints a `weft` command against this host, and runs it.
    pub(crate) fn weft(&self, arguments: &[&str]) -> Result<()> {
        run(self.command(arguments).stdin(Stdio::null()))
    }

    /// The output of a `weft` command against this host.
    pub(crate) fn query(&self, arguments: &[&str]) -> Result<String> {
        output(&mut self.command(arguments))
    }

    /// A `weft` command against this host.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        weft::client(weft::command(&self.weft), &self.data, arguments)
    }

    /// The command line of a `weft` command against this host.
    pub(crate) fn weft_line(&self, arguments: &str) -> String {
        let (weft, data) = (self.weft.display(), self.data.display());
        format!("{weft} {arguments} --data-dir {data}")
    }

    /// Drains the host at the first signal; a second one aborts requests.
    ///
    /// # Errors
    /// If the host ends by itself, does not end in time, or fails.
    pub(crate) fn run_until_signal(mut self, signals: &Signals) -> Result<()> {
        until("a signal", Polling::of(Duration::MAX), || {
            self.process.check()?;
            anyhow::Ok(signals.received().then_some(()))
        })?;
        self.process.terminate()?;
        let status = until("end of the host", Polling::of(STOP_MAX), || {
            if signals.received() {
                self.process.terminate()?;
            }
            anyhow::Ok(self.process.status()?)
        })?;
        ensure!(status.success(), "the host ended with {status}");
        Ok(())
    }

    /// Drains the host, and waits for its end.
    ///
    /// # Errors
    /// If it does not end in time, or fails.
    pub(crate) fn end(self) -> Result<()> {
        Ok(self.process.end(STOP_MAX)?)
    }
}

/// A local address with the usual port, or with a free one if that is taken.
fn address_with(usual: u16) -> Result<SocketAddr> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, usual)) {
        Ok(listener) => Ok(listener.local_addr()?),
        Err(_) => Ok(free_address()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(address_with(port).unwrap().port(), port);
    }
}
