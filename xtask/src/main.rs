//! `cargo xtask`: what has to be done around the code, written in the language of the code.

mod command;
mod guests;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Automation for the Weft workspace")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the guest components under `components/` from source.
    Guests(guests::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Guests(options) => guests::build(&options).map(drop),
    }
}
