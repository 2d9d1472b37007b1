//! `weft` commands against a host under measurement.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::command::run;
use crate::host::Host;

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
    /// The requests and calls that have entered at it.
    pub(super) requests: u64,
}

/// A row of `weft get hosts -o json`.
#[derive(Debug, Deserialize)]
struct HostRow {
    status: String,
}

impl Host {
    /// Deploys apps whose manifests are these files.
    pub(in crate::bench) fn deploy(&self, manifests: &[PathBuf]) -> Result<()> {
        let mut command = self.command(&["deploy"]);
        // Standard output has a line for every component and route; errors go to standard error.
        run(command.args(manifests).stdout(Stdio::null()))
    }

    /// Calls a function; returns its result and its time on the host.
    pub(in crate::bench) fn call(&self, component: &str, expression: &str) -> Result<CallReport> {
        let reply = self.query(&["call", component, expression, "-o", "json"])?;
        serde_json::from_str(&reply).context("unexpected output of `weft call`")
    }

    /// Calls a function `count` times, each time as a request of its own; returns the median of the
    /// nanoseconds of a call on the host.
    pub(in crate::bench) fn median_call(
        &self,
        component: &str,
        expression: &str,
        count: u32,
    ) -> Result<f64> {
        let count = count.to_string();
        let arguments = [
            "call", component, expression, "--repeat", &count, "-o", "json",
        ];
        let reply = self.query(&arguments)?;
        let repeated: RepeatReport =
            serde_json::from_str(&reply).context("unexpected output of `weft call --repeat`")?;
        Ok(f64::from(u32::try_from(repeated.times.median_ns)?))
    }

    /// The number of ready hosts in this host's view of the lattice.
    pub(in crate::bench) fn ready_hosts(&self) -> Result<usize> {
        let rows = self.query(&["get", "hosts", "-o", "json"])?;
        let rows: Vec<HostRow> =
            serde_json::from_str(&rows).context("unexpected output of `weft get hosts`")?;
        Ok(rows.iter().filter(|row| row.status == "ready").count())
    }

    /// The requests and calls of all components since the start of the host.
    pub(in crate::bench) fn requests(&self) -> Result<u64> {
        let components = self.components()?;
        Ok(components.iter().map(|row| row.requests).sum())
    }

    /// The deployed components.
    pub(in crate::bench) fn components(&self) -> Result<Vec<ComponentRow>> {
        let rows = self.query(&["get", "components", "-o", "json"])?;
        serde_json::from_str(&rows).context("unexpected output of `weft get components`")
    }
}
