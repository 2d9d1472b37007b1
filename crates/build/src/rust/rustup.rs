//! The current toolchain, with the standard library that rustup installs for the target.

use std::path::Path;

use super::{Cargo, LINKER_VARIABLE, Settings, TARGET, Toolchain, component_linker};
use crate::error::Error;
use crate::shell::Shell;

/// Installs the target if it is missing.
///
/// # Errors
/// rustup is missing or cannot reach its server.
pub(super) fn ensure_target(shell: &Shell, settings: &Settings<'_>) -> Result<(), Error> {
    if is_installed(shell, settings) {
        return Ok(());
    }
    shell.run((settings.base)("rustup").args(["target", "add", TARGET]))
}

/// Installs the target and the linker if they are missing.
pub(super) fn prepare(shell: &Shell, settings: &Settings<'_>) -> Result<Cargo, Error> {
    ensure_target(shell, settings)?;
    let linker = component_linker::ensure(shell, settings)?;
    Ok(Cargo {
        toolchain: Toolchain::Rustup,
        program: "cargo",
        flags: Vec::new(),
        variables: vec![(LINKER_VARIABLE, linker.into())],
    })
}

/// True if the compiler has the target; the toolchain may not be one of rustup.
pub(super) fn is_installed(shell: &Shell, settings: &Settings<'_>) -> bool {
    let mut command = (settings.base)("rustc");
    let libraries = shell.output(command.args(["--print", "target-libdir", "--target", TARGET]));
    libraries.is_ok_and(|path| Path::new(path.trim()).is_dir())
}
