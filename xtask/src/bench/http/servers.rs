//! The HTTP servers under measurement. All of them run the whole time.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bench::http_client;
use crate::bench::process::{Process, free_address};
use crate::bench::scratch::Scratch;
use crate::bench::tools::{Tools, ensure_wasmtime};
use crate::bench::wait::Polling;
use crate::bench::weft::Weft;

const START_POLLING: Polling = Polling::of(Duration::from_secs(60));

/// More requests than a run has, so that instances last for the run.
const REQUESTS_PER_INSTANCE: &str = "1000000";

/// Longer than a server is idle between two turns.
const IDLE_SECONDS: &str = "60s";

/// A server, and the lifetime of its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A new instance for every request.
    WeftFresh,
    /// An instance serves one request after another.
    WeftReuse,
    /// No guest.
    BareHyper,
    /// `wasmtime serve` with a new instance for every request.
    WasmtimeFresh,
    /// `wasmtime serve` where an instance serves one request after another.
    WasmtimeReuse,
}

/// The running servers, which end on drop.
pub(super) struct Servers {
    weft: [(Kind, Weft); 2],
    others: [(Kind, Process, SocketAddr); 3],
    // Dropped after the processes that write into it.
    _scratch: Scratch,
}

impl Servers {
    /// Starts all servers and checks that they send the same response.
    pub(super) fn start(tools: &Tools) -> Result<Self> {
        let scratch = Scratch::new("http")?;
        let reuse = format!(
            "{{reuse: {{max-requests: {REQUESTS_PER_INSTANCE}, max-idle: {IDLE_SECONDS}}}}}"
        );
        let fresh = weft(tools, &scratch, Kind::WeftFresh, "per-request")?;
        let reuse = weft(tools, &scratch, Kind::WeftReuse, &reuse)?;
        let servers = Self {
            weft: [fresh, reuse],
            others: [
                other(tools, &scratch, Kind::BareHyper)?,
                other(tools, &scratch, Kind::WasmtimeFresh)?,
                other(tools, &scratch, Kind::WasmtimeReuse)?,
            ],
            _scratch: scratch,
        };
        servers.check_responses()?;
        Ok(servers)
    }

    /// The addresses of all servers, each Weft beside its baselines.
    ///
    /// # Errors
    ///
    /// If a server has ended.
    pub(super) fn all(&mut self) -> Result<[(Kind, SocketAddr); 5]> {
        for (_, weft) in &mut self.weft {
            weft.check()?;
        }
        for (_, process, _) in &mut self.others {
            process.check()?;
        }
        Ok(self.addresses())
    }

    fn addresses(&self) -> [(Kind, SocketAddr); 5] {
        let [fresh, reuse] = self.weft.each_ref().map(|(kind, weft)| (*kind, weft.http));
        let [hyper, serve_fresh, serve_reuse] = self
            .others
            .each_ref()
            .map(|(kind, _, address)| (*kind, *address));
        [fresh, serve_fresh, reuse, hyper, serve_reuse]
    }

    /// Compares bodies and headers: responses of different sizes would not be comparable.
    fn check_responses(&self) -> Result<()> {
        let mut first: Option<(Kind, Vec<String>)> = None;
        for (kind, address) in self.addresses() {
            let response = shape(&http_client::until_ok(address, "/", START_POLLING)?.text);
            match &first {
                None => first = Some((kind, response)),
                Some((other, expected)) => ensure!(
                    response == *expected,
                    "{kind} sends {response:?}, {other} sends {expected:?}"
                ),
            }
        }
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::WeftFresh => "weft fresh",
            Self::WeftReuse => "weft reuse",
            Self::BareHyper => "bare hyper",
            Self::WasmtimeFresh => "wasmtime serve fresh",
            Self::WasmtimeReuse => "wasmtime serve reuse",
        })
    }
}

fn weft(tools: &Tools, scratch: &Scratch, kind: Kind, instances: &str) -> Result<(Kind, Weft)> {
    let name = kind.to_string().replace(' ', "-");
    let manifest = scratch.write(
        &format!("{name}.yaml"),
        manifest(&tools.guest("hello-http"), instances),
    )?;
    let data = scratch.path().join(name);
    Ok((kind, Weft::spawn(&tools.weft, &data, &[&manifest])?))
}

fn manifest(guest: &Path, instances: &str) -> String {
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: hello}}\nspec:\n  \
         components:\n  - {{name: hello, source: {{file: '{}'}}, instances: {instances}}}\n  \
         routes:\n  - {{path: /, to: hello}}\n",
        guest.display()
    )
}

fn other(tools: &Tools, scratch: &Scratch, kind: Kind) -> Result<(Kind, Process, SocketAddr)> {
    let address = free_address()?;
    let mut command = if kind == Kind::BareHyper {
        let mut command = Command::new(&tools.bare_hyper);
        command.arg(address.to_string());
        command
    } else {
        let mut command = Command::new(ensure_wasmtime()?);
        command.args(["serve", "-Scli", "--addr", &address.to_string()]);
        if kind == Kind::WasmtimeReuse {
            command.args(["--max-instance-reuse-count", REQUESTS_PER_INSTANCE]);
            command.args(["--idle-instance-timeout", IDLE_SECONDS]);
        }
        command.arg(tools.guest("hello-http"));
        command
    };
    let name = kind.to_string();
    let log = scratch.path().join(format!("{name}.log"));
    Ok((kind, Process::start(&name, &mut command, log)?, address))
}

/// A response without its date, its headers sorted.
fn shape(response: &str) -> Vec<String> {
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((response, ""));
    let mut lines: Vec<String> = head.lines().map(str::to_ascii_lowercase).collect();
    lines.retain(|line| !line.starts_with("date:"));
    lines.sort();
    lines.push(body.to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_that_differ_in_date_and_order_have_the_same_shape() {
        let one = "HTTP/1.1 200 OK\r\nDate: now\r\nA: 1\r\nb: 2\r\n\r\nhello";
        let other = "HTTP/1.1 200 OK\r\nb: 2\r\na: 1\r\ndate: then\r\n\r\nhello";
        assert_eq!(shape(one), shape(other));
        assert_ne!(shape(one), shape("HTTP/1.1 200 OK\r\n\r\nhello"));
    }
}
