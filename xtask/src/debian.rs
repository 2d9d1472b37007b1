//! Installs programs from Debian's packages.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{output, run};

/// Installs the package of a program if the program is missing. The error starts with `reason`.
///
/// # Errors
/// If the program is missing, and the system is not Debian or the user is not root.
pub(crate) fn ensure(program: &str, reason: &str) -> Result<()> {
    // Some programs fail with this option; it is enough that they start.
    if Command::new(program).arg("--version").output().is_ok() {
        return Ok(());
    }
    let install = ["install", "--yes", "--no-install-recommends", program];
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !is_root || !Path::new("/etc/debian_version").exists() {
        bail!(
            "{reason}: install it, on Debian with `sudo apt-get {}`",
            install.join(" ")
        );
    }
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get").args(install))
}
