//! Server processes: their output goes to a file, and they end with the measurement.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::wait::{self, Polling};
use crate::command::output;

/// The time for a server to end after SIGTERM.
const END_TIMEOUT: Duration = Duration::from_secs(40);

/// The last lines of a server's output that an error repeats.
const OUTPUT_SHOWN_LINES: usize = 20;

/// A running process, killed on drop.
pub(super) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts a command whose output goes to `log`.
    pub(super) fn start(name: &str, command: &mut Command, log: PathBuf) -> Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            child,
            name: name.to_owned(),
            log,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the last lines of output if the process has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}): {}", self.name, self.last_lines()),
        }
    }

    /// Sends SIGTERM and waits for the end of the process.
    pub(super) fn end(mut self) -> Result<()> {
        output(Command::new("kill").args(["-TERM", &self.id().to_string()]))?;
        let event = format!("end of {}", self.name);
        let status = wait::until(&event, Polling::of(END_TIMEOUT), || {
            Ok(self.child.try_wait()?)
        })?;
        if !status.success() {
            bail!("{} ended ({status}): {}", self.name, self.last_lines());
        }
        Ok(())
    }

    fn last_lines(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(OUTPUT_SHOWN_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A free local address. Another process could take the port before the server does; then the
/// server reports it and the run fails.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}

/// The resident memory of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resident {
    pub(super) all_kib: u64,
    /// Memory without a file behind it, which the system cannot drop and read again.
    pub(super) anonymous_kib: u64,
}

/// Reads the memory of a process from `/proc`.
pub(super) fn resident(process: u32) -> Result<Resident> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    parse_resident(&status).with_context(|| format!("missing `VmRSS` or `RssAnon` in {file}"))
}

fn parse_resident(status: &str) -> Option<Resident> {
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some(Resident {
        all_kib: kib("VmRSS:")?,
        anonymous_kib: kib("RssAnon:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_read_from_the_status() {
        let status =
            "Name:\tweft\nVmRSS:\t   12345 kB\nRssAnon:\t    2345 kB\nRssFile:\t 10000 kB\n";
        let expected = Resident {
            all_kib: 12345,
            anonymous_kib: 2345,
        };
        assert_eq!(parse_resident(status), Some(expected));
        assert_eq!(parse_resident("Name:\tzombie\n"), None);
    }
}
