//! Installs packages of Python and npm into folders, not into the system. A step is skipped while
//! its inputs are unchanged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use weft_build::{Cancel, Event, Output, Shell};

use crate::command::{print_line, run};

/// Runs the tools of languages, which are installed below the folder `tools`.
pub(crate) fn shell(tools: PathBuf) -> Shell {
    Shell::new(
        tools,
        Output::Inherited,
        Cancel::default(),
        |event| match event {
            Event::Command { command } => print_line(&format!("$ {command}")),
            Event::Note { message } => print_line(&message),
            Event::Output { line, .. } => print_line(&line),
            Event::CompilerMessage { .. } => {}
        },
    )
}

/// Installs the packages of a file of requirements into a virtual environment. `program` is one of
/// the installed programs.
///
/// # Errors
/// If Python or a package is not available.
pub(crate) fn install_python(requirements: &Path, venv: &Path, program: &Path) -> Result<()> {
    make("", &[requirements], program, || {
        // One of other requirements may have packages that these do not replace.
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(venv))?;
        run(Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--requirement"])
            .arg(requirements))
    })
}

/// Does the work unless the product was made from the same inputs by the same release of its tool.
/// A copy of the inputs is stored beside the product, so contents are compared and not times.
///
/// # Errors
/// If an input cannot be read, or the work fails.
pub(crate) fn make(
    release: &str,
    inputs: &[&Path],
    product: &Path,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut content = release.as_bytes().to_vec();
    for input in inputs {
        content
            .extend(fs::read(input).with_context(|| format!("cannot read {}", input.display()))?);
        content.push(0);
    }
    let mut stamp = product.as_os_str().to_owned();
    stamp.push(".made-from");
    if product.exists() && fs::read(&stamp).is_ok_and(|made_from| made_from == content) {
        return Ok(());
    }
    work()?;
    fs::write(&stamp, content).with_context(|| format!("cannot write {}", stamp.display()))
}
