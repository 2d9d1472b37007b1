//! The token that authorises the control protocol: random, in a file that only its owner can read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use weft_state::{atomic_file, data_directory};

/// The token's file in a data directory.
pub const TOKEN_FILE: &str = "admin.token";

/// The file that names the admin address of the host that uses a data directory.
pub const ADDRESS_FILE: &str = "admin.address";

/// The Unix socket of the admin API, in the folder of a host.
pub const SOCKET_FILE: &str = "admin.sock";

/// The path of the Unix socket of the host that uses a data directory; `None` if there is none.
#[must_use]
pub fn socket(data_directory: &Path) -> Option<PathBuf> {
    let path = data_directory::private(data_directory).join(SOCKET_FILE);
    path.exists().then_some(path)
}

/// The path of the token in a data directory: that of its host, or else of a copy from another
/// machine, which is in the directory itself.
#[must_use]
pub fn path(data_directory: &Path) -> PathBuf {
    find(data_directory, TOKEN_FILE)
}

/// Reads the admin address that a host recorded; `None` if no host did.
#[must_use]
pub fn read_address(data_directory: &Path) -> Option<String> {
    let recorded = fs::read_to_string(find(data_directory, ADDRESS_FILE)).ok()?;
    let recorded = recorded.trim();
    (!recorded.is_empty()).then(|| recorded.to_owned())
}

/// Reads the token.
///
/// # Errors
/// The error of the operating system.
pub fn read(data_directory: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path(data_directory))?.trim().to_owned())
}

/// Writes `token` and the admin address to files that only their owner can read, in the folder of a
/// host. Older ones are replaced.
///
/// # Errors
/// The error of the operating system.
pub fn write(folder: &Path, token: &str, address: SocketAddr) -> io::Result<()> {
    atomic_file::write(&folder.join(TOKEN_FILE), token.as_bytes())?;
    atomic_file::write(&folder.join(ADDRESS_FILE), address.to_string().as_bytes())
}

fn find(data_directory: &Path, name: &str) -> PathBuf {
    let of_host = data_directory::private(data_directory).join(name);
    match of_host.exists() {
        true => of_host,
        false => data_directory.join(name),
    }
}
