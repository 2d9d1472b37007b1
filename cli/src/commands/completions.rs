//! `weft completions`: prints completion scripts for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::{self, Format, Report};

const AFTER_HELP: &str = "\
Examples:
  weft completions bash > ~/.local/share/bash-completion/completions/weft
  weft completions zsh > \"${fpath[1]}/_weft\"
  weft completions fish > ~/.config/fish/completions/weft.fish";

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
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "weft", &mut script);
        let script = Script(String::from_utf8_lossy(&script).into_owned());
        output::report(&script, Format::Text)?;
        Ok(())
    }
}

impl Report for Script {
    fn text(&self) -> String {
        self.0.clone()
    }
}
