//! From starting `weft up` to its first answer, when the host has run before: the apps are in its state
//! and what was compiled is in its cache. The baseline has neither.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Effort;
use super::row::{Row, Target};
use super::scratch::Scratch;
use super::stats::median_ms;
use super::tools::Tools;
use super::wait::Patience;
use super::weft::Weft;

const TARGET_MS: f64 = 150.0;

/// Asks again this soon: the error of each start, and little enough load to leave the start alone.
const PATIENCE: Patience = Patience {
    bound: Duration::from_secs(60),
    period: Duration::from_micros(200),
};

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let scratch = Scratch::new("warm-start")?;
    let mut cold = Vec::new();
    for round in 0..effort.choose(3, 1) {
        let data = scratch.path().join(format!("cold-{round}"));
        let start = Instant::now();
        let weft = Weft::spawn(&tools.weft, &data, &[&tools.shop])?;
        cold.push(until_answered(weft, start)?);
    }
    let data = scratch.path().join("cold-0");
    let mut warm = Vec::new();
    for _ in 0..effort.choose(15, 7) {
        let start = Instant::now();
        let weft = Weft::spawn(&tools.weft, &data, &[])?;
        warm.push(until_answered(weft, start)?);
    }
    let row = Row::new("warm start of the shop", median_ms(&warm), "ms")
        .against("first start", median_ms(&cold))
        .target(Target::ValueAtMost(TARGET_MS));
    Ok(vec![row])
}

fn until_answered(mut weft: Weft, start: Instant) -> Result<Duration> {
    weft.wait_for("/", PATIENCE)?;
    let elapsed = start.elapsed();
    weft.end()?;
    Ok(elapsed)
}
