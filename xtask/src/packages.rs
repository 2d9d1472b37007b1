//! Installs packages of Python and npm into folders, not into the system. A step is skipped while
//! its inputs are unchanged.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{output, run};

/// Checks that Python can make virtual environments.
///
/// # Errors
/// If it is missing, or cannot.
pub(crate) fn check_python() -> Result<()> {
    output(Command::new("python3").args(["-c", "import ensurepip, venv"]))
        .map(drop)
        .context("missing python3 with venv")
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

/// Checks that npm and a version of node are there.
///
/// # Errors
/// If one is missing, or node is older than `major_min`.
pub(crate) fn check_node(major_min: u32) -> Result<()> {
    let version = output(Command::new("node").arg("--version"))?;
    let version = version.trim();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    let found: u32 = major.with_context(|| format!("malformed version of node: `{version}`"))?;
    ensure!(
        major_min <= found,
        "node {version} is older than {major_min}"
    );
    output(Command::new("npm").arg("--version")).map(drop)
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
