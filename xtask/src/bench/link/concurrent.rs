//! Async functions and streams, in a loop inside one request.
//!
//! Between stores their parameters pass the dynamic codec, and the callee runs in a task of its
//! own. The baseline is the same guests, fused, in the event loop of a single store.

use anyhow::{Result, ensure};

use super::component;
use crate::bench::Effort;
use crate::bench::row::{Row, Target};
use crate::bench::scratch::Scratch;
use crate::bench::stats::median;
use crate::bench::tools::Tools;
use crate::host::Host;

const BASELINE: &str = "fused";

/// A gigabyte a second is the target.
const STREAM_GB_PER_SECOND: f64 = 1.0;

/// Enough that bytes read ahead do not count.
const STREAM_BYTES: u32 = 1_000_000_000;

/// Names of rows, loops in `relay-loops`, numbers of calls, and lengths of arguments.
const CALLS: [(&str, &str, u32, Option<u32>); 4] = [
    ("two u32", "add", 20_000, None),
    ("16-byte string", "echo-text", 20_000, Some(16)),
    ("64 KiB list<u8>", "echo-bytes", 50, Some(64 << 10)),
    ("1 MiB list<u8>", "echo-bytes", 5, Some(1 << 20)),
];

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let scratch = Scratch::new("link-concurrent")?;
    let manifests = [
        scratch.write("fused.yaml", manifest(tools, "fused"))?,
        scratch.write("local.yaml", manifest(tools, "local"))?,
    ];
    let weft = Host::start(&tools.weft, &scratch.path().join("data"), &[])?;
    weft.deploy(&manifests)?;
    let mut rows = Vec::new();
    for (name, function, count, length) in CALLS {
        let arguments = match length {
            Some(length) => format!("{count}, {length}"),
            None => count.to_string(),
        };
        let expression = format!("fixture:conformance/relay-loops.{function}({arguments})");
        let [fused, local] = alternating(&weft, &expression, effort)?;
        let per_call = |microseconds: f64| microseconds * 1000.0 / f64::from(count);
        let name = format!("async call, {name}, local");
        rows.push(Row::new(name, per_call(local), "ns").against(BASELINE, per_call(fused)));
    }
    let bytes = effort.choose(STREAM_BYTES, STREAM_BYTES / 10);
    let expression = format!("fixture:conformance/relay-loops.read-bytes({bytes})");
    let [fused, local] = alternating(&weft, &expression, effort)?;
    let rate = |microseconds: f64| f64::from(bytes) / microseconds / 1000.0;
    rows.push(
        Row::new("stream<u8>, local", rate(local), "GB/s")
            .against(BASELINE, rate(fused))
            .target(Target::ValueAtLeast(STREAM_GB_PER_SECOND)),
    );
    weft.end()?;
    Ok(rows)
}

/// The median of the microseconds that an expression takes in the fused app and in the local one.
fn alternating(weft: &Host, expression: &str, effort: Effort) -> Result<[f64; 2]> {
    let mut values = [Vec::new(), Vec::new()];
    // The first round warms all up.
    for round in 0..=effort.choose(5, 2) {
        for (app, values) in ["fused", "local"].iter().zip(&mut values) {
            let called = weft.call(&format!("{app}/importer"), expression)?;
            ensure!(called.result.is_some(), "`{expression}` returned no result");
            if round > 0 {
                values.push(f64::from(u32::try_from(called.elapsed_us)?));
            }
        }
    }
    Ok(values.map(median))
}

/// The manifest of both ends, linked in the mode that names the app.
fn manifest(tools: &Tools, mode: &str) -> String {
    let end = |name: &str| {
        let file = tools.guest(&format!("conformance-concurrent-{name}"));
        component(name, &file, "")
    };
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: {mode}}}\nspec:\n  \
         components: [{}, {}]\n  \
         links: [{{from: importer, interface: 'fixture:conformance/concurrent', to: exporter, locality: \
         {mode}}}]\n",
        end("importer"),
        end("exporter"),
    )
}
