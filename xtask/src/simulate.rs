//! `cargo xtask simulate`: lattices under faults, one for each seed (`crates/simulation`).

use anyhow::Result;
use clap::Args;

use crate::command;
use crate::workspace::cargo;

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

/// Runs them.
///
/// # Errors
/// If an invariant does not hold; what failed is printed, with how to replay it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "weft-simulation", "--"]);
    match options.seed {
        Some(seed) => {
            command.args(["--seed", &seed.to_string()]);
            if options.trace {
                command.arg("--trace");
            }
        }
        None => {
            command.args(["--seeds", &options.seeds.to_string()]);
            command.args(["--from", &options.from.to_string()]);
        }
    }
    if let Some(hosts) = options.hosts {
        command.args(["--hosts", &hosts.to_string()]);
    }
    command::run(&mut command)
}
