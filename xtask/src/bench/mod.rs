//! `cargo xtask bench`: measures Weft, each number beside a baseline from the same run.
//!
//! Each group of [`Row`]s is a module; this one selects groups and prints their rows. Baseline
//! programs are installed into a folder of the user's cache ([`tools`]), so this is not a step of
//! CI.

mod comparison;
mod fairness;
mod fused_call;
mod http;
mod idle_memory;
mod lattice;
mod link;
mod resident;
mod row;
mod scratch;
mod stats;
mod table;
mod tools;
mod typed_http;
mod warm_start;
mod weft;
mod wrk;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use self::row::Row;
use self::tools::Tools;
use crate::command::print_line;

/// The groups to measure, and the file for their rows.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Measure only these groups.
    #[arg(long, value_enum, value_name = "NAME", num_args = 1..)]
    only: Vec<Group>,
    /// Write the rows to this file as JSON; the path is relative to the top of the workspace.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure briefly: a check that everything works, with numbers of no use.
    #[arg(long)]
    quick: bool,
    /// Measure this `weft` instead of building one.
    #[arg(long, value_name = "FILE")]
    weft: Option<PathBuf>,
    /// Measure this older `weft` alternately with the other, and compare each row with it instead
    /// of with the baselines.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
}

/// The groups of rows, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Calls over a fused link, against the same components composed ahead of time.
    FusedCall,
    /// Links in each mode, against a link of dynamic values; their sessions, streams and stubs.
    Link,
    /// Calls to another host, against bare requests over the same NATS server.
    Lattice,
    /// HTTP requests, against bare hyper and `wasmtime serve`.
    Http,
    /// Requests of an HTTP API: typed routes, against a component with HTTP and JSON by hand.
    TypedHttp,
    /// Time from the start of `weft up` to the first response.
    WarmStart,
    /// Memory per idle component.
    IdleMemory,
    /// HTTP requests beside guests that run long, against an idle host.
    Fairness,
}

/// The length of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    /// Long enough for a median that can be trusted on a quiet machine.
    Full,
    /// Long enough to check that the measurement works.
    Quick,
}

impl Effort {
    fn choose<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

impl Group {
    fn measure(self, tools: &Tools, effort: Effort, rows: &mut Vec<Row>) -> Result<()> {
        match self {
            Self::FusedCall => rows.extend(fused_call::measure(tools, effort)?),
            Self::Link => link::measure(tools, effort, rows)?,
            Self::Lattice => rows.extend(lattice::measure(tools, effort)?),
            Self::Http => rows.extend(http::measure(tools, effort)?),
            Self::TypedHttp => rows.extend(typed_http::measure(tools, effort)?),
            Self::WarmStart => rows.extend(warm_start::measure(tools, effort)?),
            Self::IdleMemory => rows.extend(idle_memory::measure(tools, effort)?),
            Self::Fairness => rows.extend(fairness::measure(tools, effort)?),
        }
        Ok(())
    }

    /// True if the group compares Weft with other programs, which are built for it.
    fn has_baseline_programs(self) -> bool {
        match self {
            Self::FusedCall | Self::Link | Self::Lattice | Self::Http => true,
            Self::TypedHttp | Self::WarmStart | Self::IdleMemory | Self::Fairness => false,
        }
    }

    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Measures and prints the table. A missed target is marked there and is not an error.
///
/// # Errors
///
/// If something cannot be built, installed, started or measured, or the file cannot be written.
pub(crate) fn run(options: &Options) -> Result<()> {
    let effort = if options.quick {
        Effort::Quick
    } else {
        Effort::Full
    };
    let groups = match &options.only[..] {
        [] => Group::value_variants(),
        only => only,
    };
    let with_baselines = groups.iter().any(|group| group.has_baseline_programs());
    let tools = Tools::prepare(options.weft.as_deref(), with_baselines)?;
    let before = options.before.as_deref();
    let before = before.map(|weft| tools.with_weft(weft)).transpose()?;
    let mut rows = Vec::new();
    for group in groups {
        let name = group.name();
        print_line(&format!("measuring {name}"));
        let measured = match &before {
            None => group.measure(&tools, effort, &mut rows),
            Some(before) => comparison::measure(*group, before, &tools, effort)
                .map(|compared| rows.extend(compared)),
        };
        // A later failure does not lose earlier rows.
        write_json(options, &rows)?;
        if let Err(error) = measured {
            print_line(&table::render(&rows));
            return Err(error.context(format!("cannot measure `{name}`")));
        }
    }
    print_line(&table::render(&rows));
    Ok(())
}

fn write_json(options: &Options, rows: &[Row]) -> Result<()> {
    let Some(file) = &options.json else {
        return Ok(());
    };
    let mut json = serde_json::to_string_pretty(rows)?;
    json.push('\n');
    fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))
}
