//! Components in Python, by `componentize-py`.

use std::path::PathBuf;
use std::process::Command;

use crate::error::Error;
use crate::shell::Shell;
use crate::{Sources, cache};

/// The release of `componentize-py`.
pub const COMPONENTIZE_PY: &str = "0.25.1";

/// Checks that Python with `venv` is on this machine.
///
/// # Errors
/// It is missing.
pub fn check(shell: &Shell) -> Result<(), Error> {
    let found = shell.output(Command::new("python3").args(["-c", "import ensurepip, venv"]));
    found.map(drop).map_err(|_| {
        Error::missing(
            "`python3` with the modules `venv` and `ensurepip`",
            "install Python 3.10 or newer, on Debian with `sudo apt-get install python3-venv`",
        )
    })
}

/// The path of `componentize-py`, which is installed into a venv of its own if it is missing.
///
/// # Errors
/// Python is missing, or the installation fails.
pub fn ensure(shell: &Shell) -> Result<PathBuf, Error> {
    let release = format!("componentize-py-{COMPONENTIZE_PY}");
    let venv = cache::ensure(shell, &release, |venv| {
        check(shell)?;
        shell.run(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(venv),
        )?;
        let requirement = format!("componentize-py=={COMPONENTIZE_PY}");
        shell.run(Command::new(venv.join("bin/pip")).args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            &requirement,
        ]))
    })?;
    Ok(venv.join("bin/componentize-py"))
}

/// Makes a component of a module and its imports.
///
/// # Errors
/// The tool cannot be installed, or fails.
pub fn build(shell: &Shell, sources: &Sources) -> Result<(), Error> {
    let tool = ensure(shell)?;
    shell.run(
        Command::new(tool)
            .current_dir(&sources.dir)
            .arg("-d")
            .arg(&sources.wit)
            .args(["-w", &sources.world, "componentize", &sources.entry, "-o"])
            .arg(&sources.output),
    )
}
