//! `wasm-component-ld`, the linker that makes a component from a core module.
//!
//! Rust's toolchains include one. That of Rust 1.95 does not know `map` and imports with plain
//! names, so a newer release is built from cargo's registry, once for all components. Without
//! optimization that takes half a minute, and linking a component takes no longer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Settings;
use crate::cache;
use crate::error::Error;
use crate::shell::Shell;

const NAME: &str = "wasm-component-ld";

/// The release to build. A toolchain's own linker is used if it is not older.
const RELEASE: &str = "0.5.31";

/// The path of the linker: the user's, the toolchain's if it is recent, else one in the cache
/// folder, which is built if it is missing. The toolchain's stands in where it cannot be built.
///
/// # Errors
///
/// If cargo cannot build it, and the toolchain has none.
pub(crate) fn ensure(shell: &Shell, settings: &Settings<'_>) -> Result<PathBuf, Error> {
    if let Some(linker) = &settings.linker {
        return Ok(linker.clone());
    }
    let own = of_toolchain(shell, settings);
    if let Some(linker) = own.as_ref().filter(|linker| is_recent(shell, linker)) {
        return Ok(linker.clone());
    }
    let folder = cache::ensure(shell, &format!("{NAME}-{RELEASE}"), |folder| {
        shell.note(format!(
            "building {NAME} {RELEASE}, once for all components"
        ));
        install(shell, settings, folder, &[NAME, "--version", RELEASE])
    });
    match (folder, own) {
        (Ok(folder), _) => Ok(folder.join("bin").join(NAME)),
        // Without network, for example.
        (Err(Error::Install { .. }), Some(own)) => {
            shell.note(format!(
                "using the older {NAME} of the toolchain, which refuses imports with plain names"
            ));
            Ok(own)
        }
        (Err(error), _) => Err(error),
    }
}

/// Runs `cargo install` for a tool of this machine.
pub(crate) fn install(
    shell: &Shell,
    settings: &Settings<'_>,
    folder: &Path,
    package: &[&str],
) -> Result<(), Error> {
    let mut command = (settings.base)("cargo");
    // The configuration of the sources is not that of the tool.
    command.current_dir(folder);
    for name in ["CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "RUSTFLAGS"] {
        command.env_remove(name);
    }
    command
        .arg("install")
        .args(package)
        .args(["--locked", "--debug", "--force", "--root"])
        .arg(folder)
        // A tenth of the size.
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    shell.run(&mut command)
}

fn of_toolchain(shell: &Shell, settings: &Settings<'_>) -> Option<PathBuf> {
    let mut rustc = (settings.base)("rustc");
    let sysroot = shell.output(rustc.args(["--print", "sysroot"])).ok()?;
    let hosts = fs::read_dir(Path::new(sysroot.trim()).join("lib/rustlib")).ok()?;
    hosts
        .filter_map(|host| Some(host.ok()?.path().join("bin").join(NAME)))
        .find(|linker| linker.exists())
}

/// True if a linker exists and is not older than [`RELEASE`].
fn is_recent(shell: &Shell, linker: &Path) -> bool {
    let printed = shell.output(Command::new(linker).arg("--version"));
    let printed = printed.unwrap_or_default();
    let version = printed.split_whitespace().nth(1).and_then(numbers);
    version.is_some_and(|version| Some(version) >= numbers(RELEASE))
}

/// The numbers of a version; `None` for a pre-release.
fn numbers(version: &str) -> Option<Vec<u32>> {
    let numbers = version.split('.').map(str::parse);
    numbers.collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(numbers("0.5.31") > numbers("0.5.9"));
        assert!(numbers("0.6.0") > numbers(RELEASE));
        assert!(numbers("1.0.0-rc.1").is_none());
    }
}
