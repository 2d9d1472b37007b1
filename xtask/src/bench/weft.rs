//! A host under measurement, and `weft` commands against it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::http_client;
use super::process::{Process, free_address};
use super::wait::{self, Polling};
use crate::command::{output, run};

/// The time for a host to listen, compilation included.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A running `weft up`.
pub(super) struct Weft {
    process: Process,
    binary: PathBuf,
    data: PathBuf,
    pub(super) http: SocketAddr,
}

/// The output of `weft call -o json`.
#[derive(Debug, Deserialize)]
pub(super) struct CallReport {
    pub(super) result: Option<String>,
    pub(super) elapsed_us: u64,
}

/// The output of `weft call --repeat -o json`.
#[derive(Debug, Deserialize)]
struct RepeatReport {
    times: Times,
}

#[derive(Debug, Deserialize)]
struct Times {
    median_ns: u64,
}

/// A row of `weft get components -o json`.
#[derive(Debug, Deserialize)]
pub(super) struct ComponentRow {
    /// True while its code is in memory.
    pub(super) loaded: bool,
}

/// A row of `weft get hosts -o json`.
#[derive(Debug, Deserialize)]
struct HostRow {
    status: String,
}

impl Weft {
    /// Starts a host with the data directory `data`, without waiting for it.
    pub(super) fn spawn(binary: &Path, data: &Path, manifests: &[&Path]) -> Result<Self> {
        let files = manifests
            .iter()
            .flat_map(|file| [OsStr::new("-f"), file.as_os_str()]);
        Self::spawn_with(binary, data, &files.collect::<Vec<_>>())
    }

    fn spawn_with(binary: &Path, data: &Path, arguments: &[&OsStr]) -> Result<Self> {
        let http = free_address()?;
        let mut command = Command::new(binary);
        command
            .args(["up", "--http", &http.to_string(), "--admin", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data)
            .args(arguments);
        let process = Process::start("`weft up`", &mut command, data.with_extension("log"))?;
        Ok(Self {
            process,
            binary: binary.to_owned(),
            data: data.to_owned(),
            http,
        })
    }

    /// Starts a host and waits until it takes commands.
    pub(super) fn start(binary: &Path, data: &Path) -> Result<Self> {
        Self::start_with(binary, data, &[])
    }

    /// Starts a host with further flags, and waits until it takes commands.
    pub(super) fn start_with(binary: &Path, data: &Path, flags: &[&str]) -> Result<Self> {
        let flags: Vec<_> = flags.iter().map(OsStr::new).collect();
        let mut weft = Self::spawn_with(binary, data, &flags)?;
        wait::until("start of `weft up`", Polling::of(START_TIMEOUT), || {
            weft.process.check()?;
            Ok(weft.command(&["get", "hosts"]).ok())
        })?;
        Ok(weft)
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Fails if the host has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// Deploys apps whose manifests are these files.
    pub(super) fn deploy(&self, manifests: &[PathBuf]) -> Result<()> {
        let mut command = self.prepare(&["deploy"]);
        // Standard output has a line for every component and route; errors go to standard error.
        run(command.args(manifests).stdout(Stdio::null()))
    }

    /// Calls a function; returns its result and its time on the host.
    pub(super) fn call(&self, component: &str, expression: &str) -> Result<CallReport> {
        let reply = self.command(&["call", component, expression, "-o", "json"])?;
        serde_json::from_str(&reply).context("unexpected output of `weft call`")
    }

    /// Calls a function `count` times, each time as a request of its own; returns the median of the
    /// nanoseconds of a call on the host.
    pub(super) fn median_call(&self, component: &str, expression: &str, count: u32) -> Result<f64> {
        let count = count.to_string();
        let arguments = [
            "call", component, expression, "--repeat", &count, "-o", "json",
        ];
        let reply = self.command(&arguments)?;
        let repeated: RepeatReport =
            serde_json::from_str(&reply).context("unexpected output of `weft call --repeat`")?;
        Ok(f64::from(u32::try_from(repeated.times.median_ns)?))
    }

    /// The number of ready hosts in this host's view of the lattice.
    pub(super) fn ready_hosts(&self) -> Result<usize> {
        let rows = self.command(&["get", "hosts", "-o", "json"])?;
        let rows: Vec<HostRow> =
            serde_json::from_str(&rows).context("unexpected output of `weft get hosts`")?;
        Ok(rows.iter().filter(|row| row.status == "ready").count())
    }

    /// The deployed components.
    pub(super) fn components(&self) -> Result<Vec<ComponentRow>> {
        let rows = self.command(&["get", "components", "-o", "json"])?;
        serde_json::from_str(&rows).context("unexpected output of `weft get components`")
    }

    /// Waits until the status of a path is 200.
    pub(super) fn wait_for(&mut self, path: &str, polling: Polling) -> Result<()> {
        let (process, http) = (&mut self.process, self.http);
        wait::until(&format!("status 200 of `{path}`"), polling, || {
            process.check()?;
            Ok(http_client::try_get(http, path)?.filter(|response| response.status == 200))
        })?;
        Ok(())
    }

    /// Drains the host and waits for its end.
    pub(super) fn end(self) -> Result<()> {
        self.process.end()
    }

    fn command(&self, arguments: &[&str]) -> Result<String> {
        output(&mut self.prepare(arguments))
    }

    fn prepare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--data-dir").arg(&self.data);
        // It may be the address of another host.
        command.env_remove("WEFT_ADMIN");
        command
    }
}
