//! `cargo xtask`: what has to be done around the code, written in the language of the code.

mod bench;
mod command;
mod debian;
mod demo;
#[cfg(test)]
mod documentation;
mod guests;
mod guests_check;
mod host;
mod http;
#[cfg(test)]
mod layers;
mod lines;
mod lint;
mod shop;
mod signals;
mod simulate;
mod sources;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Automation for the Weft workspace")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds everything, runs the example shop on a host, buys something, and stays until Ctrl-C.
    Demo(demo::Options),
    /// Installs and builds what tests need, then runs all tests and says how many.
    Test(test::Options),
    /// Runs simulated lattices under faults, one for each seed, or one of them again.
    Simulate(simulate::Options),
    /// Measures Weft against baselines that are measured in the same run.
    Bench(bench::Options),
    /// Check the comments of all crates against the rules of prose, or the subjects of commits.
    Lint(lint::Options),
    /// Count the lines of code without tests, for each crate and in all.
    Lines(lines::Options),
    /// Builds the guest components under `components/` from source.
    Guests(guests::Options),
    /// Builds guests one way, describes each, and runs the example shop with them.
    GuestsCheck(guests_check::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    // So that a command is shown as it can be typed at the top of the workspace.
    std::env::set_current_dir(workspace::root()?)?;
    match task {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Simulate(options) => simulate::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Lint(options) => lint::run(&options),
        Task::Lines(options) => lines::run(&options),
        Task::Guests(options) => guests::build(&options).map(drop),
        Task::GuestsCheck(options) => guests_check::run(&options),
    }
}
