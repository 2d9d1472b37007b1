//! `wasm-component-ld`, the linker that makes a component from a core module.
//!
//! Rust's toolchains include one. That of Rust 1.95 does not know `map` and imports with plain
//! names, so a newer release is built from cargo's registry, once for all guests. Without
//! optimization that takes half a minute, and linking a guest takes no longer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Folders;
use crate::command::{output, print_line, run};

const NAME: &str = "wasm-component-ld";

/// The release to build. A toolchain's own linker is used if it is not older.
const RELEASE: &str = "0.5.31";

/// The path of the linker, which is built if it is missing.
///
/// # Errors
///
/// If cargo cannot build it.
pub(super) fn ensure(folders: &Folders) -> Result<PathBuf> {
    let tools = folders.target.join("tools");
    let built = tools.join("bin").join(NAME);
    let own = of_toolchain(folders);
    if let Some(linker) = own
        .into_iter()
        .chain([built.clone()])
        .find(|it| is_recent(it))
    {
        return Ok(linker);
    }
    print_line(&format!("building {NAME} {RELEASE}, once for all guests"));
    run(folders
        .cargo("cargo")
        .args(["install", NAME, "--version", RELEASE, "--locked"])
        .args(["--debug", "--force", "--root"])
        .arg(&tools)
        // A tenth of the size.
        .env("CARGO_PROFILE_DEV_DEBUG", "false"))
    .with_context(|| format!("cannot build `{NAME}`, the linker for components"))?;
    Ok(built)
}

fn of_toolchain(folders: &Folders) -> Option<PathBuf> {
    let sysroot = output(folders.cargo("rustc").args(["--print", "sysroot"])).ok()?;
    let hosts = fs::read_dir(Path::new(sysroot.trim()).join("lib/rustlib")).ok()?;
    hosts
        .filter_map(|host| Some(host.ok()?.path().join("bin").join(NAME)))
        .find(|linker| linker.exists())
}

/// True if a linker exists and is not older than [`RELEASE`].
fn is_recent(linker: &Path) -> bool {
    let printed = output(Command::new(linker).arg("--version"));
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
