//! The HTTP servers under measurement. All of them run the whole time.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use weft_harness::http::{Request, Response};
use weft_harness::{Polling, Process, free_address, until};

use crate::bench::scratch::Scratch;
use crate::bench::tools::{Tools, ensure_wasmtime};
use crate::host::Host;

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
    /// A guest of WASI 0.3, with a new instance for every request.
    WeftP3Fresh,
    /// A guest of WASI 0.3 whose instances serve one request after another.
    WeftP3Reuse,
    /// A guest of WASI 0.3 whose instances serve 16 requests at once.
    WeftP3Shared,
    /// `wasmtime serve` as it comes: an instance serves up to 16 requests at once.
    WasmtimeP3,
}

/// The running servers, which end on drop.
pub(super) struct Servers {
    weft: [(Kind, Host); 5],
    others: [(Kind, Process, SocketAddr); 4],
    // Dropped after the processes that write into it.
    _scratch: Scratch,
}

impl Servers {
    /// Starts all servers and checks that they send the same response.
    pub(super) fn start(tools: &Tools) -> Result<Self> {
        let scratch = Scratch::new("http")?;
        let reuse = format!("max-requests: {REQUESTS_PER_INSTANCE}, max-idle: {IDLE_SECONDS}");
        let shared = format!("{{reuse: {{{reuse}, concurrent: 16}}}}");
        let reuse = format!("{{reuse: {{{reuse}}}}}");
        let servers = Self {
            weft: [
                weft(tools, &scratch, Kind::WeftFresh, "per-request")?,
                weft(tools, &scratch, Kind::WeftReuse, &reuse)?,
                weft(tools, &scratch, Kind::WeftP3Fresh, "per-request")?,
                weft(tools, &scratch, Kind::WeftP3Reuse, &reuse)?,
                weft(tools, &scratch, Kind::WeftP3Shared, &shared)?,
            ],
            others: [
                other(tools, &scratch, Kind::BareHyper)?,
                other(tools, &scratch, Kind::WasmtimeFresh)?,
                other(tools, &scratch, Kind::WasmtimeReuse)?,
                other(tools, &scratch, Kind::WasmtimeP3)?,
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
    pub(super) fn all(&mut self) -> Result<[(Kind, SocketAddr); 9]> {
        for (_, weft) in &mut self.weft {
            weft.process.check()?;
        }
        for (_, process, _) in &mut self.others {
            process.check()?;
        }
        Ok(self.addresses())
    }

    fn addresses(&self) -> [(Kind, SocketAddr); 9] {
        let weft = self.weft.each_ref().map(|(kind, weft)| (*kind, weft.http));
        let [fresh, reuse, p3_fresh, p3_reuse, p3_shared] = weft;
        let [hyper, serve_fresh, serve_reuse, serve_p3] = self
            .others
            .each_ref()
            .map(|(kind, _, address)| (*kind, *address));
        [
            fresh,
            serve_fresh,
            reuse,
            hyper,
            serve_reuse,
            p3_fresh,
            p3_reuse,
            p3_shared,
            serve_p3,
        ]
    }

    /// Compares bodies and headers: responses of different sizes would not be comparable.
    fn check_responses(&self) -> Result<()> {
        let mut first: BTreeMap<_, (Kind, Response)> = BTreeMap::new();
        for (kind, address) in self.addresses() {
            let event = format!("status 200 from http://{address}/");
            let response = until(&event, START_POLLING, || {
                let response = Request::get("/").try_send(address).ok();
                anyhow::Ok(response.filter(|response| response.status == 200))
            })?;
            let response = shape(response);
            let (other, expected) = first
                .entry(kind.guest())
                .or_insert_with(|| (kind, response.clone()));
            ensure!(
                response == *expected,
                "{kind} sends {response:?}, {other} sends {expected:?}"
            );
        }
        Ok(())
    }
}

impl Kind {
    /// The guest, or the one that the server imitates.
    fn guest(self) -> &'static str {
        match self {
            Self::WeftFresh
            | Self::WeftReuse
            | Self::BareHyper
            | Self::WasmtimeFresh
            | Self::WasmtimeReuse => "hello-http",
            Self::WeftP3Fresh | Self::WeftP3Reuse | Self::WeftP3Shared | Self::WasmtimeP3 => {
                "hello-http-p3"
            }
        }
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
            Self::WeftP3Fresh => "weft 0.3 fresh",
            Self::WeftP3Reuse => "weft 0.3 reuse",
            Self::WeftP3Shared => "weft 0.3 sixteen at once",
            Self::WasmtimeP3 => "wasmtime serve 0.3",
        })
    }
}

fn weft(tools: &Tools, scratch: &Scratch, kind: Kind, instances: &str) -> Result<(Kind, Host)> {
    let name = kind.to_string().replace(' ', "-");
    let manifest = scratch.write(
        &format!("{name}.yaml"),
        manifest(&tools.guest(kind.guest()), instances),
    )?;
    let data = scratch.path().join(name);
    Ok((
        kind,
        Host::spawn(
            &tools.weft,
            &data,
            &[OsStr::new("-f"), manifest.as_os_str()],
        )?,
    ))
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
        if kind == Kind::WasmtimeP3 {
            command.args(["-Sp3", "-Wcomponent-model-async"]);
        }
        command.arg(tools.guest(kind.guest()));
        command
    };
    let name = kind.to_string();
    let process = Process::start(&name, &mut command, &scratch.path().join(&name))?;
    Ok((kind, process, address))
}

/// A response without its date, its headers sorted.
fn shape(mut response: Response) -> Response {
    response.headers.retain(|(name, _)| name != "date");
    response.headers.sort();
    response
}
