//! Calls over a link in each mode, against a link of dynamic values (`func_new_async` and `Val`,
//! two stores), which Weft does not use.
//!
//! The loop of calls is inside the guest, and it calls one instance: the session is warm. For a
//! signature in the table of typed shapes, a similar function outside the table is called too, so
//! that both routes over a local link are measured. Each is compared with the same function over
//! dynamic values.

use std::collections::HashMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::app;
use crate::bench::Effort;
use crate::bench::row::{Row, Target};
use crate::bench::scratch::Scratch;
use crate::bench::stats::median;
use crate::bench::tools::Tools;
use crate::command::output;
use crate::host::Host;

const BASELINE: &str = "func_new_async + Val";

/// A kind of argument, with enough calls that the start of the instance does not count.
struct Case {
    name: &'static str,
    calls: u32,
    /// The number of calls with dynamic values, which take much longer.
    dynamic_calls: u32,
    /// The loop of the function with a typed shape; `None` without one.
    direct: Option<&'static str>,
    /// The loop of the function that needs the stub.
    stub: &'static str,
    /// The size of the argument; `None` for a loop without one.
    size: Option<u32>,
    /// The target in nanoseconds, for the faster route.
    at_most: Option<f64>,
}

const CASES: [Case; 5] = [
    Case {
        name: "two u32",
        calls: 500_000,
        dynamic_calls: 100_000,
        direct: Some("add-many"),
        stub: "add-pair-many",
        size: None,
        at_most: Some(1_200.0),
    },
    Case {
        name: "16-byte string",
        calls: 500_000,
        dynamic_calls: 100_000,
        direct: Some("echo-text-many"),
        stub: "echo-some-text-many",
        size: Some(16),
        at_most: Some(1_500.0),
    },
    Case {
        name: "64 KiB list<u8>",
        calls: 1_000,
        dynamic_calls: 20,
        direct: Some("echo-bytes-many"),
        stub: "echo-some-bytes-many",
        size: Some(64 << 10),
        at_most: Some(15_000.0),
    },
    Case {
        name: "1 MiB list<u8>",
        calls: 60,
        dynamic_calls: 2,
        direct: Some("echo-bytes-many"),
        stub: "echo-some-bytes-many",
        size: Some(1 << 20),
        at_most: Some(400_000.0),
    },
    Case {
        name: "1,024 records {f64, f64, string}",
        calls: 1_000,
        dynamic_calls: 100,
        direct: None,
        stub: "echo-points-many",
        size: Some(1024),
        at_most: Some(250_000.0),
    },
];

/// The two hosts with their apps.
struct Setup<'a> {
    tools: &'a Tools,
    /// With the apps `fused` and `local`.
    weft: Host,
    /// With the app `local`, whose links go through frames of the wire.
    wire: Host,
}

/// The mode of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Dynamic,
    Fused,
    Local,
    Wire,
}

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let scratch = Scratch::new("link-call")?;
    let manifests = [
        scratch.write("fused.yaml", app(tools, "fused", "fused", ["", ""]))?,
        scratch.write("local.yaml", app(tools, "local", "local", ["", ""]))?,
    ];
    let weft = Host::start(&tools.weft, &scratch.path().join("data"), &[])?;
    weft.deploy(&manifests)?;
    let wire = Host::start(
        &tools.weft,
        &scratch.path().join("wire"),
        &["--links-over-wire"],
    )?;
    wire.deploy(&manifests[1..])?;
    let setup = Setup { tools, weft, wire };
    let mut rows = Vec::new();
    for case in &CASES {
        rows.extend(setup.rows(case, effort)?);
    }
    setup.weft.end()?;
    setup.wire.end()?;
    Ok(rows)
}

impl Setup<'_> {
    fn rows(&self, case: &Case, effort: Effort) -> Result<Vec<Row>> {
        let mut runs = Vec::new();
        for (mode, word) in [
            (Mode::Fused, "fused"),
            (Mode::Local, "local"),
            (Mode::Wire, "wire"),
        ] {
            if let Some(direct) = case.direct {
                runs.push((mode, format!("{word}, typed shape"), direct, case.at_most));
            }
            let at_most = case.at_most.filter(|_| case.direct.is_none());
            runs.push((mode, format!("{word}, stub"), case.stub, at_most));
        }
        // Each function has a baseline of its own.
        let functions = case.direct.into_iter().chain([case.stub]);
        let mut baselines: Vec<_> = functions.map(|function| (function, Vec::new())).collect();
        let mut values = vec![Vec::new(); runs.len()];
        let rounds = effort.choose(9, 2);
        // The first round warms all up. The measurements alternate, so that all have the same
        // machine.
        for round in 0..=rounds {
            for (function, values) in &mut baselines {
                let value = self.nanoseconds(Mode::Dynamic, case, function)?;
                values.extend((round > 0).then_some(value));
            }
            for ((mode, _, function, _), values) in runs.iter().zip(&mut values) {
                let value = self.nanoseconds(*mode, case, function)?;
                values.extend((round > 0).then_some(value));
            }
        }
        let baselines = baselines.into_iter();
        let baselines: HashMap<_, _> = baselines
            .map(|(function, values)| (function, median(values)))
            .collect();
        let rows = runs
            .iter()
            .zip(values)
            .map(|((mode, word, function, _), values)| {
                let name = format!("link call, {}, {word}", case.name);
                let row = Row::new(name, median(values), "ns");
                (*mode, row.against(BASELINE, baselines[function]))
            });
        let mut targeted = Vec::new();
        for ((mode, row), (.., at_most)) in rows.zip(&runs) {
            let row = match (mode, at_most) {
                (Mode::Local, Some(limit)) => row.target(Target::ValueAtMost(*limit)),
                (Mode::Local, None) => row.target(Target::RatioAtMost(1.0)),
                _ => row,
            };
            targeted.push(row);
        }
        Ok(targeted)
    }

    fn nanoseconds(&self, mode: Mode, case: &Case, function: &str) -> Result<f64> {
        let (weft, app, calls) = match mode {
            Mode::Dynamic => return self.dynamic(case, function),
            Mode::Fused => (&self.weft, "fused", case.calls),
            Mode::Local => (&self.weft, "local", case.calls),
            // Each call needs a new instance.
            Mode::Wire => (&self.wire, "local", (case.calls / 20).max(10)),
        };
        let (arguments, expected) = match case.size {
            Some(size) => (format!("{calls}, {size}"), size),
            // The last sum is the last index plus one.
            None => (calls.to_string(), calls),
        };
        let expression = format!("fixture:links/relay.{function}({arguments})");
        let called = weft.call(&format!("{app}/caller"), &expression)?;
        ensure!(
            called.result.as_deref() == Some(expected.to_string().as_str()),
            "`{expression}` returned {:?}, expected {expected}",
            called.result
        );
        let elapsed_us = u32::try_from(called.elapsed_us)?;
        Ok(f64::from(elapsed_us) * 1000.0 / f64::from(calls))
    }

    fn dynamic(&self, case: &Case, function: &str) -> Result<f64> {
        let mut command = Command::new(&self.tools.dynamic_link);
        command
            .arg(self.tools.guest("caller"))
            .arg(self.tools.guest("callee"))
            .arg(function)
            .arg(case.dynamic_calls.to_string())
            .args(case.size.map(|size| size.to_string()));
        let printed = output(&mut command)?;
        let printed = printed.trim().parse();
        printed.context("`dynamic_link` does not print a number")
    }
}
