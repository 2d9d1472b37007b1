//! The toolchain of Debian's packages: the compiler with the source of its standard library,
//! `wasi-libc`, and the linker. It needs no server of rustup.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::{Folders, cargo_build, component_linker};
use crate::command::{output, run};

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

pub(super) fn build(folders: &Folders, names: &[&str]) -> Result<PathBuf> {
    ensure_packages()?;
    let linker = component_linker::ensure(folders)?;
    let flags = format!(
        "-Clink-self-contained=no -Clinker={} -L{WASI_LIBC} -Clink-arg=--wasm-ld-path={WASM_LD}",
        linker.display()
    );
    let mut cargo = folders.cargo(CARGO);
    // Stable compilers build the standard library only with this variable.
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", RUSTC)
        .env("RUSTFLAGS", flags);
    cargo.args(["build", "-Zbuild-std=std,panic_abort"]);
    cargo_build(&mut cargo, &folders.target.join("debian"), names)
}

fn ensure_packages() -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .into_iter()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || !Path::new("/etc/debian_version").exists() {
        bail!(
            "to build guests, either add the target with `rustup target add wasm32-wasip2`, \
             or on Debian run `sudo apt-get {} {}`",
            install.join(" "),
            missing.join(" ")
        );
    }
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get").args(install).args(missing))
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let status = output(query.args(["--show", "--showformat=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
}
