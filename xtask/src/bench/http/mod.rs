//! HTTP requests to a minimal guest, against hyper without a guest and against wasmtime's own
//! server with the same guest.

mod servers;

use std::time::Duration;

use anyhow::Result;

use self::servers::{Kind, Servers};
use super::Effort;
use super::row::{Row, Target};
use super::stats::median;
use super::tools::{Tools, ensure_wrk};
use super::wrk::{self, Report};
use crate::command::print_line;

const CONNECTIONS: [u32; 3] = [1, 8, 64];

/// The number of connections for the targets: enough to keep every core busy.
const CONNECTIONS_OF_TARGETS: u32 = 64;

/// A configuration of Weft, its baseline, and the target for the rate.
const COMPARISONS: [(Kind, Kind, Option<Target>); 6] = [
    (
        Kind::WeftFresh,
        Kind::WasmtimeFresh,
        Some(Target::RatioAtLeast(3.0)),
    ),
    (
        Kind::WeftReuse,
        Kind::BareHyper,
        Some(Target::RatioAtLeast(0.5)),
    ),
    (Kind::WeftReuse, Kind::WasmtimeReuse, None),
    (
        Kind::WeftP3Fresh,
        Kind::WeftFresh,
        Some(Target::RatioAtLeast(0.7)),
    ),
    (Kind::WeftP3Reuse, Kind::WasmtimeP3, None),
    (
        Kind::WeftP3Shared,
        Kind::WasmtimeP3,
        Some(Target::RatioAtLeast(1.3)),
    ),
];

/// One run of the load against one server.
struct Run {
    kind: Kind,
    connections: u32,
    report: Report,
}

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    ensure_wrk()?;
    let runs = Servers::start(tools)?.load(effort)?;
    Ok(CONNECTIONS
        .iter()
        .flat_map(|&connections| rows(&runs, connections))
        .collect())
}

impl Servers {
    /// Measures all servers in turn, in several rounds, so that other work of the machine affects
    /// them alike. Only one has load at a time; the others are idle.
    fn load(mut self, effort: Effort) -> Result<Vec<Run>> {
        let duration = Duration::from_secs(effort.choose(5, 1));
        for (_, address) in self.all()? {
            wrk::load(address, "/", CONNECTIONS_OF_TARGETS, Duration::from_secs(1))?;
        }
        let mut runs = Vec::new();
        let rounds = effort.choose(5, 1);
        for round in 1..=rounds {
            print_line(&format!("  round {round} of {rounds}"));
            for connections in CONNECTIONS {
                for (kind, address) in self.all()? {
                    runs.push(Run {
                        kind,
                        connections,
                        report: wrk::load(address, "/", connections, duration)?,
                    });
                }
            }
        }
        Ok(runs)
    }
}

fn rows(runs: &[Run], connections: u32) -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, baseline, target) in COMPARISONS {
        let row = |measure: &str, unit, of: fn(&Report) -> f64| {
            let value = |kind| median_of(runs, kind, connections, of);
            let plural = if connections == 1 { "" } else { "s" };
            Row::new(
                format!("{kind}, {connections} connection{plural}: {measure}"),
                value(kind),
                unit,
            )
            .against(baseline.to_string(), value(baseline))
        };
        let rate = row("requests", "1/s", |report| report.requests_per_second);
        rows.push(match target {
            Some(target) if connections == CONNECTIONS_OF_TARGETS => rate.target(target),
            _ => rate,
        });
        rows.push(row("p50", "µs", |report| report.p50_us));
        rows.push(row("p99", "µs", |report| report.p99_us));
    }
    rows
}

fn median_of(runs: &[Run], kind: Kind, connections: u32, of: fn(&Report) -> f64) -> f64 {
    let of_kind = |run: &&Run| run.kind == kind && run.connections == connections;
    median(
        runs.iter()
            .filter(of_kind)
            .map(|run| of(&run.report))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_compares_the_medians_of_both_servers_at_the_same_connections() {
        let run = |kind, connections, requests_per_second| Run {
            kind,
            connections,
            report: Report {
                requests_per_second,
                p50_us: 1.0,
                p99_us: 2.0,
            },
        };
        let mut runs = Vec::new();
        for rate in [29.0, 31.0, 30.0] {
            runs.push(run(Kind::WeftFresh, 64, rate));
            runs.push(run(Kind::WasmtimeFresh, 64, rate / 3.0));
            runs.push(run(Kind::WasmtimeFresh, 8, 1.0));
        }
        let rows = rows(&runs, 64);
        let row = &rows[0];
        assert_eq!(row.name, "weft fresh, 64 connections: requests");
        assert_eq!((row.value, row.baseline_value), (30.0, Some(10.0)));
        assert_eq!(row.met, Some(true));
        assert_eq!(rows.len(), 18);
    }
}
