//! Components in JavaScript, by `componentize-js`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::error::Error;
use crate::shell::Shell;
use crate::{Sources, cache};

/// The release of `componentize-js`.
pub const COMPONENTIZE_JS: &str = "0.23.0";

/// The oldest node that `componentize-js` runs on.
const NODE_MAJOR_MIN: u32 = 20;

/// The tool is a library, called by this script.
const SCRIPT: &str = include_str!("componentize.mjs");

/// Checks that node and npm are on this machine, and new enough.
///
/// # Errors
/// One is missing or too old.
pub fn check(shell: &Shell) -> Result<(), Error> {
    let help = format!("install node {NODE_MAJOR_MIN} or newer with npm, from https://nodejs.org");
    let missing = |tool: String| Error::missing(tool, help.clone());
    let version = shell
        .output(Command::new("node").arg("--version"))
        .map_err(|_| missing("`node`".to_owned()))?;
    let version = version.trim();
    let major = version.trim_start_matches('v').split('.').next();
    let major: Option<u32> = major.and_then(|major| major.parse().ok());
    if major.is_none_or(|major| major < NODE_MAJOR_MIN) {
        let tool = format!("node {NODE_MAJOR_MIN} or newer: found {version}");
        return Err(missing(tool));
    }
    let npm = shell.output(Command::new("npm").arg("--version"));
    npm.map(drop).map_err(|_| missing("`npm`".to_owned()))
}

/// The path of the script that makes components. The tool is installed if it is missing.
///
/// # Errors
/// Node or npm is missing, or the installation fails.
pub fn ensure(shell: &Shell) -> Result<PathBuf, Error> {
    let release = format!("componentize-js-{COMPONENTIZE_JS}");
    let folder = cache::ensure(shell, &release, |folder| {
        check(shell)?;
        let package = format!(
            "{{\"private\": true, \"dependencies\": \
             {{\"@bytecodealliance/componentize-js\": \"{COMPONENTIZE_JS}\"}}}}\n"
        );
        let write = |name, content: &str| {
            let path = folder.join(name);
            fs::write(&path, content).map_err(Error::of("write", &path))
        };
        write("package.json", &package)?;
        write("componentize.mjs", SCRIPT)?;
        shell.run(
            Command::new("npm")
                .args(["install", "--no-package-lock", "--no-audit", "--no-fund"])
                .args(["--loglevel", "error"])
                .current_dir(folder),
        )
    })?;
    Ok(folder.join("componentize.mjs"))
}

/// The features of `componentize-js` for HTTP: `fetch`, and the event of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// Present: the component imports `wasi:http`.
    Used,
    /// Absent: the component imports nothing of `wasi:http`.
    Unused,
}

/// Makes a component of a module.
///
/// # Errors
/// The tool cannot be installed, or fails.
pub fn build(shell: &Shell, sources: &Sources, http: Http) -> Result<(), Error> {
    let script = ensure(shell)?;
    let mut command = Command::new("node");
    command
        .current_dir(&sources.dir)
        .arg(script)
        .arg(format!("{}.js", sources.entry))
        .arg(&sources.wit)
        .arg(&sources.world)
        .arg(&sources.output);
    if http == Http::Unused {
        command.args(["http", "fetch-event"]);
    }
    shell.run(&mut command)
}
