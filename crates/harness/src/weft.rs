//! The command lines of `weft`.

use std::path::Path;
use std::process::Command;

/// The variables that `weft` reads.
const SETTINGS: [&str; 4] = ["WEFT_ADMIN", "WEFT_DATA_DIR", "WEFT_LOG", "XDG_DATA_HOME"];

/// A `weft` command that ignores the settings of this process.
#[must_use]
pub fn command(weft: &Path) -> Command {
    let mut command = Command::new(weft);
    for name in SETTINGS {
        command.env_remove(name);
    }
    command
}

/// Directs a `weft` command to the host with the data directory `data`.
#[must_use]
pub fn client(mut weft: Command, data: &Path, arguments: &[&str]) -> Command {
    weft.args(arguments).arg("--data-dir").arg(data);
    weft
}

/// The command of a host that takes requests on `http`, and commands on a free port.
#[must_use]
pub fn up(weft: Command, data: &Path, http: &str) -> Command {
    let arguments = ["up", "--http", http, "--admin", "127.0.0.1:0"];
    client(weft, data, &arguments)
}
