//! The token that authorises the control protocol: random, in a file that only its owner can read.

use std::path::{Path, PathBuf};
use std::{fs, io};

use weft_state::atomic_file;

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
    atomic_file::write(&path(data_directory), token.as_bytes())
}
