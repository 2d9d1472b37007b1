//! The ordinary way: the toolchain in use, with the standard library that rustup installs for the target.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Folders, TARGET, cargo_build};
use crate::command::{output, run};

/// Installs the target where it is missing.
///
/// # Errors
///
/// If there is no rustup, or it cannot reach its server.
pub(super) fn ensure_target(folders: &Folders) -> Result<()> {
    if is_installed(folders) {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", TARGET]))
        .with_context(|| format!("cannot install the target `{TARGET}`"))
}

pub(super) fn build(folders: &Folders, names: &[&str]) -> Result<PathBuf> {
    cargo_build(
        folders.cargo("cargo").arg("build"),
        &folders.target.join("rustup"),
        names,
    )
}

/// Asks the compiler and not rustup: a toolchain may have come another way.
fn is_installed(folders: &Folders) -> bool {
    let mut command = folders.cargo("rustc");
    let libraries = output(command.args(["--print", "target-libdir", "--target", TARGET]));
    libraries.is_ok_and(|path| Path::new(path.trim()).is_dir())
}
