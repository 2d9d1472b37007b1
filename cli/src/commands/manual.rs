//! `weft manual`: writes the manual pages.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use serde::Serialize;

use crate::arguments::Arguments;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Report};

const AFTER_HELP: &str = "\
Examples:
  weft manual ~/.local/share/man/man1      then: man weft, man weft-deploy
  weft manual /tmp && man /tmp/weft.1";

/// Write the manual pages: one for weft, and one for each command
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Manual {
    /// Folder for the pages; created if it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// The pages that were written.
#[derive(Debug, Serialize)]
struct Written {
    folder: PathBuf,
}

impl Manual {
    /// Runs the command.
    ///
    /// # Errors
    /// A page cannot be written.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let Self { folder } = self;
        let written = fs::create_dir_all(&folder)
            .and_then(|()| clap_mangen::generate_to(Arguments::command(), &folder));
        written.map_err(|error| {
            let message = format!("cannot write manual pages to `{}`", folder.display());
            Failure::new(Kind::Failed, message)
                .caused_by(&error)
                .or_help("give a folder that you can write to")
        })?;
        output::report(&Written { folder }, Format::Text).map(drop)
    }
}

impl Report for Written {
    fn text(&self) -> String {
        let folder = self.folder.display();
        format!("manual pages are in {folder}; `man {folder}/weft.1` shows the first")
    }
}
