//! Who this host is in its lattice: an ed25519 key that it keeps in its data directory, and beside it which
//! of its lives this is.

use std::fs;
use std::io;
use std::path::Path;

use ed25519_dalek::{SECRET_KEY_LENGTH, SigningKey};
use weft_membership::HostId;
use weft_telemetry::logs::now_ms;

use crate::atomic_file::write_whole;

/// The key of a host.
pub(super) struct Identity(SigningKey);

impl Identity {
    /// Reads the key from `path`, and makes one if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or made, or is no key.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => {
                let secret = <[u8; SECRET_KEY_LENGTH]>::try_from(&bytes[..]);
                let secret = secret.map_err(|_| {
                    let found = bytes.len();
                    let message =
                        format!("expected a key of {SECRET_KEY_LENGTH} bytes, found {found}");
                    io::Error::new(io::ErrorKind::InvalidData, message)
                })?;
                Ok(Self(SigningKey::from_bytes(&secret)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path),
            Err(error) => Err(error),
        }
    }

    pub(super) fn host_id(&self) -> HostId {
        HostId::from_key(self.0.verifying_key().to_bytes())
    }

    fn make(path: &Path) -> io::Result<Self> {
        let mut secret = [0; SECRET_KEY_LENGTH];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        write_whole(path, &secret)?;
        Ok(Self(SigningKey::from_bytes(&secret)))
    }
}

/// The number of this life of the host: one more than that of the last, which is kept in `path`.
///
/// # Errors
/// If the file cannot be read or written.
pub(super) fn next_incarnation(path: &Path) -> io::Result<u64> {
    let last = match fs::read_to_string(path) {
        // A number that does not read is as good as none: the clock is far beyond what was counted.
        Ok(text) => text.trim().parse().unwrap_or_else(|_| now_ms()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let life = last + 1;
    // A host with half a file would not start again.
    write_whole(path, life.to_string().as_bytes())?;
    Ok(life)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::atomic_file::OWNER_MODE;

    #[test]
    fn a_host_is_the_same_one_after_a_restart_and_its_key_is_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.key");
        let first = Identity::open(&path).unwrap().host_id();
        assert_eq!(Identity::open(&path).unwrap().host_id(), first);
        let other = Identity::open(&directory.path().join("other.key")).unwrap();
        assert_ne!(other.host_id(), first);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, OWNER_MODE);
    }

    #[test]
    fn each_life_has_a_higher_number_than_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.life");
        assert_eq!(next_incarnation(&path).unwrap(), 1);
        assert_eq!(next_incarnation(&path).unwrap(), 2);
        fs::write(&path, "torn").unwrap();
        let after = next_incarnation(&path).unwrap();
        assert!(after > 1_000_000_000_000, "{after}");
        assert_eq!(next_incarnation(&path).unwrap(), after + 1);
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.key");
        fs::write(&path, b"short").unwrap();
        let error = Identity::open(&path).err().unwrap();
        assert_eq!(error.to_string(), "expected a key of 32 bytes, found 5");
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
