//! Programs that come from Debian's packages, installed where that can be done.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{output, run};

/// Sees to it that there is a program, of the package of its name; `why` begins the message where it cannot be
/// installed.
///
/// # Errors
/// If it is not there and this is no Debian, or the user is not root.
pub(crate) fn ensure(program: &str, why: &str) -> Result<()> {
    // Not every program has an option that only tells something and succeeds; that it starts is enough.
    if Command::new(program).arg("--version").output().is_ok() {
        return Ok(());
    }
    let install = ["install", "--yes", "--no-install-recommends", program];
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !is_root || !Path::new("/etc/debian_version").exists() {
        bail!(
            "{why}: install it, on Debian with `sudo apt-get {}`",
            install.join(" ")
        );
    }
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get").args(install))
}
