//! The compile cache: machine code on disk, authenticated by the host's key.
//!
//! An entry is a file `<digest>-<compatibility>.cwasm` with a MAC beside it (`….mac`): a keyed
//! BLAKE3 hash of the entry's name and content under a random key that only this user can read. The
//! MAC is written last, so that an interrupted write leaves an invalid entry.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wasmtime::Engine;
use weft_lattice_config::Digest;

const KEY_BYTES: usize = 32;

/// Name of an entry: the digest of the component, and a hash of compiler version, settings and
/// processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheKey(String);

impl CacheKey {
    pub(super) fn new(digest: &Digest, engine: &Engine) -> Self {
        let mut compatibility = Fnv::new();
        engine
            .precompile_compatibility_hash()
            .hash(&mut compatibility);
        Self(format!("{}-{:016x}", digest.hex(), compatibility.finish()))
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The compile cache of one host.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
    /// Held while an entry is written: two compilations of one component may end at once, and a
    /// file that is mapped must not be written to.
    writing: Mutex<()>,
}

impl Cache {
    pub(super) fn open(directory: &Path, key_file: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            key: read_or_create_key(key_file)?,
            writing: Mutex::new(()),
        })
    }

    /// The file of an entry; `None` if the entry is missing or not authentic.
    pub(super) fn verified(&self, key: &CacheKey) -> Option<PathBuf> {
        let path = self.path(key, "cwasm");
        let content = fs::read(&path).ok()?;
        let found = fs::read(self.path(key, "mac")).ok()?;
        let found: [u8; KEY_BYTES] = found.try_into().ok()?;
        // `blake3::Hash` compares in constant time.
        if self.mac(key, &content) == found {
            return Some(path);
        }
        tracing::warn!(
            entry = %key,
            "compile cache entry is damaged; compiling the component again"
        );
        None
    }

    /// Writes an entry: first its content, then its MAC. Each replaces an older file atomically.
    pub(super) fn store(&self, key: &CacheKey, content: &[u8]) -> io::Result<()> {
        // A write that panicked left a temporary file.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        replace(&self.path(key, "cwasm"), content)?;
        replace(&self.path(key, "mac"), self.mac(key, content).as_bytes())
    }

    fn mac(&self, key: &CacheKey, content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        // The name has a fixed length, so the boundary between name and content is unambiguous.
        hasher.update(key.0.as_bytes());
        hasher.update(content);
        hasher.finalize()
    }

    fn path(&self, key: &CacheKey, extension: &str) -> PathBuf {
        self.directory.join(format!("{key}.{extension}"))
    }
}

/// Writes a new file and renames it to `path`: a file that a running host has mapped is never
/// written to.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_added_extension(format!("{}.partial", std::process::id()));
    fs::write(&temporary, content)?;
    fs::rename(&temporary, path)
}

fn read_or_create_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match fs::read(path) {
        Ok(bytes) if bytes.len() == KEY_BYTES => {
            let mut key = [0; KEY_BYTES];
            key.copy_from_slice(&bytes);
            Ok(key)
        }
        // Writing the key was interrupted, so nothing was authenticated under it.
        Ok(_) => create_key(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_key(path),
        Err(error) => Err(error),
    }
}

fn create_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): stable across runs and versions, which the standard
/// library's hasher does not guarantee.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(directory: &Path) -> Cache {
        Cache::open(&directory.join("cache"), &directory.join("key")).unwrap()
    }

    fn key() -> CacheKey {
        CacheKey::new(&Digest::of(b"component"), &Engine::default())
    }

    #[test]
    fn a_stored_entry_is_verified() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path());
        cache.store(&key(), b"code").unwrap();
        assert!(cache.verified(&key()).is_some());
    }

    #[test]
    fn a_flipped_bit_a_lost_mac_and_another_name_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path());
        cache.store(&key(), b"code").unwrap();
        fs::write(cache.path(&key(), "cwasm"), b"cope").unwrap();
        assert!(cache.verified(&key()).is_none());

        cache.store(&key(), b"code").unwrap();
        let other = CacheKey::new(&Digest::of(b"other component"), &Engine::default());
        for extension in ["cwasm", "mac"] {
            fs::copy(cache.path(&key(), extension), cache.path(&other, extension)).unwrap();
        }
        assert!(cache.verified(&other).is_none());

        fs::remove_file(cache.path(&key(), "mac")).unwrap();
        assert!(cache.verified(&key()).is_none());
    }

    #[test]
    fn an_entry_of_another_host_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        cache(directory.path()).store(&key(), b"code").unwrap();
        let other = Cache::open(
            &directory.path().join("cache"),
            &directory.path().join("key-2"),
        );
        assert!(other.unwrap().verified(&key()).is_none());
    }
}
