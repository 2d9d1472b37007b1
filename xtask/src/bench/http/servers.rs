//! The servers that answer `hello`, all of them running while they are measured in turn.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bench::get;
use crate::bench::process::{Process, free_address};
use crate::bench::scratch::Scratch;
use crate::bench::tools::{Tools, ensure_wasmtime};
use crate::bench::wait::Patience;
use crate::bench::weft::Weft;

const START_PATIENCE: Patience = Patience::of(Duration::from_secs(60));

/// More requests than a run has, so that no instance ends before its time.
const REQUESTS_PER_INSTANCE: &str = "1000000";

/// Longer than one server waits for its turn.
const IDLE_SECONDS: &str = "60s";

/// A server and how it runs the guest.
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

/// Running servers; they end when this is dropped.
pub(super) struct Servers {
    weft: [(Kind, Weft); 2],
    others: [(Kind, Process, SocketAddr); 3],
    // After the processes that write into it.
    _scratch: Scratch,
}

impl Servers {
    /// Starts all of them and sees that they give the same answer.
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
        servers.check_answers()?;
        Ok(servers)
    }

    /// All servers, with Weft and what it is compared with next to each other.
    ///
    /// # Errors
    ///
    /// If one has ended.
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

    /// Bodies and headers are the same, or the comparison would be one of sizes.
    fn check_answers(&self) -> Result<()> {
        let mut first: Option<(Kind, Vec<String>)> = None;
        for (kind, address) in self.addresses() {
            let answer = shape(&get::until_ok(address, "/", START_PATIENCE)?.text);
            match &first {
                None => first = Some((kind, answer)),
                Some((other, expected)) => ensure!(
                    answer == *expected,
                    "{kind} answers {answer:?}, {other} answers {expected:?}"
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

/// An answer without its date, its headers in one order.
fn shape(answer: &str) -> Vec<String> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
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
    fn answers_that_differ_in_date_and_order_have_the_same_shape() {
        let one = "HTTP/1.1 200 OK\r\nDate: now\r\nA: 1\r\nb: 2\r\n\r\nhello";
        let other = "HTTP/1.1 200 OK\r\nb: 2\r\na: 1\r\ndate: then\r\n\r\nhello";
        assert_eq!(shape(one), shape(other));
        assert_ne!(shape(one), shape("HTTP/1.1 200 OK\r\n\r\nhello"));
    }
}
