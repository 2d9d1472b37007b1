//! Archives: packed so that the same files make the same bytes, with their checksums.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command::{output, run};

/// The file of checksums, in the form of `sha256sum`.
pub(super) const CHECKSUMS: &str = "SHA256SUMS";

/// Packs the folder `name` within `archives`, and writes the checksum.
///
/// # Errors
/// If a command fails.
pub(super) fn pack(archives: &Path, name: &str) -> Result<PathBuf> {
    let file = format!("{name}.tar.gz");
    // The time of the commit, so that a build of the same commit gives the same archive.
    let time = output(Command::new("git").args(["log", "-1", "--format=%ct"]))?;
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--gzip",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
    ]);
    tar.arg(format!("--mtime=@{}", time.trim()))
        .env("GZIP", "-n");
    run(tar
        .arg("--directory")
        .arg(archives)
        .arg("--file")
        .arg(archives.join(&file))
        .arg(name))?;
    let sums = output(Command::new("sha256sum").arg(&file).current_dir(archives))?;
    fs::write(archives.join(CHECKSUMS), sums)?;
    Ok(archives.join(file))
}

/// Verifies the checksums.
///
/// # Errors
/// If a file has another one.
pub(super) fn verify(archives: &Path) -> Result<()> {
    run(Command::new("sha256sum")
        .args(["--check", CHECKSUMS])
        .current_dir(archives))
}

/// Unpacks an archive into a folder.
///
/// # Errors
/// If the command fails.
pub(super) fn unpack(file: &Path, folder: &Path) -> Result<()> {
    run(Command::new("tar")
        .args(["--extract", "--gzip", "--file"])
        .arg(file)
        .arg("--directory")
        .arg(folder))
}
