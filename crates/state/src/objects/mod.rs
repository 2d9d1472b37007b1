//! Component bytes for all hosts of a lattice, addressed by their sha256 digest.
//!
//! On NATS this is an object store that `nats object` reads; within one process it is memory of the
//! network. As with [`crate::artifacts`], a read verifies the bytes, and equal bytes are stored
//! once.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use weft_lattice_config::Digest;

use crate::artifacts::ARTIFACT_BYTES_MAX;
use crate::buckets::{BucketError, BucketOptions};
use crate::collection::{Entry, RENEW_AFTER};
use weft_bus::{Bus, Transport};

mod jetstream;
mod local;

/// The object store of a lattice. A cheap handle.
#[derive(Clone, Debug)]
pub struct Objects(Store);

#[derive(Clone, Debug)]
enum Store {
    JetStream(jetstream::Bucket),
    Local(local::Bucket),
}

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its digest, size and age.
    pub entry: Entry,
    version: Version,
}

/// One write of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Version {
    JetStream {
        /// The number of the message with the metadata.
        sequence: u64,
        /// The end of the subject of the messages with the bytes; `None` for a deleted object.
        chunks: Option<String>,
    },
    Local(Instant),
}

/// The reasons why an object could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Nothing is stored under the digest.
    #[error("object `{digest}` is not stored in the lattice; deploy the app again")]
    Missing {
        /// The requested digest.
        digest: Digest,
    },
    /// The stored bytes do not hash to the digest. Storing the right bytes repairs the object.
    #[error("damaged object: expected digest `{expected}`, found `{found}`")]
    Damaged {
        /// The requested digest.
        expected: Digest,
        /// The digest of the stored bytes.
        found: Digest,
    },
    /// The bytes are more than [`ARTIFACT_BYTES_MAX`].
    #[error("object too large: expected at most {ARTIFACT_BYTES_MAX} bytes, found {found}")]
    TooLarge {
        /// The number of bytes.
        found: usize,
    },
    /// The bucket failed.
    #[error("cannot use the object store of the lattice")]
    Store(#[source] BucketError),
}

impl Objects {
    /// Opens the objects in bucket `name` of the lattice of the bus. Nothing is sent: a missing
    /// bucket is created on first use.
    ///
    /// # Errors
    /// [`BucketError::InvalidName`] if `name` is not 1 to 32 lower-case letters and digits.
    pub fn open(bus: &Bus, name: &str, options: &BucketOptions) -> Result<Self, BucketError> {
        crate::buckets::check_name(name)?;
        Ok(Self(match bus.transport() {
            Transport::Nats(connections) => Store::JetStream(jetstream::Bucket::new(
                connections.jetstream(),
                name,
                options,
            )),
            Transport::Local(endpoint) => Store::Local(local::Bucket::new(endpoint, name)),
        }))
    }

    /// Stores bytes, unless they are already stored undamaged, and returns their digest. Bytes that
    /// were stored more than [`RENEW_AFTER`] ago are written again, so that no host deletes them
    /// before a record names them.
    ///
    /// Dropping the future stores the whole object or leaves it as it was; parts of it may occupy
    /// space in the store until it is written again.
    ///
    /// # Errors
    /// [`ObjectError::TooLarge`] or [`ObjectError::Store`].
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, ObjectError> {
        if bytes.len() > ARTIFACT_BYTES_MAX {
            let found = bytes.len();
            return Err(ObjectError::TooLarge { found });
        }
        let digest = Digest::of(&bytes);
        match self.get(&digest).await {
            Ok(_) if self.has_recent(&digest).await.map_err(ObjectError::Store)? => {
                return Ok(digest);
            }
            Ok(_) => {}
            Err(ObjectError::Missing { .. } | ObjectError::Damaged { .. }) => {}
            // A larger object under the digest cannot be the right bytes.
            Err(ObjectError::TooLarge { .. }) => {}
            Err(error @ ObjectError::Store(_)) => return Err(error),
        }
        let written = match &self.0 {
            Store::JetStream(bucket) => bucket.write(&digest, &bytes).await,
            Store::Local(bucket) => bucket.write(&digest, bytes),
        };
        written.map(|()| digest).map_err(ObjectError::Store)
    }

    /// Reads and verifies bytes.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// An [`ObjectError`].
    pub async fn get(&self, digest: &Digest) -> Result<Bytes, ObjectError> {
        let bytes = match &self.0 {
            Store::JetStream(bucket) => bucket.read(digest).await?,
            Store::Local(bucket) => bucket.read(digest)?,
        };
        let found = Digest::of(&bytes);
        if found != *digest {
            let expected = digest.clone();
            return Err(ObjectError::Damaged { expected, found });
        }
        Ok(bytes)
    }

    /// Returns whether an object is stored under the digest. It is not read, and may be damaged.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn has(&self, digest: &Digest) -> Result<bool, BucketError> {
        Ok(self.age(digest).await?.is_some())
    }

    /// Returns whether an object was stored under the digest within [`RENEW_AFTER`]: no host
    /// deletes it before a record names it.
    ///
    /// # Errors
    /// As [`has`](Self::has).
    pub async fn has_recent(&self, digest: &Digest) -> Result<bool, BucketError> {
        let age = self.age(digest).await?;
        Ok(age.is_some_and(|age| age < RENEW_AFTER))
    }

    /// Lists all objects, damaged ones too. Foreign objects are left out.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn list(&self) -> Result<Vec<StoredObject>, BucketError> {
        match &self.0 {
            Store::JetStream(bucket) => bucket.list().await,
            Store::Local(bucket) => bucket.list(),
        }
    }

    /// Deletes an object, unless it was written or deleted since it was listed. Returns whether it
    /// was deleted. Any number of hosts may delete the same object.
    ///
    /// Dropping the future leaves open whether the object was deleted.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn delete(&self, object: &StoredObject) -> Result<bool, BucketError> {
        match (&self.0, &object.version) {
            (Store::JetStream(bucket), Version::JetStream { sequence, chunks }) => {
                bucket.delete(*sequence, chunks.as_deref()).await
            }
            (Store::Local(bucket), Version::Local(written)) => {
                bucket.delete(&object.entry.digest, *written)
            }
            // An object of another store.
            _ => Ok(false),
        }
    }

    /// Deletes what interrupted writes and deletions left at least `age_min` ago. Returns the
    /// number of such objects.
    ///
    /// Dropping the future leaves the rest.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn sweep(&self, age_min: Duration) -> Result<usize, BucketError> {
        match &self.0 {
            Store::JetStream(bucket) => bucket.sweep(age_min).await,
            // Each change of the store is atomic.
            Store::Local(_) => Ok(0),
        }
    }

    /// The time since the last write of an object.
    async fn age(&self, digest: &Digest) -> Result<Option<Duration>, BucketError> {
        match &self.0 {
            Store::JetStream(bucket) => bucket.age(digest).await,
            Store::Local(bucket) => bucket.age(digest),
        }
    }
}

/// The digest of the name of an object; `None` for a foreign one.
fn digest_of(name: &str) -> Option<Digest> {
    format!("sha256:{name}").parse().ok()
}
