//! The `weft` command: parses arguments, runs one command, exits with a documented code.
//!
//! | module | owns |
//! | --- | --- |
//! | [`arguments`] | the command line, help texts included |
//! | [`build`] | builds of components, as a stream of events |
//! | [`templates`] | the projects that `weft new` makes |
//! | [`commands`] | one file for each command |
//! | [`environment`] | settings from the environment and shared options |
//! | [`contexts`] | named settings in a file of the user |
//! | [`contact`] | the host or lattice of the command, for failures |
//! | [`completion`] | names for completion in shells, from a host |
//! | [`output`] | printing to standard output and standard error |
//! | [`progress`] | a line of progress for people at a terminal |
//! | [`styled`] | styles of text and their colours |
//! | [`faults`] | fault injection into the process of a host |
//! | [`failure`] | error messages and exit codes |
//! | [`habits`] | commands of other tools, and those of weft instead |

mod all_hosts;
mod arguments;
mod artifact;
mod breaking_changes;
mod build;
mod commands;
mod completion;
mod connection;
mod consent;
mod contact;
mod contexts;
mod deployed;
mod did_you_mean;
mod environment;
mod failure;
mod faults;
mod get_columns;
mod habits;
mod interfaces;
mod listing;
mod logging;
mod manifest;
mod manifest_files;
mod openapi;
mod output;
mod placement_table;
mod progress;
mod providers;
mod row_joins;
mod selector;
mod signals;
mod styled;
mod table;
mod target;
mod templates;
mod time;
mod urls;
mod wait;
mod watch;
mod wit_source;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use crate::arguments::Arguments;

/// Measured in `docs/performance.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Ends the process after a request for completions from a shell.
    completion::reply_to_shell();
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => commands::run(arguments.command),
        Err(error) => match habits::failure(&environment::arguments(), &error) {
            Some(failure) => Err(failure),
            // Ends the process: with exit code 2, or with 0 after the help.
            None => error.exit(),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure);
            failure.kind().exit_code()
        }
    }
}
