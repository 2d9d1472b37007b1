//! Requests to the host that runs the component.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use weft_harness::http::Connection;
use weft_harness::{Polling, until};

use super::{Kind, connections_text, load, manifest, median_of, order, post};
use crate::bench::Effort;
use crate::bench::row::{Row, Target};
use crate::bench::scratch::Scratch;
use crate::bench::tools::Tools;
use crate::host::Host;

const CONNECTIONS: [u32; 3] = [1, 8, 64];

/// The number of connections for the target: enough to keep every core busy.
const CONNECTIONS_OF_TARGET: u32 = 64;

/// A route, its baseline, and the target for the rate.
const COMPARISONS: [(Kind, Kind, Option<Target>); 2] = [
    (Kind::Typed, Kind::Raw, Some(Target::RatioAtLeast(1.3))),
    (Kind::TypedReuse, Kind::RawReuse, None),
];

/// The time until routes respond.
const READY: Polling = Polling::of(Duration::from_secs(60));

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let scratch = Scratch::new("typed-http")?;
    let host = Host::start(&tools.weft, &scratch.path().join("host"), &[])?;
    let app = scratch.write("desk.yaml", manifest(tools, &Kind::ALL, ""))?;
    host.deploy(&[app])?;
    check_responses(&host, &Kind::ALL)?;
    let scripts = Kind::ALL.map(|kind| Ok((kind, kind.script(&scratch)?)));
    let scripts = scripts.into_iter().collect::<Result<Vec<_>>>()?;
    let runs = load(host.http, &scripts, &CONNECTIONS, effort)?;
    host.end()?;
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        for (kind, baseline, target) in COMPARISONS {
            let row = |measure: &str, unit, of| {
                let name = format!("{kind}, {}: {measure}", connections_text(connections));
                let value = |kind| median_of(&runs, kind, connections, of);
                Row::new(name, value(kind), unit).against(baseline.to_string(), value(baseline))
            };
            let rate = row("requests", "1/s", |report| report.requests_per_second);
            rows.push(match target {
                Some(target) if connections == CONNECTIONS_OF_TARGET => rate.target(target),
                _ => rate,
            });
            rows.push(row("p50", "µs", |report| report.p50_us));
            rows.push(row("p99", "µs", |report| report.p99_us));
        }
    }
    Ok(rows)
}

/// Checks that all routes send the same receipt.
pub(super) fn check_responses(host: &Host, kinds: &[Kind]) -> Result<()> {
    let body = order::small();
    let mut expected: Option<(Kind, Value)> = None;
    for kind in kinds {
        let response = until(&format!("status 200 of {kind}"), READY, || {
            let mut connection = Connection::open(host.http)?;
            let response = post(&mut connection, *kind, body.as_bytes())?;
            anyhow::Ok((response.status == 200).then_some(response))
        })?;
        let receipt: Value = serde_json::from_slice(&response.body)
            .with_context(|| format!("{kind} sends no JSON: {}", response.text()))?;
        let (other, expected) = expected.get_or_insert_with(|| (*kind, receipt.clone()));
        ensure!(
            receipt == *expected,
            "{kind} sends {receipt}, {other} sends {expected}"
        );
    }
    Ok(())
}
