//! Requests to a minimal guest beside guests that run long, against the same requests to an idle
//! host; and hosts whose guests run long, as the other hosts of their lattice see them.

use std::fmt;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use weft_harness::{NatsServer, Polling, free_address, until};

use super::Effort;
use super::row::{Row, Target};
use super::scratch::Scratch;
use super::stats::median;
use super::tools::{Tools, ensure_wrk};
use super::wrk::{self, Report};
use crate::command::print_line;
use crate::debian;
use crate::host::Host;

/// The connections of the requests that are measured: few, so that they do not wait for each other.
const CONNECTIONS: u32 = 4;

/// The path of the minimal guest.
const QUIET: &str = "/quiet";

/// The bytes of each host call of a guest that loops over them: the most random bytes of one call.
const HOST_CALL_BYTES: u32 = 1 << 20;

/// The bytes that each instruction fills, of a guest that loops over them.
const FILLED_BYTES: u32 = 32 << 20;

/// The spinning guests of a host that others watch.
const WATCHED_GUESTS: usize = 100;

const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// The time between two looks at the hosts of a lattice.
const LOOK_PERIOD: Duration = Duration::from_millis(200);

/// Guests that run long, all at the same time.
#[derive(Clone, Copy)]
enum Neighbours {
    None,
    /// Guests in an endless loop.
    Spinning(usize),
    /// Guests in an endless loop over a host call that copies many bytes.
    HostCalls(usize),
    /// Guests in an endless loop over a single instruction that fills much memory.
    Fills(usize),
}

const BUSY: [Neighbours; 4] = [
    Neighbours::Spinning(2),
    Neighbours::Spinning(16),
    Neighbours::HostCalls(2),
    Neighbours::Fills(2),
];

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    debian::ensure("nats-server", "the bus is a NATS server")?;
    ensure_wrk()?;
    let mut rows = latencies(tools, effort)?;
    rows.push(watched(tools, effort)?);
    Ok(rows)
}

/// The latencies of the minimal guest.
fn latencies(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let scratch = Scratch::new("fairness")?;
    let manifests = manifests(tools, &scratch)?;
    let arguments: Vec<_> = manifests
        .iter()
        .flat_map(|manifest| [Path::new("-f"), manifest])
        .collect();
    let mut host = Host::spawn(&tools.weft, &scratch.path().join("host"), &arguments)?;
    host.wait_for(QUIET, Polling::of(READY_TIMEOUT))?;
    let duration = Duration::from_secs(effort.choose(5, 1));
    let mut idle = Vec::new();
    let mut busy = [const { Vec::new() }; BUSY.len()];
    let rounds = effort.choose(5, 1);
    for round in 1..=rounds {
        print_line(&format!("  round {round} of {rounds}"));
        idle.push(Neighbours::None.load(host.http, duration)?);
        for (neighbours, reports) in BUSY.iter().zip(&mut busy) {
            reports.push(neighbours.load(host.http, duration)?);
        }
    }
    host.end()?;
    let mut rows = Vec::new();
    for (neighbours, reports) in BUSY.iter().zip(&busy) {
        rows.extend(neighbours.rows(&idle, reports));
    }
    Ok(rows)
}

impl Neighbours {
    /// Starts the guests, measures beside them, and ends them.
    fn load(self, address: SocketAddr, duration: Duration) -> Result<Report> {
        let guests = self.start(address)?;
        // The first slices are over, and the guests of the measurement before have ended.
        wrk::load(address, QUIET, CONNECTIONS, Duration::from_secs(1))?;
        let report = wrk::load(address, QUIET, CONNECTIONS, duration);
        drop(guests);
        report
    }

    /// The connections of the guests, which end with them.
    fn start(self, address: SocketAddr) -> Result<Vec<TcpStream>> {
        let (count, path) = match self {
            Self::None => (0, String::new()),
            Self::Spinning(count) => (count, "/spin".to_owned()),
            Self::HostCalls(count) => (count, format!("/random-loop?bytes={HOST_CALL_BYTES}")),
            Self::Fills(count) => (count, format!("/fill-loop?bytes={FILLED_BYTES}")),
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: busy\r\n\r\n");
        let connect = |_| {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(request.as_bytes())?;
            Ok(stream)
        };
        (0..count).map(connect).collect()
    }

    fn rows(self, idle: &[Report], busy: &[Report]) -> [Row; 2] {
        let row = |measure: &str, of: fn(&Report) -> f64| {
            let value = |reports: &[Report]| median(reports.iter().map(of).collect());
            Row::new(format!("beside {self}: {measure}"), value(busy), "µs")
                .against("idle", value(idle))
        };
        let ratio = match self {
            Self::Spinning(2) => 3.0,
            _ => 10.0,
        };
        [
            row("p50", |report| report.p50_us).target(Target::RatioAtMost(ratio)),
            row("p99", |report| report.p99_us).target(Target::ValueAtMost(50_000.0)),
        ]
    }
}

impl fmt::Display for Neighbours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, kind) = match self {
            Self::None => return formatter.write_str("no guests"),
            Self::Spinning(count) => (count, "spinning guests"),
            Self::HostCalls(count) => (count, "guests that loop over a long host call"),
            Self::Fills(count) => (count, "guests that loop over a long instruction"),
        };
        write!(formatter, "{count} {kind}")
    }
}

/// The longest time for which one host does not see another, whose guests spin, as ready.
fn watched(tools: &Tools, effort: Effort) -> Result<Row> {
    let scratch = Scratch::new("fairness-lattice")?;
    let mut nats = NatsServer::new(scratch.path().join("nats"), free_address()?, "")?;
    nats.start()?;
    let url = nats.url();
    let host = |name: &str| {
        let label = format!("end={name}");
        let flags = ["--nats", &url, "--lattice", "bench", "--label", &label];
        Host::start(&tools.weft, &scratch.path().join(name), &flags)
    };
    let (mut busy, watcher) = (host("busy")?, host("watcher")?);
    until("two hosts", Polling::of(READY_TIMEOUT), || {
        anyhow::Ok((watcher.ready_hosts()? == 2).then_some(()))
    })?;
    let [spinner, _] = manifests(tools, &scratch)?;
    busy.deploy(&[spinner])?;
    busy.wait_for("/count", Polling::of(READY_TIMEOUT))?;
    let guests = Neighbours::Spinning(WATCHED_GUESTS).start(busy.http)?;
    let mut seen = Instant::now();
    let mut longest = Duration::ZERO;
    let end = seen + Duration::from_secs(effort.choose(20, 5));
    let looks = Polling {
        timeout: READY_TIMEOUT,
        period: LOOK_PERIOD,
    };
    until("the end of the measurement", looks, || {
        if watcher.ready_hosts()? == 2 {
            seen = Instant::now();
        }
        longest = longest.max(seen.elapsed());
        anyhow::Ok((Instant::now() >= end).then_some(()))
    })?;
    drop(guests);
    ensure!(nats.is_listening()?, "the NATS server has ended");
    busy.end()?;
    watcher.end()?;
    let name = format!("beside {WATCHED_GUESTS} spinning guests: longest time not seen as ready");
    let seconds = longest.as_secs_f64();
    Ok(Row::new(name, seconds, "s").target(Target::ValueAtMost(1.0)))
}

/// The manifests of the guests that run long, and of the minimal one.
fn manifests(tools: &Tools, scratch: &Scratch) -> Result<[PathBuf; 2]> {
    let app = |name: &str, spec: &str| {
        format!(
            "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: {name}}}\nspec:\n{spec}"
        )
    };
    let (probe, hello) = (tools.guest("http-probe"), tools.guest("hello-http"));
    let busy = format!(
        "  components:\n  - {{name: probe, source: {{file: '{}'}}, limits: {{cpu: 10m, deadline: \
         10m}}, placement: {{prefer: {{end: busy}}}}}}\n  \
         providers: [{{name: kv, type: keyvalue-memory}}, {{name: config, type: config-values}}, \
         {{name: outside, type: http-client}}]\n  \
         links:\n  - {{from: probe, interface: 'wasi:keyvalue/store', to: kv}}\n  \
         - {{from: probe, interface: 'wasi:config/store', to: config}}\n  \
         - {{from: probe, interface: 'wasi:http/outgoing-handler', to: outside}}\n  \
         routes: [{{path: /, to: probe}}]\n",
        probe.display()
    );
    let quiet = format!(
        "  components: [{{name: hello, source: {{file: '{}'}}}}]\n  routes: [{{path: {QUIET}, to: \
         hello}}]\n",
        hello.display()
    );
    Ok([
        scratch.write("busy.yaml", app("busy", &busy))?,
        scratch.write("quiet.yaml", app("quiet", &quiet))?,
    ])
}
