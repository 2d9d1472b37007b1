//! A host under measurement, and the commands that speak to it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::get;
use super::process::{Process, free_address};
use super::wait::{self, Patience};
use crate::command::{output, run};

/// How long a host may take to listen, with all that it has to compile.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A running `weft up`.
pub(super) struct Weft {
    process: Process,
    binary: PathBuf,
    data: PathBuf,
    pub(super) http: SocketAddr,
}

/// What `weft call -o json` answers.
#[derive(Debug, Deserialize)]
pub(super) struct Called {
    pub(super) result: Option<String>,
    pub(super) elapsed_us: u64,
}

/// What `weft call --repeat -o json` answers.
#[derive(Debug, Deserialize)]
struct Repeated {
    times: Times,
}

#[derive(Debug, Deserialize)]
struct Times {
    median_ns: u64,
}

/// A row of `weft get components -o json`.
#[derive(Debug, Deserialize)]
pub(super) struct ComponentRow {
    /// Whether its code is in memory.
    pub(super) loaded: bool,
}

/// A row of `weft get hosts -o json`.
#[derive(Debug, Deserialize)]
struct HostRow {
    status: String,
}

impl Weft {
    /// Starts a host that keeps its data in `data`, and does not wait for it.
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
        wait::until("`weft up` starts", Patience::of(START_TIMEOUT), || {
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
        // What it prints has a line for every component and every route; mistakes go elsewhere.
        run(command.args(manifests).stdout(Stdio::null()))
    }

    /// Calls a function; answers its result and the time it took on the host.
    pub(super) fn call(&self, component: &str, expression: &str) -> Result<Called> {
        let reply = self.command(&["call", component, expression, "-o", "json"])?;
        serde_json::from_str(&reply).context("`weft call` does not answer as expected")
    }

    /// Calls a function so many times, each time as a request of its own; answers the median of the
    /// nanoseconds that one took on the host.
    pub(super) fn median_call(&self, component: &str, expression: &str, count: u32) -> Result<f64> {
        let count = count.to_string();
        let arguments = [
            "call", component, expression, "--repeat", &count, "-o", "json",
        ];
        let reply = self.command(&arguments)?;
        let repeated: Repeated = serde_json::from_str(&reply)
            .context("`weft call --repeat` does not answer as expected")?;
        Ok(f64::from(u32::try_from(repeated.times.median_ns)?))
    }

    /// How many hosts of the lattice are ready, as this one sees it.
    pub(super) fn ready_hosts(&self) -> Result<usize> {
        let rows = self.command(&["get", "hosts", "-o", "json"])?;
        let rows: Vec<HostRow> =
            serde_json::from_str(&rows).context("`weft get hosts` does not answer as expected")?;
        Ok(rows.iter().filter(|row| row.status == "ready").count())
    }

    /// The deployed components.
    pub(super) fn components(&self) -> Result<Vec<ComponentRow>> {
        let rows = self.command(&["get", "components", "-o", "json"])?;
        serde_json::from_str(&rows).context("`weft get components` does not answer as expected")
    }

    /// Waits until a path is answered with 200.
    pub(super) fn wait_for(&mut self, path: &str, patience: Patience) -> Result<()> {
        let (process, http) = (&mut self.process, self.http);
        wait::until(&format!("`{path}` is served"), patience, || {
            process.check()?;
            Ok(get::try_get(http, path)?.filter(|answer| answer.status == 200))
        })?;
        Ok(())
    }

    /// Ends the host in order.
    pub(super) fn end(self) -> Result<()> {
        self.process.end()
    }

    fn command(&self, arguments: &[&str]) -> Result<String> {
        output(&mut self.prepare(arguments))
    }

    fn prepare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--data-dir").arg(&self.data);
        // An address meant for another host must not be asked.
        command.env_remove("WEFT_ADMIN");
        command
    }
}
