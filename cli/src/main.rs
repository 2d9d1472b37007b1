//! The `weft` command: reads its arguments, runs one command, ends with a documented exit code.
//!
//! | module | owns |
//! | --- | --- |
//! | [`arguments`] | the command line, help texts included |
//! | [`commands`] | one file for each command |
//! | [`environment`] | everything that comes from the environment |
//! | [`output`] | everything that is printed |
//! | [`faults`] | what a drill may do to the process of a host |
//! | [`failure`] | what a user is told when a command fails, and the exit code |

mod arguments;
mod artifact;
mod commands;
mod connection;
mod environment;
mod failure;
mod faults;
mod interfaces;
mod logging;
mod manifest;
mod nearest;
mod output;
mod polling;
mod providers;
mod rows;
mod signals;
mod table;
mod target;
mod time;
mod urls;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use crate::arguments::Arguments;

/// What it brings is in `docs/performance.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // A mistake in the arguments ends the process here, with exit code 2.
    let arguments = Arguments::parse();
    match commands::run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure);
            failure.kind().exit_code()
        }
    }
}
