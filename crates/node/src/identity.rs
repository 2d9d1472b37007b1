//! The identity of this host in its lattice: an ed25519 key in the data directory, and its last
//! incarnation beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::{SECRET_KEY_LENGTH, SigningKey};
use weft_membership::HostId;
use weft_state::atomic_file;
use weft_telemetry::logs::now_ms;

/// The largest step from one incarnation to the next. Steps are random, so that two processes that
/// start from copies of one data directory do not have the same incarnation.
const STEP_MAX: u64 = 1 << 16;

/// Stores the incarnation of this host, so that its next start has a larger one.
pub type StoreIncarnation = Arc<dyn Fn(u64) -> io::Result<()> + Send + Sync>;

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

/// The incarnation of this start of the host: larger than the last, which is stored in `path`. A
/// file that was lost or is from a backup has a smaller one than other hosts know; they refute it
/// (`crate::incarnation`).
///
/// # Errors
/// If the file cannot be read or written, or has the largest number.
pub(super) fn next_incarnation(path: &Path, seed: u64) -> io::Result<u64> {
    let last = match fs::read_to_string(path) {
        // A malformed number is replaced by the clock, which is beyond most numbers of starts.
        Ok(text) => text.trim().parse().unwrap_or_else(|_| now_ms()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let incarnation = incarnation_after(last, seed).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("expected an incarnation with a larger one after it, found {last}"),
        )
    })?;
    store_incarnation(path.to_owned())(incarnation)?;
    Ok(incarnation)
}

/// An incarnation after `last`, by a random number; `None` if `last` is too large for one.
pub(super) fn incarnation_after(last: u64, seed: u64) -> Option<u64> {
    last.checked_add(1 + seed % STEP_MAX)
}

/// Stores the incarnation in a file.
pub(super) fn store_incarnation(path: PathBuf) -> StoreIncarnation {
    // A host with a torn file would have another incarnation than its last one.
    Arc::new(move |incarnation| atomic_file::write(&path, incarnation.to_string().as_bytes()))
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
        assert_eq!(next_incarnation(&path, 0).unwrap(), 1);
        assert_eq!(next_incarnation(&path, 0).unwrap(), 2);
        assert_eq!(next_incarnation(&path, STEP_MAX - 1).unwrap(), 2 + STEP_MAX);
        assert_eq!(next_incarnation(&path, u64::MAX).unwrap(), 2 + 2 * STEP_MAX);
        fs::write(&path, "torn").unwrap();
        let after = next_incarnation(&path, 0).unwrap();
        assert!(after > 1_000_000_000_000, "{after}");
        assert_eq!(next_incarnation(&path, 0).unwrap(), after + 1);
    }

    #[test]
    fn two_starts_from_copies_of_one_directory_have_different_incarnations() {
        assert_ne!(incarnation_after(7, 1), incarnation_after(7, 2));
    }

    #[test]
    fn the_largest_incarnation_has_none_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.life");
        fs::write(&path, u64::MAX.to_string()).unwrap();
        let error = next_incarnation(&path, 0).unwrap_err().to_string();
        assert!(error.contains("found 18446744073709551615"), "{error}");
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
