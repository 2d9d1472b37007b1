//! How long it takes to make and to compile the stub and the skeleton of an interface of twenty functions.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::bench::Effort;
use crate::bench::row::{Row, Target};
use crate::bench::stats::median;
use crate::bench::tools::Tools;
use crate::command::output;

/// What the program prints.
#[derive(Debug, Deserialize)]
struct Measured {
    /// Making both, and compiling both.
    cold_ms: f64,
    /// Of these, making them.
    generate_ms: f64,
    /// Asking for both again, of the same components.
    cached_ms: f64,
    /// And of other components with the same interface.
    interface_cached_ms: f64,
}

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    // Each run is a process of its own: nothing is warm.
    let runs = (0..effort.choose(9, 2)).map(|_| {
        let printed = output(&mut Command::new(&tools.link_code))?;
        let measured: Result<Measured, _> = serde_json::from_str(&printed);
        measured.context("the program that makes stubs does not print what is expected")
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
