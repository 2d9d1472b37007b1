//! Component bytes for all hosts of a lattice, addressed by their sha256 digest.
//!
//! On NATS this is an object store that `nats object` reads; within one process it is memory of the
//! network. As with [`crate::artifacts`], a read verifies the bytes, and equal bytes are stored
//! once.

use bytes::Bytes;
use weft_lattice_config::Digest;

use crate::artifacts::ARTIFACT_BYTES_MAX;
use crate::buckets::{BucketError, BucketOptions};
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

    /// Stores bytes, unless they are already stored undamaged, and returns their digest.
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
            Ok(_) => return Ok(digest),
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
        match &self.0 {
            Store::JetStream(bucket) => bucket.has(digest).await,
            Store::Local(bucket) => bucket.has(digest),
        }
    }
}
