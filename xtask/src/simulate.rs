//! `cargo xtask simulate`: lattices under faults, one for each seed (`crates/simulation`).

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::command;
use crate::workspace::{cargo, target_directory};

/// Which simulations to run.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this seed alone.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Print what happens in it.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// The most hosts of a lattice.
    #[arg(long)]
    hosts: Option<u32>,
}

/// Builds the simulation and runs it.
///
/// # Errors
/// If an invariant does not hold; what failed is printed, with how to replay it.
pub(crate) fn run(options: &Options) -> Result<()> {
    // Of the whole workspace, so that its features are those that everything else is built with.
    command::run(cargo().args(["build", "--workspace", "--bin", "weft-simulation"]))?;
    let program = target_directory()?.join("debug").join("weft-simulation");
    command::run(Command::new(program).args(arguments(options)))
}

fn arguments(options: &Options) -> Vec<String> {
    let mut arguments = match options.seed {
        Some(seed) => vec![format!("--seed={seed}")],
        None => vec![
            format!("--seeds={}", options.seeds),
            format!("--from={}", options.from),
        ],
    };
    if options.trace {
        arguments.push("--trace".to_owned());
    }
    if let Some(hosts) = options.hosts {
        arguments.push(format!("--hosts={hosts}"));
    }
    arguments
}
