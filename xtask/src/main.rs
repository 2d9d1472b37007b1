//! `cargo xtask`: builds, tests, checks and measurements of the workspace.

mod bench;
mod command;
mod conformance;
mod debian;
mod demo;
#[cfg(test)]
mod documentation;
mod guests;
mod guests_check;
mod host;
#[cfg(test)]
mod layers;
mod lines;
mod lint;
mod packages;
mod release;
mod shop;
mod signals;
mod simulate;
mod sources;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Build, test, check and measure the Weft workspace"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build a host and the example shop, place an order, and run until Ctrl-C.
    Demo(demo::Options),
    /// Install and build everything that tests need, and run all tests or a selection.
    Test(test::Options),
    /// Run simulated lattices under faults, one for each seed, or replay a seed.
    Simulate(simulate::Options),
    /// Measure Weft against baselines in the same run.
    Bench(bench::Options),
    /// Pack `weft` with its documents into an archive, and try the archive.
    Release(release::Options),
    /// Check the comments of all crates against the rules of prose, or the subjects of commits.
    Lint(lint::Options),
    /// Count the lines of code without tests, for each crate and in all.
    Lines(lines::Options),
    /// Build the guest components under `components/`.
    Guests(guests::Options),
    /// Have programs of others judge the HTTP APIs of a host.
    Conformance(conformance::Options),
    /// Build guests with one toolchain, inspect each, and run the example shop with them.
    GuestsCheck(guests_check::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    // Printed commands can be pasted at the top of the workspace.
    std::env::set_current_dir(workspace::root()?)?;
    match task {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Simulate(options) => simulate::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Release(options) => release::release(&options),
        Task::Lint(options) => lint::run(&options),
        Task::Lines(options) => lines::run(&options),
        Task::Guests(options) => guests::build(&options).map(drop),
        Task::Conformance(options) => conformance::run(&options),
        Task::GuestsCheck(options) => guests_check::run(&options),
    }
}
