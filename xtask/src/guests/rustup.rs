//! The current toolchain, with the standard library that rustup installs for the target.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Folders, TARGET, cargo_build, component_linker};
use crate::command::{output, run};

/// Installs the target if it is missing.
///
/// # Errors
///
/// If rustup is missing or cannot reach its server.
pub(super) fn ensure_target(folders: &Folders) -> Result<()> {
    if is_installed(folders) {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", TARGET]))
        .with_context(|| format!("cannot install the target `{TARGET}`"))
}

pub(super) fn build(folders: &Folders, names: &[&str]) -> Result<PathBuf> {
    let linker = component_linker::ensure(folders)?;
    let mut cargo = folders.cargo("cargo");
    cargo
        .arg("build")
        .env("CARGO_TARGET_WASM32_WASIP2_LINKER", linker);
    cargo_build(&mut cargo, &folders.target.join("rustup"), names)
}

/// True if the compiler has the target; the toolchain may not be one of rustup.
fn is_installed(folders: &Folders) -> bool {
    let mut command = folders.cargo("rustc");
    let libraries = output(command.args(["--print", "target-libdir", "--target", TARGET]));
    libraries.is_ok_and(|path| Path::new(path.trim()).is_dir())
}
