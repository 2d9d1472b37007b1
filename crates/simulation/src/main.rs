//! Runs simulated lattices; start it with `cargo xtask simulate`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use weft_simulation::{HOSTS_MAX, Options, Outcome, Summary, run, run_all};

/// Simulates lattices under faults, one for each seed.
#[derive(Parser)]
#[command(name = "weft-simulation")]
struct Cli {
    /// Number of seeds
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// First seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run only this seed
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Print the events
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Maximum number of hosts of a lattice; another maximum makes another world of a seed
    #[arg(long, default_value_t = HOSTS_MAX)]
    hosts: usize,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let options = Options {
        hosts_max: cli.hosts,
        keeps_trace: cli.trace,
        ..Options::default()
    };
    match cli.seed {
        Some(seed) => {
            let outcome = run(seed, options)?;
            Ok(print_outcome(&outcome))
        }
        None => {
            let begun = Instant::now();
            let seeds = cli.from..cli.from.saturating_add(cli.seeds);
            let summary = run_all(seeds, options)?;
            Ok(print_summary(&summary, begun, cli.hosts))
        }
    }
}

#[expect(clippy::print_stdout, reason = "the output is for people and scripts")]
fn print_outcome(outcome: &Outcome) -> ExitCode {
    for line in &outcome.lines {
        println!("{line}");
    }
    let (seed, digest, size) = (outcome.seed, outcome.digest, outcome.size);
    println!("seed {seed}, digest {digest}: {size:?}");
    match &outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("FAILED: {violation}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the output is for people and scripts")]
fn print_summary(summary: &Summary, begun: Instant, hosts: usize) -> ExitCode {
    let (worlds, total) = (summary.worlds, summary.total);
    println!(
        "{worlds} worlds with {} hosts, {} faults, {} calls and {} messages in {:.1} s; converged within {:.1} s \
         of the last fault",
        total.hosts,
        total.faults,
        total.calls,
        total.messages,
        begun.elapsed().as_secs_f64(),
        total.converged_after.as_secs_f64(),
    );
    for outcome in &summary.failed {
        let (seed, digest) = (outcome.seed, outcome.digest);
        if let Some(violation) = &outcome.violation {
            println!("FAILED seed {seed}, digest {digest}: {violation}");
        }
        let limit = match hosts {
            HOSTS_MAX => String::new(),
            hosts => format!(" --hosts {hosts}"),
        };
        println!("  replay with: cargo xtask simulate --seed {seed}{limit} --trace");
    }
    if summary.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
