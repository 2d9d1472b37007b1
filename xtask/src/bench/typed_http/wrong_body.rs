//! A large body with a mistake at its end: the time of its response, the calls that it makes, and
//! the memory that its conversion takes.
//!
//! Allocations are counted exactly by a test of `crates/json`
//! (`bodies::a_body_takes_little_more_memory_than_itself_and_its_value`); here it is the resident
//! memory of the whole host, from `/proc`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weft_harness::http::Connection;

use super::one_host::check_responses;
use super::{Kind, manifest, order, post};
use crate::bench::Effort;
use crate::bench::resident::{peak_resident_kib, reset_peak, resident};
use crate::bench::row::{Row, Target};
use crate::bench::scratch::Scratch;
use crate::bench::stats::median_ms;
use crate::bench::tools::Tools;
use crate::host::Host;

/// The size of the body whose response is timed.
const TIMED_BYTES: usize = 1 << 20;

/// The size of the body whose memory is measured: large beside other allocations of a host, and
/// within the default of `limits.body`.
const LARGE_BYTES: usize = 15 << 20;

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let scratch = Scratch::new("typed-http-wrong")?;
    let host = Host::start(&tools.weft, &scratch.path().join("host"), &[])?;
    let app = scratch.write("desk.yaml", manifest(tools, &[Kind::Typed], ""))?;
    host.deploy(&[app])?;
    check_responses(&host, &[Kind::Typed])?;
    let before = host.requests()?;
    // First: the allocator has kept no memory of other bodies yet.
    let memory = memory(&host)?;
    let (body, _) = order::wrong_at_its_end(TIMED_BYTES);
    let times = (0..effort.choose(50, 5)).map(|_| refused_in(&host, &body));
    let times = times.collect::<Result<Vec<_>>>()?;
    let calls = u32::try_from(host.requests()? - before)?;
    host.end()?;
    Ok(vec![
        Row::new(
            "1 MiB body, wrong at its end: response",
            median_ms(&times),
            "ms",
        )
        .target(Target::ValueAtMost(10.0)),
        Row::new("1 MiB body, wrong at its end: calls", f64::from(calls), "")
            .target(Target::ValueAtMost(0.0)),
        memory,
    ])
}

/// Sends a wrong body, and returns the time until its response.
fn refused_in(host: &Host, body: &str) -> Result<Duration> {
    let mut connection = Connection::open(host.http).context("no connection")?;
    let start = Instant::now();
    let response = post(&mut connection, Kind::Typed, body.as_bytes())?;
    let elapsed = start.elapsed();
    ensure!(
        response.status == 400 && response.text().contains("/quantity"),
        "expected 400 for the quantity, found {} {}",
        response.status,
        response.text()
    );
    Ok(elapsed)
}

/// The peak of the resident memory for one body, beside the bytes of the body and of its encoded
/// value.
fn memory(host: &Host) -> Result<Row> {
    let (body, encoded) = order::wrong_at_its_end(LARGE_BYTES);
    let process = host.process.id();
    let before = resident(process)?.all_kib;
    reset_peak(process)?;
    refused_in(host, &body)?;
    let peak = peak_resident_kib(process)?.saturating_sub(before);
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    let row = Row::new(
        "15 MiB body, wrong at its end: memory",
        peak as f64 / 1024.0,
        "MiB",
    );
    let both = mib(body.len() + encoded);
    Ok(row
        .against("body and encoded value", both)
        .target(Target::RatioAtMost(2.0)))
}
