//! `cargo xtask simulate`: lattices under faults, one for each seed (`crates/simulation`).

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::command;
use crate::workspace::{cargo, target_directory};

/// The seeds to run.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Run this number of seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// Start with this seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Replay this seed only.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Print the events of the simulation.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Limit the number of hosts in a lattice.
    #[arg(long)]
    hosts: Option<u32>,
}

/// Builds the simulation and runs it.
///
/// # Errors
/// If an invariant is violated; the simulation prints it, with the command that replays it.
pub(crate) fn run(options: &Options) -> Result<()> {
    // With the features of the whole workspace, dependencies are not built a second time.
    // With a test target, dependencies have the features that the build of all tests gives them.
    let targets = ["--bin", "weft-simulation", "--test", "simulation"];
    command::run(cargo().args(["build", "--workspace"]).args(targets))?;
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
