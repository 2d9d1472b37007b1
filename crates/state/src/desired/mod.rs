//! The desired state of a lattice of many hosts: records by key, changed by compare-and-set.
//!
//! [`Records`] is a bucket: a JetStream key-value bucket where the bus is NATS, and memory of the
//! network where it is local, with the host's database behind it for a host alone.
//! `tests/state/records.rs` is one suite for both. In it a record is bytes with a revision;
//! [`record_codec`] decodes them, and [`DesiredReplica`] is a host's replica of the decoded
//! records.
//!
//! There is no call that deletes. The removal of an app is a record too: a bucket that lost records
//! is thereby known to be damaged, and is refilled by the hosts that have a replica. For the same
//! reason a missing bucket is created, empty, on first use.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::buckets::{BucketError, BucketOptions};
use crate::store;
use weft_bus::local::Endpoint;
use weft_bus::subject::{self, SUBJECT_BYTES_MAX, SubjectError};
use weft_bus::{Bus, Transport};

mod jetstream;
mod local;
pub mod record_codec;
mod replica;
mod share;
mod store_mark;

pub use replica::{DesiredReplica, Notice, Refill, as_ready_host};
pub use share::{has_required_labels, share};
pub use store_mark::{MARK_BYTES_MAX, StoreMark};

/// The key of a record: names, encoded like those of a subject.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// The version of a record. Later versions are greater, over all records of a bucket. A bucket that
/// was lost and created again restarts its revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a missing record.
    pub const NONE: Self = Self(0);
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The version of the record.
    pub revision: Revision,
    /// The encoded content; see [`record_codec`].
    pub value: Bytes,
}

/// The reasons why a record was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// Another writer changed the record: its revision is not the expected one.
    #[error("record `{key}` was changed by another writer: expected revision {}, found {}", .expected.0, .current.0)]
    Conflict {
        /// The key of the record.
        key: Key,
        /// The revision that the caller had read.
        expected: Revision,
        /// The revision in the bucket.
        current: Revision,
    },
    /// The value is more than the bus carries in one message.
    #[error("record too large for the bus: expected at most {max} bytes, found {found}")]
    TooLarge {
        /// The size of the record.
        found: usize,
        /// The most bytes of a message.
        max: usize,
    },
    /// The database of a host alone failed. The record is unchanged.
    #[error(transparent)]
    Database(#[from] store::StoreError),
    /// The bucket failed. If it became unavailable during the write, the record may have changed.
    #[error("cannot write record `{key}`")]
    Store {
        /// The key of the record.
        key: Key,
        /// The error of the bucket.
        #[source]
        source: BucketError,
    },
}

/// An event of a [`Watch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// All records of the bucket follow, up to [`WatchEvent::Complete`]. This is the first event,
    /// and comes again after a loss of events.
    Begins,
    /// The current version of a record during the replay, or a change after it.
    Record {
        /// The key of the record.
        key: Key,
        /// The latest version.
        record: Record,
    },
    /// A foreign client deleted a record; hosts never do.
    Erased {
        /// The key of the record.
        key: Key,
    },
    /// The replay is complete. The bucket has lost every known record that was not in it.
    Complete,
    /// The bucket became unavailable. After its return [`WatchEvent::Begins`] follows.
    Away,
}

/// A bucket of records. A cheap handle.
#[derive(Clone, Debug)]
pub struct Records(Store);

#[derive(Clone, Debug)]
enum Store {
    JetStream(jetstream::Bucket),
    Local(local::Bucket),
}

/// A stream of the records of a bucket and of every change.
#[derive(Debug)]
pub struct Watch(Source);

#[derive(Debug)]
enum Source {
    Task(mpsc::Receiver<WatchEvent>),
    Local(Box<local::Watch>),
}

impl Records {
    /// Opens the bucket `name` of the lattice of the bus. Nothing is sent: a missing bucket is
    /// created on first use.
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

    /// Opens the bucket `name` of a host alone: its records are those of `database`, and a record
    /// is on its disk when [`put`](Self::put) returns.
    ///
    /// # Errors
    /// A [`store::StoreError`] if the database cannot be read.
    pub fn in_database(
        endpoint: &Endpoint,
        name: &str,
        database: Arc<store::Store>,
    ) -> Result<Self, store::StoreError> {
        let bucket = local::Bucket::in_database(endpoint, name, database)?;
        Ok(Self(Store::Local(bucket)))
    }

    /// Reads the newest version of a record from the leader of the bucket; `None` if the record is
    /// missing.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn get(&self, key: &Key) -> Result<Option<Record>, BucketError> {
        match &self.0 {
            Store::JetStream(bucket) => bucket.get(key).await,
            Store::Local(bucket) => bucket.get(key),
        }
    }

    /// Writes a record if its revision is `expected`, or if it is missing and `expected` is
    /// [`Revision::NONE`], and returns the new revision. The record is then stored on a majority of
    /// the replicas.
    ///
    /// Dropping the future leaves open whether the record was written.
    ///
    /// # Errors
    /// A [`PutError`].
    pub async fn put(
        &self,
        key: &Key,
        value: Bytes,
        expected: Revision,
    ) -> Result<Revision, PutError> {
        match &self.0 {
            Store::JetStream(bucket) => bucket.put(key, value, expected).await,
            Store::Local(bucket) => bucket.put(key, value, expected).await,
        }
    }

    /// Reads all records, by key.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn list(&self) -> Result<Vec<(Key, Record)>, BucketError> {
        match &self.0 {
            Store::JetStream(bucket) => bucket.list().await,
            Store::Local(bucket) => bucket.list(),
        }
    }

    /// Watches all records and every later change until the bus is closed, across times when the
    /// bucket is unavailable.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(match &self.0 {
            Store::JetStream(bucket) => Source::Task(bucket.watch()),
            Store::Local(bucket) => Source::Local(Box::new(bucket.watch())),
        })
    }
}

impl Watch {
    /// Waits for the next event; `None` after the bus was closed.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        match &mut self.0 {
            Source::Task(receiver) => receiver.recv().await,
            Source::Local(watch) => watch.next().await,
        }
    }
}

impl Key {
    /// Encodes names as a key. A name may be any text within the length of a subject.
    ///
    /// # Errors
    /// A [`SubjectError`] if there are no names, one is empty, or the key is too long.
    pub fn new(names: &[&str]) -> Result<Self, SubjectError> {
        let mut tokens = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            tokens.push(subject::token(name, index + 1)?);
        }
        let text = tokens.join(".");
        if names.is_empty() {
            return Err(SubjectError::Count { found: 0 });
        }
        if text.len() > SUBJECT_BYTES_MAX {
            return Err(SubjectError::LongSubject { found: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// The names of the key.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.0
            .split('.')
            .map(|token| subject::name_of(token).unwrap_or_default())
    }

    /// Parses a key of the bucket; `None` for a foreign one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_key = text
            .split('.')
            .all(|token| subject::name_of(token).is_some());
        is_key.then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            let separator = if index > 0 { "/" } else { "" };
            write!(formatter, "{separator}{name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({self})")
    }
}
