//! A host as a process of its own: started, waited for, spoken to with `weft`, drained.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{run, start};
use crate::signals::Signals;

/// How long a host may take to listen. A debug build that compiles an app anew takes some seconds.
const START_MAX: Duration = Duration::from_secs(60);

/// How long a host may take to end: its drain deadline, and room.
const STOP_MAX: Duration = Duration::from_secs(40);

/// How often it is looked whether something has happened.
const LOOK_PERIOD: Duration = Duration::from_millis(50);

/// A running host. It is ended when this is dropped.
pub(crate) struct Host {
    child: Child,
    weft: PathBuf,
    /// Where it takes requests.
    pub(crate) http: SocketAddr,
    /// Where `weft` reaches it.
    pub(crate) admin: SocketAddr,
    data: PathBuf,
}

impl Host {
    /// Starts `weft up` on ports that are free, and waits until it listens.
    ///
    /// # Errors
    /// If it ends or does not listen in time, or a signal comes.
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
            // A terminal sends Ctrl-C to a whole process group. The host hears of it from us, once: a
            // second signal would cut its requests off.
            .process_group(0);
        let mut host = Self {
            child: start(&mut command)?,
            weft: weft.to_owned(),
            http,
            admin,
            data: data.to_owned(),
        };
        host.listens(signals)?;
        Ok(host)
    }

    /// Runs `weft ARGUMENTS`, spoken to this host.
    pub(crate) fn weft(&self, arguments: &[&str]) -> Result<()> {
        run(Command::new(&self.weft)
            .args(arguments)
            .args(self.reach())
            .stdin(Stdio::null()))
    }

    /// How a command is typed that is spoken to this host.
    pub(crate) fn weft_line(&self, arguments: &str) -> String {
        let reach = self.reach().join(" ");
        format!("{} {arguments} {reach}", self.weft.display())
    }

    /// Says whether it has ended, and waits a little before that if it has not.
    pub(crate) fn ended(&mut self, signals: &Signals) -> Result<Event> {
        let signal = signals.wait(LOOK_PERIOD);
        Ok(match self.child.try_wait()? {
            Some(status) => Event::Ended(status),
            None if signal => Event::Signal,
            None => Event::Nothing,
        })
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) -> Result<()> {
        // A shell has `kill` even where there is no such program.
        let mut command = Command::new("sh");
        command.args(["-c", "kill -s INT \"$0\"", &self.child.id().to_string()]);
        let status = command.status().context("cannot start `sh`")?;
        if !status.success() {
            bail!("the host cannot be told to end: {status}");
        }
        Ok(())
    }

    /// Ends it, and waits until it has finished its requests.
    ///
    /// # Errors
    /// If it does not end in time, or says that it did not end well.
    pub(crate) fn stop(mut self, signals: &Signals) -> Result<()> {
        self.interrupt()?;
        let late = Instant::now() + STOP_MAX;
        while Instant::now() < late {
            match self.ended(signals)? {
                Event::Ended(status) if status.success() => return Ok(()),
                Event::Ended(status) => bail!("the host ended with {status}"),
                // Whoever asks a second time does not want to wait for requests.
                Event::Signal => self.interrupt()?,
                Event::Nothing => {}
            }
        }
        bail!("the host did not end within {STOP_MAX:?}");
    }

    fn listens(&mut self, signals: &Signals) -> Result<()> {
        let late = Instant::now() + START_MAX;
        let listens = |address| TcpStream::connect_timeout(&address, LOOK_PERIOD).is_ok();
        while Instant::now() < late {
            if listens(self.admin) && listens(self.http) {
                return Ok(());
            }
            match self.ended(signals)? {
                Event::Ended(status) => bail!("the host ended while it started: {status}"),
                Event::Signal => bail!("interrupted while the host started"),
                Event::Nothing => {}
            }
        }
        bail!("the host does not listen after {START_MAX:?}");
    }

    fn reach(&self) -> [String; 4] {
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
            // Something has failed already; what matters is that no process is left behind.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What happened to a host.
#[derive(Debug)]
pub(crate) enum Event {
    /// It has ended.
    Ended(ExitStatus),
    /// It runs, and this process was asked to end.
    Signal,
    /// It runs.
    Nothing,
}

/// The address with the usual port, or with a free one if that is taken.
fn free_address(usual: u16) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, usual))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("there is no free port")?;
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
