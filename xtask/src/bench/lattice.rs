//! What a call to another host costs, beside requests by the bare client of NATS, over one server and by
//! turns.
//!
//! The loop that calls is inside the guest, on one host; the callee is on another, in a process of its own, as
//! is the program that answers bare requests. A call is one message each way. Each value is the time that one
//! of many took, all of them through their number; its median is that of the rounds. What is *in flight* are
//! guests that call at the same time, each started by a request to its host, which is a part of the time of a
//! hundred calls. What answers in the bare client makes no instance for each request, so a callee is measured too
//! whose instances are reused. An argument and a result of 1 MiB are larger than a message, as the fields of a frame are
//! around them; those of the bare client fit exactly.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Effort;
use super::process::{Process, free_address};
use super::row::{Row, Target};
use super::scratch::Scratch;
use super::stats::median;
use super::tools::{Tools, ensure_wrk};
use super::wait::{self, Patience};
use super::weft::Weft;
use super::wrk;
use crate::command::output;
use crate::debian;

/// How long hosts may take to know of each other, and to have compiled what they run.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// How many guests call at the same time.
const IN_FLIGHT: u32 = 64;

/// How many calls a guest makes for one request that has it call.
const CALLS_PER_REQUEST: u32 = 100;

/// How large a small argument is: about as many bytes as the two numbers and the names around them.
const SMALL_BYTES: u32 = 150;

const LARGE_BYTES: u32 = 1 << 20;

const BASELINE: &str = "async-nats request";

/// A server, two hosts, and the bare client.
struct Setup {
    near: Weft,
    far: Weft,
    /// Where the near host takes commands, and what it wants to see for them.
    admin: SocketAddr,
    /// That have `wrk` ask for calls of either callee.
    script: PathBuf,
    script_reused: PathBuf,
    bare: PathBuf,
    url: String,
    responder: Process,
    nats: Process,
    _scratch: Scratch,
}

/// What is measured both ways.
#[derive(Clone, Copy)]
enum Load {
    /// Small, one after the other, so many.
    Latency(u32),
    /// Small, [`IN_FLIGHT`] at a time, for so many seconds.
    Throughput(Callee, u32),
    /// Large, one after the other, so many.
    Large(u32),
}

/// What is called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Callee {
    /// A new instance for each call.
    Fresh,
    /// One instance for one call after another.
    Reused,
}

/// The callers, and whom each calls.
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
    let mut found = [const { (Vec::new(), Vec::new()) }; 4];
    let rounds = effort.choose(9, 1);
    // The first round warms all up; the others take turns, so that none has the quieter machine.
    for round in 0..=rounds {
        for (load, (bare, calls)) in loads.iter().zip(&mut found) {
            let (of_bare, of_calls) = (setup.bare(*load)?, setup.calls(*load)?);
            if round > 0 {
                bare.push(of_bare);
                calls.push(of_calls);
            }
        }
    }
    setup.end()?;
    let rows = loads.iter().zip(found);
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
        let address = free_address()?;
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", &address.port().to_string(), "-js"]);
        command.arg("-sd").arg(scratch.path().join("nats"));
        let log = scratch.path().join("nats.log");
        let nats = Process::start("`nats-server`", &mut command, log)?;
        let url = format!("nats://{address}");
        let host = |name: &str| {
            let label = format!("end={name}");
            let flags = ["--nats", &url, "--lattice", "bench", "--label", &label];
            Weft::start_with(&tools.weft, &scratch.path().join(name), &flags)
        };
        let (near, far) = (host("caller")?, host("callee")?);
        let mut command = Command::new(&tools.raw_requests);
        let log = scratch.path().join("responder.log");
        let responder = Process::start("`raw_requests`", command.args([&url, "serve"]), log)?;
        let admin = fs::read_to_string(scratch.path().join("caller/admin.address"))?;
        let token = fs::read_to_string(scratch.path().join("caller/admin.token"))?;
        let mut setup = Self {
            near,
            far,
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

    /// Deploys caller and callee, and waits until one reaches the other.
    fn deploy(&mut self, tools: &Tools) -> Result<()> {
        let manifest = self._scratch.write("apart.yaml", app(tools))?;
        wait::until(
            "the hosts know of each other",
            Patience::of(READY_TIMEOUT),
            || {
                self.near.check()?;
                self.far.check()?;
                self.responder.check()?;
                self.nats.check()?;
                Ok((self.near.ready_hosts()? == 2).then_some(()))
            },
        )?;
        self.near.deploy(&[manifest])?;
        for (caller, ..) in PAIRS {
            let caller = format!("apart/{caller}");
            wait::until("the caller calls", Patience::of(READY_TIMEOUT), || {
                Ok(self
                    .near
                    .call(&caller, "fixture:links/relay.add(1, 2)")
                    .ok())
            })?;
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
        self.near.end()?;
        self.far.end()?;
        // The others are ended as they are dropped: they have nothing to finish.
        Ok(())
    }

    /// What the bare client finds.
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
        let nanoseconds: f64 = printed.trim().parse().context("it prints no number")?;
        Ok(match load {
            Load::Latency(_) | Load::Large(_) => nanoseconds / 1e3,
            Load::Throughput(..) => 1e9 / nanoseconds,
        })
    }

    /// What the caller finds.
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

    /// Microseconds for each of `count` calls that one guest makes.
    fn in_a_row(&self, function: &str, count: u32) -> Result<f64> {
        let expression = format!("fixture:links/relay.{function}");
        let called = self.near.call("apart/caller", &expression)?;
        ensure!(called.result.is_some(), "`{expression}` answered nothing");
        let elapsed_us = u32::try_from(called.elapsed_us)?;
        Ok(f64::from(elapsed_us) / f64::from(count))
    }
}

/// Has `wrk` ask a host for calls.
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

/// Callers and callees, each on the host that is labelled for it and with stores of its own.
fn app(tools: &Tools) -> String {
    let component = |name: &str, guest: &str, instances: &str| {
        let file = tools.guest(guest);
        format!(
            "{{name: {name}, source: {{file: '{}'}}, instances: {instances}, \
             placement: {{require: {{end: {guest}}}}}}}",
            file.display()
        )
    };
    let surroundings = |name: &str, guest: &str| {
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
        links.push(surroundings(caller, "caller"));
        links.push(surroundings(callee, "callee"));
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
