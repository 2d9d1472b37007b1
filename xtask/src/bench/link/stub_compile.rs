//! Generation and compilation of the stub and the skeleton of an interface with twenty functions.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::bench::Effort;
use crate::bench::row::{Row, Target};
use crate::bench::stats::median;
use crate::bench::tools::Tools;
use crate::command::output;

/// The output of the program `link_code`.
#[derive(Debug, Deserialize)]
struct Measured {
    /// Generation and compilation of both.
    cold_ms: f64,
    /// The part of the generation.
    generate_ms: f64,
    /// A lookup of both for the same components.
    cached_ms: f64,
    /// A lookup for other components with the same interface.
    interface_cached_ms: f64,
}

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    // Each run is a process of its own: nothing is warm.
    let runs = (0..effort.choose(9, 2)).map(|_| {
        let printed = output(&mut Command::new(&tools.link_code))?;
        let measured: Result<Measured, _> = serde_json::from_str(&printed);
        measured.context("unexpected output of `link_code`")
    });
    let runs = runs.collect::<Result<Vec<_>>>()?;
    let row = |name: &str, of: fn(&Measured) -> f64| {
        let name = format!("stub and skeleton of 20 functions, {name}");
        Row::new(name, median(runs.iter().map(of).collect()), "ms")
    };
    Ok(vec![
        row("made and compiled", |run| run.cold_ms).target(Target::ValueAtMost(100.0)),
        row("made", |run| run.generate_ms),
        row("asked for again", |run| run.cached_ms).target(Target::ValueAtMost(1.0)),
        row("for other components", |run| run.interface_cached_ms),
    ])
}
