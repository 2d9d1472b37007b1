//! `weft completions`: prints completion scripts for shells.

use clap::Args;
use clap_complete::Shell;
use serde::Serialize;

use crate::completion;
use crate::failure::Failure;
use crate::output::{self, Format, Report};

const AFTER_HELP: &str = "\
Examples:
  weft completions bash > ~/.local/share/bash-completion/completions/weft
  weft completions zsh > \"${fpath[1]}/_weft\"
  weft completions fish > ~/.config/fish/completions/weft.fish

Shells complete commands and options, and with a host in reach also apps, components and functions:
  weft call shop/<TAB>
  weft call shop/pricing <TAB>";

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Completions {
    /// Shell to complete in
    #[arg(value_enum)]
    shell: Shell,
}

/// A completion script.
#[derive(Debug, Serialize)]
struct Script(String);

impl Completions {
    /// Runs the command.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn run(self) -> Result<(), Failure> {
        output::report(&Script(completion::script(self.shell)?), Format::Text)?;
        Ok(())
    }
}

impl Report for Script {
    fn text(&self) -> String {
        self.0.clone()
    }
}
