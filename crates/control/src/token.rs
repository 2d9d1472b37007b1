//! The token that authorises the control protocol: random, in a file that only its owner can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The token's file in a data directory.
pub const TOKEN_FILE: &str = "admin.token";

/// The file that names the admin address of the host that uses a data directory.
pub const ADDRESS_FILE: &str = "admin.address";

/// The path of the token in a data directory.
#[must_use]
pub fn path(data_directory: &Path) -> PathBuf {
    data_directory.join(TOKEN_FILE)
}

/// Reads the token.
///
/// # Errors
/// The error of the operating system.
pub fn read(data_directory: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path(data_directory))?.trim().to_owned())
}

/// Writes `token` to a file that only its owner can read, and replaces an older one.
///
/// # Errors
/// The error of the operating system.
pub fn write(data_directory: &Path, token: &str) -> io::Result<()> {
    let temporary = data_directory.join(".admin.token.new");
    let _ = fs::remove_file(&temporary);
    // The mode is set at creation, so that other users can never open the file.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path(data_directory))
}
