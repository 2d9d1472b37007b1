//! The time from the start of `weft up` to its first response, on the data of an earlier run: apps
//! are in its state and compiled code is in its cache. The baseline starts without both.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use anyhow::Result;
use weft_harness::Polling;

use super::Effort;
use super::row::{Row, Target};
use super::scratch::Scratch;
use super::stats::median_ms;
use super::tools::Tools;
use crate::host::Host;

const TARGET_MS: f64 = 150.0;

/// The period is the error of each measurement, and long enough not to slow the start down.
const POLLING: Polling = Polling {
    timeout: Duration::from_secs(60),
    period: Duration::from_micros(200),
};

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let scratch = Scratch::new("warm-start")?;
    let mut cold = Vec::new();
    for round in 0..effort.choose(3, 1) {
        let data = scratch.path().join(format!("cold-{round}"));
        let start = Instant::now();
        let weft = Host::spawn(
            &tools.weft,
            &data,
            &[OsStr::new("-f"), tools.shop.as_os_str()],
        )?;
        cold.push(until_response(weft, start)?);
    }
    let data = scratch.path().join("cold-0");
    let mut warm = Vec::new();
    for _ in 0..effort.choose(15, 7) {
        let start = Instant::now();
        let weft = Host::spawn::<&str>(&tools.weft, &data, &[])?;
        warm.push(until_response(weft, start)?);
    }
    let row = Row::new("warm start of the shop", median_ms(&warm), "ms")
        .against("first start", median_ms(&cold))
        .target(Target::ValueAtMost(TARGET_MS));
    Ok(vec![row])
}

fn until_response(mut weft: Host, start: Instant) -> Result<Duration> {
    weft.wait_for("/", POLLING)?;
    let elapsed = start.elapsed();
    weft.end()?;
    Ok(elapsed)
}
