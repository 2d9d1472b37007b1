//! Component bytes on disk, addressed by their sha256 digest.
//!
//! A file is named by its digest, so two deploys of one component share it, and a read verifies the
//! bytes it returns: bytes that do not hash to the name are rejected, never run.
//!
//! The time of the last change of a file is that of its upload, or of a later deploy that found it:
//! its age, by which [`collection`](crate::collection) chooses what to delete.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use weft_lattice_config::Digest;

use crate::atomic_file;
use crate::collection::Entry;

/// The largest accepted component: language runtimes compiled to a component reach some 20 MiB.
/// `weft-compose` reads no larger components either.
pub const ARTIFACT_BYTES_MAX: usize = 64 << 20;

/// The end of a file's name after the digest.
const EXTENSION: &str = "wasm";

/// The directory of artifacts of one host.
#[derive(Debug, Clone)]
pub struct Artifacts {
    directory: PathBuf,
    /// Held while a file is written, renewed or removed, so that none is removed that was just
    /// renewed. The directory is of one process.
    changing: Arc<Mutex<()>>,
}

/// The reasons why an artifact could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Nothing is stored under the digest.
    #[error(
        "artifact `{digest}` is not stored on this host; deploy a manifest with the `source.file` of \
         the component, which uploads it"
    )]
    Missing {
        /// The requested digest.
        digest: Digest,
    },
    /// The bytes do not hash to the digest that was given for them.
    #[error("wrong artifact digest: expected `{expected}`, found `{found}`")]
    Mismatch {
        /// The digest of the file name or the sender.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// The bytes are more than [`ARTIFACT_BYTES_MAX`].
    #[error("artifact too large: expected at most {ARTIFACT_BYTES_MAX} bytes, found {found}")]
    TooLarge {
        /// The number of bytes.
        found: usize,
    },
    /// The file system failed.
    #[error("cannot read or write artifact file `{path}`")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
}

impl Artifacts {
    /// Opens the directory, creating it if needed, and removes the remains of interrupted uploads.
    ///
    /// # Errors
    /// [`ArtifactError::Io`] if the directory cannot be made or read.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, ArtifactError> {
        let directory = directory.into();
        let prepared =
            std::fs::create_dir_all(&directory).and_then(|()| atomic_file::sweep(&directory));
        match prepared {
            Ok(()) => Ok(Self {
                directory,
                changing: Arc::default(),
            }),
            Err(source) => Err(ArtifactError::Io {
                path: directory,
                source,
            }),
        }
    }

    /// Returns whether the bytes of `digest` are stored and undamaged. Reads and hashes them.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        self.get(digest).is_ok()
    }

    /// Returns whether the bytes of `digest` are stored and undamaged, as
    /// [`contains`](Self::contains) does. Such an artifact is as young as a new one after it.
    #[must_use]
    pub fn renew(&self, digest: &Digest) -> bool {
        let _changing = self.changing();
        self.renew_locked(digest)
    }

    /// Stores `bytes` under `digest`, durably. Storing the same bytes twice is no error.
    ///
    /// # Errors
    /// [`ArtifactError::Mismatch`], [`ArtifactError::TooLarge`], or [`ArtifactError::Io`].
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), ArtifactError> {
        if bytes.len() > ARTIFACT_BYTES_MAX {
            return Err(ArtifactError::TooLarge { found: bytes.len() });
        }
        verify(digest, bytes)?;
        let path = self.path(digest);
        let _changing = self.changing();
        // A stored file may be damaged: only one with the right digest is left in place.
        if self.renew_locked(digest) {
            return Ok(());
        }
        std::fs::create_dir_all(&self.directory)
            .and_then(|()| atomic_file::write(&path, bytes))
            .map_err(|source| ArtifactError::Io { path, source })
    }

    /// Reads and verifies the bytes stored under `digest`.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`], [`ArtifactError::Mismatch`] if the file is damaged, or
    /// [`ArtifactError::Io`].
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, ArtifactError> {
        let path = self.path(digest);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ArtifactError::Missing {
                    digest: digest.clone(),
                });
            }
            Err(source) => return Err(ArtifactError::Io { path, source }),
        };
        verify(digest, &bytes)?;
        Ok(bytes)
    }

    /// Reads a part of the bytes stored under `digest`, with their total number; `None` if the
    /// digest is not stored. The caller has to verify the whole.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn part(
        &self,
        digest: &Digest,
        offset: u64,
        length: usize,
    ) -> Result<Option<(u64, Vec<u8>)>, ArtifactError> {
        let path = self.path(digest);
        let read = || -> io::Result<(u64, Vec<u8>)> {
            let mut file = File::open(&path)?;
            let size = file.metadata()?.len();
            file.seek(SeekFrom::Start(offset.min(size)))?;
            let mut bytes = Vec::new();
            file.take(length as u64).read_to_end(&mut bytes)?;
            Ok((size, bytes))
        };
        match read() {
            Ok(part) => Ok(Some(part)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ArtifactError::Io { path, source }),
        }
    }

    /// Lists the stored artifacts, damaged ones too.
    ///
    /// # Errors
    /// [`ArtifactError::Io`] if the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, ArtifactError> {
        let listed = || -> io::Result<Vec<Entry>> {
            let files = fs::read_dir(&self.directory)?;
            let mut entries = Vec::new();
            for file in files {
                let path = file?.path();
                let Some(digest) = digest_of(&path) else {
                    continue;
                };
                // Only a collection removes files, and there is one at a time.
                let metadata = fs::metadata(&path)?;
                entries.push(Entry {
                    digest,
                    bytes: metadata.len(),
                    age: age(&metadata)?,
                });
            }
            Ok(entries)
        };
        listed().map_err(|source| ArtifactError::Io {
            path: self.directory.clone(),
            source,
        })
    }

    /// Removes an artifact if its age is at least `age_min`. Returns whether it was removed; an
    /// artifact that is not stored is not.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn remove(&self, digest: &Digest, age_min: Duration) -> Result<bool, ArtifactError> {
        let path = self.path(digest);
        let _changing = self.changing();
        let removed = || -> io::Result<bool> {
            if age(&fs::metadata(&path)?)? < age_min {
                return Ok(false);
            }
            fs::remove_file(&path)?;
            Ok(true)
        };
        match removed() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map_err(|source| ArtifactError::Io { path, source }),
        }
    }

    /// The directory of the artifacts.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        // A digest is 64 hexadecimal digits by construction: it cannot leave the directory.
        self.directory.join(format!("{}.{EXTENSION}", digest.hex()))
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        // It guards files, which are changed atomically.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew_locked(&self, digest: &Digest) -> bool {
        let is_stored = self.contains(digest);
        if is_stored && let Err(error) = touch(&self.path(digest)) {
            let digest = digest.short();
            tracing::warn!(digest, %error, "cannot renew the file of an artifact");
        }
        is_stored
    }
}

/// The digest of the artifact in a file; `None` for a foreign file.
fn digest_of(path: &Path) -> Option<Digest> {
    let is_artifact = path.extension()? == EXTENSION;
    let stem = path.file_stem()?.to_str()?;
    is_artifact.then(|| format!("sha256:{stem}").parse().ok())?
}

/// The time since the last change of a file.
fn age(metadata: &fs::Metadata) -> io::Result<Duration> {
    // A file from the future is new: the clock was set back.
    Ok(metadata.modified()?.elapsed().unwrap_or_default())
}

fn touch(path: &Path) -> io::Result<()> {
    let times = FileTimes::new().set_modified(SystemTime::now());
    File::open(path)?.set_times(times)
}

fn verify(expected: &Digest, bytes: &[u8]) -> Result<(), ArtifactError> {
    let found = Digest::of(bytes);
    if found == *expected {
        return Ok(());
    }
    Err(ArtifactError::Mismatch {
        expected: expected.clone(),
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifacts() -> (tempfile::TempDir, Artifacts) {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(directory.path()).unwrap();
        (directory, artifacts)
    }

    #[test]
    fn stored_bytes_are_read_back() {
        let (_directory, artifacts) = artifacts();
        let digest = Digest::of(b"bytes");
        artifacts.put(&digest, b"bytes").unwrap();
        artifacts.put(&digest, b"bytes").unwrap();
        assert_eq!(artifacts.get(&digest).unwrap(), b"bytes");
    }

    #[test]
    fn parts_are_read_within_the_stored_bytes() {
        let (_directory, artifacts) = artifacts();
        let digest = Digest::of(b"bytes");
        artifacts.put(&digest, b"bytes").unwrap();
        let cases: [(u64, usize, &[u8]); 5] = [
            (0, 2, b"by"),
            (2, 2, b"te"),
            (4, 9, b"s"),
            (5, 9, b""),
            (u64::MAX, 9, b""),
        ];
        for (offset, length, expected) in cases {
            let part = artifacts.part(&digest, offset, length).unwrap();
            assert_eq!(part, Some((5, expected.to_vec())));
        }
        let missing = artifacts.part(&Digest::of(b"other"), 0, 1);
        assert_eq!(missing.unwrap(), None);
    }

    #[test]
    fn bytes_under_another_digest_are_refused() {
        let (_directory, artifacts) = artifacts();
        let error = artifacts.put(&Digest::of(b"one"), b"other").unwrap_err();
        assert!(matches!(error, ArtifactError::Mismatch { .. }));
        assert!(!artifacts.contains(&Digest::of(b"one")));
    }

    #[test]
    fn a_damaged_file_is_refused_when_read_and_healed_when_stored_again() {
        let (directory, artifacts) = artifacts();
        let digest = Digest::of(b"bytes");
        artifacts.put(&digest, b"bytes").unwrap();
        let file = std::fs::read_dir(directory.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        std::fs::write(file.path(), b"bits flipped").unwrap();
        assert!(matches!(
            artifacts.get(&digest),
            Err(ArtifactError::Mismatch { .. })
        ));
        artifacts.put(&digest, b"bytes").unwrap();
        assert_eq!(artifacts.get(&digest).unwrap(), b"bytes");
    }

    fn make_older(artifacts: &Artifacts, digest: &Digest, age: Duration) {
        let times = FileTimes::new().set_modified(SystemTime::now() - age);
        let file = File::open(artifacts.path(digest)).unwrap();
        file.set_times(times).unwrap();
    }

    #[test]
    fn an_artifact_is_removed_by_its_age_and_a_deploy_that_finds_it_renews_it() {
        let (directory, artifacts) = artifacts();
        let digests = [b"one", b"two"].map(|bytes| {
            let digest = Digest::of(bytes);
            artifacts.put(&digest, bytes).unwrap();
            digest
        });
        std::fs::write(directory.path().join("foreign"), b"file").unwrap();
        let hour = Duration::from_secs(3600);
        for renewed in [
            Artifacts::renew as fn(&Artifacts, &Digest) -> bool,
            |it, digest| it.put(digest, b"one").is_ok(),
        ] {
            make_older(&artifacts, &digests[0], hour);
            assert!(
                artifacts
                    .list()
                    .unwrap()
                    .iter()
                    .any(|entry| entry.age >= hour)
            );
            assert!(renewed(&artifacts, &digests[0]));
            assert!(!artifacts.remove(&digests[0], hour / 2).unwrap());
        }
        make_older(&artifacts, &digests[0], hour);
        assert!(artifacts.remove(&digests[0], hour / 2).unwrap());
        assert!(!artifacts.remove(&digests[0], hour / 2).unwrap());
        assert!(!artifacts.renew(&digests[0]));
        let left = artifacts.list().unwrap();
        let left: Vec<_> = left.iter().map(|it| (&it.digest, it.bytes)).collect();
        assert_eq!(left, [(&digests[1], 3)]);
    }

    #[test]
    fn the_remains_of_an_interrupted_write_are_removed_at_open() {
        let (directory, _artifacts) = artifacts();
        let left = directory.path().join(".partial-1-1");
        std::fs::write(&left, b"half").unwrap();
        Artifacts::open(directory.path()).unwrap();
        assert!(!left.exists());
    }
}
