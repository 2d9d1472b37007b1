//! The start of a link between stores in a request. It needs an instance of the callee: an idle one
//! if the manifest allows reuse, else a new one.
//!
//! Each request makes one call. The caller's own instance is reused, so its cost is the same for
//! all apps. The baseline is the same request over a fused link, and a row is the difference to it.

use anyhow::Result;

use super::app;
use crate::bench::Effort;
use crate::bench::row::{Row, Target};
use crate::bench::scratch::Scratch;
use crate::bench::stats::median;
use crate::bench::tools::Tools;
use crate::host::Host;

const REUSE: &str = ", instances: {reuse: {max-requests: 1000000, max-idle: 60s}}";

/// The app, the mode of its link, the callee's fields, the name of the row, and its target in
/// nanoseconds.
const CASES: [(&str, &str, &str, &str, f64); 2] = [
    (
        "warm",
        "local",
        REUSE,
        "callee from an idle instance",
        2_000.0,
    ),
    ("fresh", "local", "", "callee from a new instance", 25_000.0),
];

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let scratch = Scratch::new("link-session")?;
    let mut manifests =
        vec![scratch.write("fused.yaml", app(tools, "fused", "fused", [REUSE, REUSE]))?];
    for (name, locality, fields, ..) in CASES {
        let manifest = app(tools, name, locality, [REUSE, fields]);
        manifests.push(scratch.write(&format!("{name}.yaml"), manifest)?);
    }
    let weft = Host::start(&tools.weft, &scratch.path().join("data"), &[])?;
    weft.deploy(&manifests)?;
    let count = effort.choose(20_000, 1_000);
    let request = |app: &str| {
        let caller = format!("{app}/caller");
        weft.median_call(&caller, "fixture:links/relay.add(1, 2)", count)
    };
    let mut fused = Vec::new();
    let mut added = vec![Vec::new(); CASES.len()];
    // The first round warms all up.
    for round in 0..=effort.choose(9, 2) {
        let baseline = request("fused")?;
        for ((app, ..), added) in CASES.iter().zip(&mut added) {
            let elapsed = request(app)?;
            if round > 0 {
                added.push(elapsed - baseline);
            }
        }
        if round > 0 {
            fused.push(baseline);
        }
    }
    weft.end()?;
    let fused = median(fused);
    let rows = CASES.iter().zip(added).map(|((.., name, at_most), added)| {
        Row::new(
            format!("first call of a request adds, {name}"),
            median(added),
            "ns",
        )
        .against("the request, fused", fused)
        .target(Target::ValueAtMost(*at_most))
    });
    Ok(rows.collect())
}
