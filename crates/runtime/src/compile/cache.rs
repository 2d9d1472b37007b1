//! The compile cache: machine code on disk, authenticated by the host's key.
//!
//! An entry is a file `<digest>-<compatibility>.cwasm` with a MAC beside it (`….mac`): a keyed
//! BLAKE3 hash of the entry's name and content under a random key that only this user can read. The
//! MAC is written last, so that an interrupted write leaves an invalid entry.
//!
//! A third file (`….from`) has the digests of the artifacts that the code was made from, a line
//! each, by which a collection finds the entries that no revision needs ([`surplus`]). The time of
//! the last change of the code is that of its last use.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, FileTimes};
use std::hash::{Hash, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use wasmtime::Engine;
use weft_lattice_config::Digest;
use weft_state::atomic_file;

const KEY_BYTES: usize = 32;

/// The bits of a mode by which other users can open a file.
const OTHERS: u32 = 0o077;

/// The end of the names of files with machine code.
const CODE: &str = "cwasm";

/// The end of the names of files that are being written.
const PARTIAL: &str = "partial";

/// The end of the names of files with the digests of artifacts.
const ORIGIN: &str = "from";

/// The key of an entry, with the artifacts of its component.
#[derive(Debug, Clone)]
pub(crate) struct CacheKey {
    /// The digest of the component, and a hash of compiler version, settings and processor.
    name: String,
    artifacts: Arc<[Digest]>,
}

impl CacheKey {
    pub(super) fn new(digest: &Digest, engine: &Engine, artifacts: Arc<[Digest]>) -> Self {
        Self {
            name: format!("{}-{}", digest.hex(), compatibility(engine)),
            artifacts,
        }
    }
}

/// The end of the names of entries that an engine can run.
pub(super) fn compatibility(engine: &Engine) -> String {
    let mut hasher = Fnv::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl fmt::Display for CacheKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// The compile cache of one host.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
    /// Held while an entry is written, renewed or removed: two compilations of one component may
    /// end at once, and a file that is mapped must not be written to.
    changing: Mutex<()>,
}

impl Cache {
    /// Opens the cache, and removes the remains of interrupted writes.
    pub(super) fn open(directory: &Path, key_file: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        for file in fs::read_dir(directory)? {
            let path = file?.path();
            if path.extension() == Some(OsStr::new(PARTIAL)) {
                fs::remove_file(path)?;
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            key: read_or_create_key(key_file)?,
            changing: Mutex::new(()),
        })
    }

    /// The open file of an entry; `None` if the entry is missing or not authentic, or others could
    /// have opened it.
    pub(super) fn verified(&self, key: &CacheKey) -> Option<Verified> {
        let mut file = File::open(self.path(key, CODE)).ok()?;
        if !is_private(&file) {
            tracing::warn!(
                entry = %key,
                "compile cache entry is open to other users; compiling the component again"
            );
            return None;
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content).ok()?;
        let found = fs::read(self.path(key, "mac")).ok()?;
        let found: [u8; KEY_BYTES] = found.try_into().ok()?;
        // `blake3::Hash` compares in constant time.
        if self.mac(key, &content) == found {
            self.renew(key, &file);
            return Some(Verified(file));
        }
        tracing::warn!(
            entry = %key,
            "compile cache entry is damaged; compiling the component again"
        );
        None
    }

    /// Writes an entry: first its content, then its MAC. Each replaces an older file atomically.
    pub(super) fn store(&self, key: &CacheKey, content: &[u8]) -> io::Result<()> {
        let _changing = self.changing();
        replace(&self.path(key, ORIGIN), origin(key).as_bytes())?;
        replace(&self.path(key, CODE), content)?;
        replace(&self.path(key, "mac"), self.mac(key, content).as_bytes())
    }

    /// Lists the entries, damaged ones and remains of interrupted writes too.
    pub(super) fn list(&self) -> io::Result<Vec<CacheEntry>> {
        let _changing = self.changing();
        let mut entries = BTreeMap::<String, CacheEntry>::new();
        for file in fs::read_dir(&self.directory)? {
            let path = file?.path();
            let file_name = path.file_name().and_then(OsStr::to_str);
            let Some((name, extension)) = file_name.and_then(|name| name.split_once('.')) else {
                continue;
            };
            let metadata = fs::metadata(&path)?;
            let entry = entries
                .entry(name.to_owned())
                .or_insert_with(|| CacheEntry::empty(name));
            entry.bytes += metadata.len();
            // A file from the future is new: the clock was set back.
            let age = metadata.modified()?.elapsed().unwrap_or_default();
            entry.age = entry.age.min(age);
            if extension == ORIGIN {
                entry.artifacts = artifacts_of(&path);
            }
        }
        Ok(entries.into_values().collect())
    }

    /// Removes an entry, unless it was used since it was listed. Returns whether it was removed.
    pub(super) fn remove(&self, entry: &CacheEntry) -> io::Result<bool> {
        let _changing = self.changing();
        let is_file = |path: &PathBuf| {
            let file_name = path.file_name().and_then(OsStr::to_str);
            let name = file_name.and_then(|name| name.split_once('.'));
            name.is_some_and(|(name, _)| name == entry.name)
        };
        let mut files = Vec::new();
        for file in fs::read_dir(&self.directory)? {
            let path = file?.path();
            if is_file(&path) {
                let age = fs::metadata(&path)?.modified()?.elapsed();
                if age.unwrap_or_default() < entry.age {
                    return Ok(false);
                }
                files.push(path);
            }
        }
        for file in &files {
            fs::remove_file(file)?;
        }
        Ok(!files.is_empty())
    }

    /// Records the use of an entry, and the artifacts of one that an older release wrote.
    fn renew(&self, key: &CacheKey, code: &File) {
        let _changing = self.changing();
        let origin_path = self.path(key, ORIGIN);
        let renewed = || -> io::Result<()> {
            if !origin_path.exists() {
                replace(&origin_path, origin(key).as_bytes())?;
            }
            let times = FileTimes::new().set_modified(SystemTime::now());
            code.set_times(times)
        };
        if let Err(error) = renewed() {
            tracing::warn!(entry = %key, %error, "cannot renew a compile cache entry");
        }
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        // A write that panicked left a temporary file.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mac(&self, key: &CacheKey, content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        // The name has a fixed length, so the boundary between name and content is unambiguous.
        hasher.update(key.name.as_bytes());
        hasher.update(content);
        hasher.finalize()
    }

    fn path(&self, key: &CacheKey, extension: &str) -> PathBuf {
        self.directory.join(format!("{key}.{extension}"))
    }
}

/// The open file of an entry whose content was authenticated.
#[derive(Debug)]
pub(super) struct Verified(File);

impl Verified {
    pub(super) fn file(&self) -> &File {
        &self.0
    }
}

/// True if no other user can have the file open: not even one who opened it before its mode was
/// closed, because the cache never changes the mode of a file.
fn is_private(file: &File) -> bool {
    let user = rustix::process::geteuid().as_raw();
    let metadata = file.metadata();
    metadata.is_ok_and(|found| found.uid() == user && found.mode() & OTHERS == 0)
}

/// An entry in a listing of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CacheEntry {
    pub(super) name: String,
    /// The artifacts of its component; empty if they are unknown.
    artifacts: Vec<Digest>,
    /// The size of its files.
    pub(super) bytes: u64,
    /// The time since its last use.
    age: Duration,
}

impl CacheEntry {
    fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            artifacts: Vec::new(),
            bytes: 0,
            age: Duration::MAX,
        }
    }

    /// True if a component of these artifacts may be compiled to it.
    fn is_needed(&self, needed: &BTreeSet<Digest>, compatible: &[String]) -> bool {
        let mut ends = compatible.iter();
        let is_compatible = ends.any(|end| self.name.ends_with(end));
        let are_needed = self.artifacts.iter().all(|digest| needed.contains(digest));
        is_compatible && are_needed && !self.artifacts.is_empty()
    }
}

/// The entries to remove: those that no revision needs and that were not used within `grace`, and
/// the least recently used of all beyond `bytes_max`.
pub(super) fn surplus(
    mut entries: Vec<CacheEntry>,
    needed: &BTreeSet<Digest>,
    compatible: &[String],
    grace: Duration,
    bytes_max: u64,
) -> Vec<CacheEntry> {
    entries.sort_by_key(|entry| entry.age);
    let mut bytes_left = 0_u64;
    entries.retain(|entry| {
        if entry.age >= grace && !entry.is_needed(needed, compatible) {
            return true;
        }
        let is_beyond = bytes_left.saturating_add(entry.bytes) > bytes_max;
        if !is_beyond {
            bytes_left += entry.bytes;
        }
        is_beyond
    });
    entries
}

/// The content of the file with the artifacts of an entry.
fn origin(key: &CacheKey) -> String {
    let artifacts = key.artifacts.iter();
    artifacts.map(|digest| format!("{digest}\n")).collect()
}

/// The digests in a file; empty if it is damaged.
fn artifacts_of(path: &Path) -> Vec<Digest> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let digests: Result<_, _> = text.lines().map(str::parse).collect();
    digests.unwrap_or_default()
}

/// Writes a new file and renames it to `path`: a file that a running host has mapped is never
/// written to.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_added_extension(format!("{}.{PARTIAL}", std::process::id()));
    atomic_file::create_new(&temporary)?.write_all(content)?;
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
    atomic_file::write(path, &key)?;
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
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn cache(directory: &Path) -> Cache {
        Cache::open(&directory.join("cache"), &directory.join("key")).unwrap()
    }

    fn key() -> CacheKey {
        key_of(b"component")
    }

    fn key_of(component: &[u8]) -> CacheKey {
        let digest = Digest::of(component);
        CacheKey::new(&digest, &Engine::default(), [digest.clone()].into())
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
        let other = key_of(b"other component");
        for extension in ["cwasm", "mac"] {
            fs::copy(cache.path(&key(), extension), cache.path(&other, extension)).unwrap();
        }
        assert!(cache.verified(&other).is_none());

        fs::remove_file(cache.path(&key(), "mac")).unwrap();
        assert!(cache.verified(&key()).is_none());
    }

    #[test]
    fn the_file_that_was_authenticated_is_the_one_that_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path());
        cache.store(&key(), b"code").unwrap();
        let verified = cache.verified(&key()).unwrap();
        let path = cache.path(&key(), CODE);
        let other = directory.path().join("other");
        fs::write(&other, b"evil").unwrap();
        fs::rename(&other, &path).unwrap();
        let open_file = format!("/proc/self/fd/{}", verified.file().as_raw_fd());
        assert_eq!(fs::read(open_file).unwrap(), b"code");
    }

    #[test]
    fn code_that_others_can_open_is_refused_and_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path());
        cache.store(&key(), b"code").unwrap();
        let path = cache.path(&key(), CODE);
        for mode in [0o644, 0o666, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(cache.verified(&key()).is_none(), "{mode:o}");
            cache.store(&key(), b"code").unwrap();
            assert!(cache.verified(&key()).is_some());
        }
        for extension in [CODE, "mac", ORIGIN] {
            let mode = fs::metadata(cache.path(&key(), extension)).unwrap().mode();
            assert_eq!(mode & 0o777, 0o600, "{extension}");
        }
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

    fn make_older(cache: &Cache, key: &CacheKey, age: Duration) {
        for extension in [CODE, "mac", ORIGIN] {
            let times = FileTimes::new().set_modified(SystemTime::now() - age);
            let file = File::open(cache.path(key, extension)).unwrap();
            file.set_times(times).unwrap();
        }
    }

    #[test]
    fn the_listing_has_the_artifacts_of_entries_and_a_used_entry_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path());
        let artifacts = [Digest::of(b"cart"), Digest::of(b"till")];
        let fused = CacheKey::new(
            &Digest::of(b"fused"),
            &Engine::default(),
            artifacts.clone().into(),
        );
        cache.store(&fused, b"code").unwrap();
        make_older(&cache, &fused, Duration::from_secs(60));
        let listed = cache.list().unwrap();
        let [entry] = &listed[..] else {
            panic!("{listed:?}")
        };
        assert_eq!(entry.artifacts, artifacts);
        assert!(entry.age >= Duration::from_secs(60));
        assert!(cache.verified(&fused).is_some());
        assert!(!cache.remove(entry).unwrap());
        assert!(cache.verified(&fused).is_some());

        // An older release has written no artifacts.
        make_older(&cache, &fused, Duration::from_secs(60));
        fs::remove_file(cache.path(&fused, ORIGIN)).unwrap();
        assert_eq!(cache.list().unwrap()[0].artifacts, []);
        assert!(cache.verified(&fused).is_some());
        assert_eq!(cache.list().unwrap()[0].artifacts, artifacts);

        make_older(&cache, &fused, Duration::from_secs(60));
        assert!(cache.remove(&cache.list().unwrap()[0]).unwrap());
        assert_eq!(cache.list().unwrap(), []);
        assert_eq!(
            fs::read_dir(directory.path().join("cache"))
                .unwrap()
                .count(),
            0
        );
    }

    #[test]
    fn code_that_no_revision_needs_is_surplus_and_the_least_recently_used_beyond_the_limit() {
        let entry = |name: &str, artifacts: &[&str], age: u64| CacheEntry {
            name: format!("{name}-now"),
            artifacts: artifacts
                .iter()
                .map(|it| Digest::of(it.as_bytes()))
                .collect(),
            bytes: 10,
            age: Duration::from_secs(age),
        };
        let entries = vec![
            entry("current", &["cart"], 90),
            entry("fused", &["cart", "till"], 80),
            entry("half", &["cart", "old"], 70),
            entry("unknown", &[], 60),
            entry("young", &["old"], 59),
            CacheEntry {
                name: "of-another-engine".to_owned(),
                ..entry("", &["cart"], 75)
            },
        ];
        let needed = [Digest::of(b"cart"), Digest::of(b"till")].into();
        let names = |bytes_max: u64| {
            let (compatible, grace) = (["now".to_owned()], Duration::from_secs(60));
            let found = surplus(entries.clone(), &needed, &compatible, grace, bytes_max);
            let names = found.into_iter().map(|entry| entry.name);
            names.collect::<Vec<_>>()
        };
        let unneeded = ["unknown-now", "half-now", "of-another-engine"];
        assert_eq!(names(30), unneeded);
        assert_eq!(names(29), [&unneeded[..], &["current-now"]].concat());
        assert_eq!(names(0).len(), entries.len());
    }

    #[test]
    fn the_remains_of_an_interrupted_write_are_removed_at_open() {
        let directory = tempfile::tempdir().unwrap();
        let first = cache(directory.path());
        first.store(&key(), b"code").unwrap();
        let left = directory.path().join("cache/entry.cwasm.1.partial");
        fs::write(&left, b"half").unwrap();
        let second = cache(directory.path());
        assert!(!left.exists());
        assert!(second.verified(&key()).is_some());
    }
}
