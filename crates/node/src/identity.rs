//! The identity of this host in its lattice: an ed25519 key in the data directory, and the number
//! of starts beside it.

use std::fs;
use std::io;
use std::path::Path;

use ed25519_dalek::{SECRET_KEY_LENGTH, SigningKey};
use weft_membership::HostId;
use weft_state::atomic_file;
use weft_telemetry::logs::now_ms;

/// The key of a host.
pub(super) struct Identity(SigningKey);

impl Identity {
    /// Reads the key from `path`; makes one if the file is missing.
    ///
    /// # Errors
    /// If the file cannot be read or written, or is not a key.
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
        atomic_file::write(path, &secret)?;
        Ok(Self(SigningKey::from_bytes(&secret)))
    }
}

/// The incarnation of this start of the host: one more than the last, which is stored in `path`.
///
/// # Errors
/// If the file cannot be read or written.
pub(super) fn next_incarnation(path: &Path) -> io::Result<u64> {
    let last = match fs::read_to_string(path) {
        // A malformed number is replaced by the clock, which is far beyond any count of starts.
        Ok(text) => text.trim().parse().unwrap_or_else(|_| now_ms()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let incarnation = last + 1;
    // A host with a torn file would not start again.
    atomic_file::write(path, incarnation.to_string().as_bytes())?;
    Ok(incarnation)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use weft_state::atomic_file::OWNER_MODE;

    #[test]
    fn a_host_keeps_its_id_after_a_restart_and_its_key_is_private() {
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
    fn each_start_has_a_higher_incarnation_than_the_one_before() {
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
    fn a_malformed_key_file_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.key");
        fs::write(&path, b"short").unwrap();
        let error = Identity::open(&path).err().unwrap();
        assert_eq!(error.to_string(), "expected a key of 32 bytes, found 5");
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
