//! Calls to another host, against requests of the bare NATS client over the same server.
//!
//! The loop of calls is inside a guest on one host. The callee is on another host, in a process of
//! its own, like the responder of the bare client. A call is one message each way. A value is the
//! time of all calls divided by their number, and the median over the rounds. Calls *in flight*
//! come from guests that run at the same time; each is started by a request to its host, which is
//! included in the time of its hundred calls. The bare responder has no instance for each request,
//! so one callee has reused instances. An argument or result of 1 MiB with the fields of its frame
//! exceeds a message; that of the bare client fits exactly.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use weft_harness::{NatsServer, Polling, Process, free_address, until};

use super::Effort;
use super::row::{Row, Target};
use super::scratch::Scratch;
use super::stats::median;
use super::tools::{Tools, ensure_wrk};
use super::wrk;
use crate::command::output;
use crate::debian;
use crate::host::Host;

/// The time for hosts to see each other and to compile their components.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// The number of guests that call at the same time.
const IN_FLIGHT: u32 = 64;

/// The number of calls that a guest makes for one request.
const CALLS_PER_REQUEST: u32 = 100;

/// The size of a small message: about that of two numbers and the names around them.
const SMALL_BYTES: u32 = 150;

const LARGE_BYTES: u32 = 1 << 20;

const BASELINE: &str = "async-nats request";

/// A server, two hosts, and the bare client.
struct Setup {
    caller_host: Host,
    callee_host: Host,
    /// The admin address of the caller's host.
    admin: SocketAddr,
    /// Scripts for `wrk`, one for each callee.
    script: PathBuf,
    script_reused: PathBuf,
    bare: PathBuf,
    url: String,
    responder: Process,
    nats: NatsServer,
    _scratch: Scratch,
}

/// A load for both clients.
#[derive(Clone, Copy)]
enum Load {
    /// A number of small calls, one after the other.
    Latency(u32),
    /// Small calls, [`IN_FLIGHT`] at a time, for a number of seconds.
    Throughput(Callee, u32),
    /// A number of large calls, one after the other.
    Large(u32),
}

/// The instances of the callee.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Callee {
    /// A new instance for each call.
    Fresh,
    /// One instance for one call after another.
    Reused,
}

/// Callers with their callees.
const PAIRS: [(&str, &str, Callee); 2] = [
    ("caller", "callee", Callee::Fresh),
    ("caller-of-reused", "callee-reused", Callee::Reused),
];

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    debian::ensure("nats-server", "the bus is a NATS server")?;
    ensure_wrk()?;
    let setup = Setup::start(tools)?;
    let loads = [
        Load::Latency(effort.choose(5_000, 200)),
        Load::Throughput(Callee::Fresh, effort.choose(5, 1)),
        Load::Throughput(Callee::Reused, effort.choose(5, 1)),
        Load::Large(effort.choose(100, 5)),
    ];
    let mut measured = [const { (Vec::new(), Vec::new()) }; 4];
    let rounds = effort.choose(9, 1);
    // The first round warms all up. The measurements alternate, so that both have the same machine.
    for round in 0..=rounds {
        for (load, (bare, calls)) in loads.iter().zip(&mut measured) {
            let (of_bare, of_calls) = (setup.bare(*load)?, setup.calls(*load)?);
            if round > 0 {
                bare.push(of_bare);
                calls.push(of_calls);
            }
        }
    }
    setup.end()?;
    let rows = loads.iter().zip(measured);
    Ok(rows
        .map(|(load, (bare, calls))| load.row(median(bare), median(calls)))
        .collect())
}

impl Load {
    fn row(self, bare: f64, calls: f64) -> Row {
        let (name, unit, target) = match self {
            Self::Latency(_) => ("one at a time", "µs", Some(Target::RatioAtMost(1.3))),
            Self::Throughput(Callee::Fresh, _) => ("64 in flight", "1/s", None),
            Self::Throughput(Callee::Reused, _) => (
                "64 in flight, instances reused",
                "1/s",
                Some(Target::RatioAtLeast(0.7)),
            ),
            Self::Large(_) => (
                "1 MiB list<u8> and back",
                "µs",
                Some(Target::RatioAtMost(1.5)),
            ),
        };
        let row = Row::new(format!("remote call, {name}"), calls, unit).against(BASELINE, bare);
        match target {
            Some(target) => row.target(target),
            None => row,
        }
    }
}

impl Setup {
    fn start(tools: &Tools) -> Result<Self> {
        let scratch = Scratch::new("lattice")?;
        let mut nats = NatsServer::new(scratch.path().join("nats"), free_address()?, "")?;
        nats.start()?;
        let url = nats.url();
        let host = |name: &str| {
            let label = format!("end={name}");
            let flags = ["--nats", &url, "--lattice", "bench", "--label", &label];
            Host::start(&tools.weft, &scratch.path().join(name), &flags)
        };
        let (caller_host, callee_host) = (host("caller")?, host("callee")?);
        let mut command = Command::new(&tools.raw_requests);
        let log = scratch.path().join("responder");
        let responder = Process::start("`raw_requests`", command.args([&url, "serve"]), &log)?;
        let admin = fs::read_to_string(scratch.path().join("caller/private/admin.address"))?;
        let token = fs::read_to_string(scratch.path().join("caller/private/admin.token"))?;
        let mut setup = Self {
            caller_host,
            callee_host,
            admin: admin.trim().parse().context("the admin address")?,
            script: scratch.write("call.lua", script(token.trim(), Callee::Fresh))?,
            script_reused: scratch.write("reused.lua", script(token.trim(), Callee::Reused))?,
            bare: tools.raw_requests.clone(),
            url,
            responder,
            nats,
            _scratch: scratch,
        };
        setup.deploy(tools)?;
        Ok(setup)
    }

    /// Deploys callers and callees, and waits until calls succeed.
    fn deploy(&mut self, tools: &Tools) -> Result<()> {
        let manifest = self._scratch.write("apart.yaml", app(tools))?;
        until(
            "the hosts see each other",
            Polling::of(READY_TIMEOUT),
            || {
                self.caller_host.process.check()?;
                self.callee_host.process.check()?;
                self.responder.check()?;
                self.nats.is_listening()?;
                anyhow::Ok((self.caller_host.ready_hosts()? == 2).then_some(()))
            },
        )?;
        self.caller_host.deploy(&[manifest])?;
        for (caller, ..) in PAIRS {
            let caller = format!("apart/{caller}");
            until(
                "the caller reaches the callee",
                Polling::of(READY_TIMEOUT),
                || {
                    anyhow::Ok(
                        self.caller_host
                            .call(&caller, "fixture:links/relay.add(1, 2)")
                            .ok(),
                    )
                },
            )?;
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
        self.caller_host.end()?;
        self.callee_host.end()?;
        // The other processes have nothing to finish and are killed on drop.
        Ok(())
    }

    /// Measures the bare client.
    fn bare(&self, load: Load) -> Result<f64> {
        let (bytes, count, in_flight) = match load {
            Load::Latency(count) => (SMALL_BYTES, count, 1),
            Load::Throughput(_, seconds) => (SMALL_BYTES, seconds * 50_000, IN_FLIGHT),
            Load::Large(count) => (LARGE_BYTES, count, 1),
        };
        let mut command = Command::new(&self.bare);
        command.args([&self.url, "measure"]);
        command.args([bytes, count, in_flight].map(|number| number.to_string()));
        let printed = output(&mut command)?;
        let nanoseconds: f64 = printed
            .trim()
            .parse()
            .context("`raw_requests` does not print a number")?;
        Ok(match load {
            Load::Latency(_) | Load::Large(_) => nanoseconds / 1e3,
            Load::Throughput(..) => 1e9 / nanoseconds,
        })
    }

    /// Measures the calls of the guest.
    fn calls(&self, load: Load) -> Result<f64> {
        match load {
            Load::Latency(count) => self.in_a_row(&format!("add-many({count})"), count),
            Load::Large(count) => {
                let function = format!("echo-bytes-many({count}, {LARGE_BYTES})");
                self.in_a_row(&function, count)
            }
            Load::Throughput(callee, seconds) => {
                let duration = Duration::from_secs(seconds.into());
                let script = match callee {
                    Callee::Fresh => &self.script,
                    Callee::Reused => &self.script_reused,
                };
                let report = wrk::load_by(script, self.admin, IN_FLIGHT, duration)?;
                Ok(report.requests_per_second * f64::from(CALLS_PER_REQUEST))
            }
        }
    }

    /// Microseconds for each of `count` calls of one guest.
    fn in_a_row(&self, function: &str, count: u32) -> Result<f64> {
        let expression = format!("fixture:links/relay.{function}");
        let called = self.caller_host.call("apart/caller", &expression)?;
        ensure!(called.result.is_some(), "`{expression}` returned no result");
        let elapsed_us = u32::try_from(called.elapsed_us)?;
        Ok(f64::from(elapsed_us) / f64::from(count))
    }
}

/// The script with which `wrk` requests calls from a host.
fn script(token: &str, callee: Callee) -> String {
    let caller = PAIRS.iter().find(|(.., of_pair)| *of_pair == callee);
    let caller = caller.map_or("caller", |(caller, ..)| caller);
    let expression = format!("fixture:links/relay.add-many({CALLS_PER_REQUEST})");
    format!(
        "wrk.method = 'POST'\n\
         wrk.path = '/v1/call'\n\
         wrk.headers['Authorization'] = 'Bearer {token}'\n\
         wrk.headers['Content-Type'] = 'application/json'\n\
         wrk.body = '{{\"app\":\"apart\",\"component\":\"{caller}\",\"expression\":\"{expression}\"}}'\n"
    )
}

/// The manifest of callers and callees, each on the host with its label and in stores of its own.
fn app(tools: &Tools) -> String {
    let component = |name: &str, guest: &str, instances: &str| {
        let file = tools.guest(guest);
        format!(
            "{{name: {name}, source: {{file: '{}'}}, instances: {instances}, \
             placement: {{require: {{end: {guest}}}}}}}",
            file.display()
        )
    };
    let provider_links = |name: &str, guest: &str| {
        format!(
            "{{from: {name}, interface: 'wasi:config', to: values}}, {{from: {name}, interface: \
             'wasi:keyvalue', to: memory-of-{guest}}}"
        )
    };
    let (mut components, mut links) = (Vec::new(), Vec::new());
    for (caller, callee, kind) in PAIRS {
        let instances = match kind {
            Callee::Fresh => "per-request",
            Callee::Reused => "{reuse: {}}",
        };
        components.push(component(caller, "caller", "per-request"));
        components.push(component(callee, "callee", instances));
        links.push(format!(
            "{{from: {caller}, interface: 'fixture:links', to: {callee}}}"
        ));
        links.push(provider_links(caller, "caller"));
        links.push(provider_links(callee, "callee"));
    }
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: apart}}\nspec:\n  \
         components: [{}]\n  \
         providers: [{{name: values, type: config-values}}, \
         {{name: memory-of-caller, type: keyvalue-memory}}, \
         {{name: memory-of-callee, type: keyvalue-memory}}]\n  \
         links: [{}]\n",
        components.join(", "),
        links.join(", ")
    )
}
