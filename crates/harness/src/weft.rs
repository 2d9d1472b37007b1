//! The command lines of `weft`.

use std::path::Path;
use std::process::Command;

/// The variables that `weft` reads.
pub const SETTINGS: [&str; 17] = [
    "WEFT_ADMIN",
    "WEFT_CONTEXT",
    "WEFT_DATA_DIR",
    "WEFT_LATTICE",
    "WEFT_LOG",
    "WEFT_NATS",
    "WEFT_NATS_CA",
    "WEFT_NATS_CERT",
    "WEFT_NATS_CREDS",
    "WEFT_NATS_DOMAIN",
    "WEFT_NATS_KEY",
    "WEFT_NATS_NKEY",
    "WEFT_NATS_PASSWORD",
    "WEFT_NATS_TOKEN",
    "WEFT_NATS_USER",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

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
