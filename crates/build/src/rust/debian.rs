//! The toolchain of Debian's packages: the compiler with the source of its standard library,
//! `wasi-libc`, and the linker. It needs no server of rustup.

use std::path::Path;
use std::process::Command;

use super::{Cargo, Settings, Toolchain, component_linker};
use crate::error::Error;
use crate::shell::Shell;

/// The required packages. `rustc-web` is the compiler that Debian updates for browsers; other
/// compilers may be installed beside it.
const PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "wasi-libc",
    "lld-22",
];

/// Debian's compiler by its path, since `rustc` may be that of rustup.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const WASM_LD: &str = "/usr/bin/wasm-ld-22";
const WASI_LIBC: &str = "/usr/lib/wasm32-wasi";

/// Installs the packages and the linker if they are missing.
pub(super) fn prepare(shell: &Shell, settings: &Settings<'_>) -> Result<Cargo, Error> {
    ensure_packages(shell)?;
    let linker = component_linker::ensure(shell, settings)?;
    let flags = format!(
        "-Clink-self-contained=no -Clinker={} -L{WASI_LIBC} -Clink-arg=--wasm-ld-path={WASM_LD}",
        linker.display()
    );
    Ok(Cargo {
        toolchain: Toolchain::Debian,
        program: CARGO,
        flags: vec!["-Zbuild-std=std,panic_abort"],
        variables: vec![
            // Stable compilers build the standard library only with this variable.
            ("RUSTC_BOOTSTRAP", "1".into()),
            ("RUSTC", RUSTC.into()),
            ("RUSTFLAGS", flags.into()),
            ("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort".into()),
        ],
    })
}

/// True if all packages are installed.
pub(super) fn is_installed(shell: &Shell) -> bool {
    missing(shell).is_empty()
}

fn missing(shell: &Shell) -> Vec<&'static str> {
    let packages = PACKAGES.into_iter();
    packages
        .filter(|package| !is_package_installed(shell, package))
        .collect()
}

fn ensure_packages(shell: &Shell) -> Result<(), Error> {
    let missing = missing(shell);
    if missing.is_empty() {
        return Ok(());
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    let root = shell.output(Command::new("id").arg("-u"));
    let root = root.is_ok_and(|id| id.trim() == "0");
    if !root || !Path::new("/etc/debian_version").exists() {
        return Err(Error::missing(
            "the target `wasm32-wasip2` of Rust",
            format!(
                "add it with `rustup target add wasm32-wasip2`, or on Debian run \
                 `sudo apt-get {} {}`",
                install.join(" "),
                missing.join(" ")
            ),
        ));
    }
    shell.run(Command::new("apt-get").arg("update"))?;
    shell.run(Command::new("apt-get").args(install).args(missing))
}

fn is_package_installed(shell: &Shell, package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let status = shell.output(query.args(["--show", "--showformat=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
}
