//! The desired state of a lattice of many hosts: records by key, changed by compare-and-set.
//!
//! [`Records`] is a bucket of the bus: a JetStream key-value bucket where the bus is NATS, and memory of
//! the network where it is local. `tests/lattice/records.rs` is one suite for both. To it a record is bytes
//! with a revision; [`said`] is what they say, and [`DesiredReplica`] what a host makes of them.
//!
//! There is no call that deletes. What is not wanted any more is a record that says so: a bucket that
//! lost a record, or all of them, is thereby known to be wrong, and is filled again by the hosts that
//! have a copy. For the same reason a bucket that is not there is made, empty, by whoever needs it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::buckets::{BucketOptions, StoreError};
use weft_bus::subject::{self, SUBJECT_BYTES_MAX, SubjectError};
use weft_bus::{Bus, Transport};

mod jetstream;
mod local;
pub mod record_codec;
mod replica;
mod share;

pub use replica::{DesiredReplica, Notice, Refill};
pub use share::share;

/// The key of a record: names, as those of a subject.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// Which version of a record. Later ones are greater, over all records of a bucket, as long as the
/// bucket is the same; one that was lost and made again begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Of a record that is not there.
    pub const NONE: Self = Self(0);
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its version.
    pub revision: Revision,
    /// What it says.
    pub value: Bytes,
}

/// Why a record was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The record is not at the revision that was expected: somebody else changed it.
    #[error("expected record `{key}` at revision {}, found {}", .expected.0, .current.0)]
    Conflict {
        /// The record.
        key: Key,
        /// What the caller had read.
        expected: Revision,
        /// What is there now.
        current: Revision,
    },
    /// The value is more than the bus carries in one message.
    #[error("expected a record of at most {max} bytes, found {found}")]
    TooLarge {
        /// Its size.
        found: usize,
        /// The most that is taken.
        max: usize,
    },
    /// The store said something else. If it is away, the record may have been changed all the same.
    #[error("cannot change record `{key}`")]
    Store {
        /// The record.
        key: Key,
        /// What the store said.
        #[source]
        source: StoreError,
    },
}

/// What a [`Watch`] sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// From here to [`Watched::Complete`] come all records there are. It is the first thing, and comes
    /// again when something may have been missed.
    Begins,
    /// A record was there at the beginning, or was changed.
    Record {
        /// Its key.
        key: Key,
        /// Its latest version.
        record: Record,
    },
    /// Somebody deleted a record, which no host does.
    Erased {
        /// Its key.
        key: Key,
    },
    /// All records that were there have been said. What was known and did not come is lost.
    Complete,
    /// The store cannot be reached. It is tried again, and then [`Watched::Begins`] comes.
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

/// The records of a bucket and every change of them.
#[derive(Debug)]
pub struct Watch(Source);

#[derive(Debug)]
enum Source {
    Task(mpsc::Receiver<Watched>),
    Local(local::Watch),
}

impl Records {
    /// The bucket `name` of the lattice that the bus is for. Nothing is sent: the bucket is looked for,
    /// and made if it is not there, when it is used.
    ///
    /// # Errors
    /// [`StoreError::InvalidName`] if `name` is not 1 to 32 lower-case letters and digits.
    pub fn open(bus: &Bus, name: &str, options: &BucketOptions) -> Result<Self, StoreError> {
        crate::buckets::check_name(name)?;
        Ok(Self(match bus.transport() {
            Transport::Nats(connections) => {
                Store::JetStream(jetstream::Bucket::new(connections.store(), name, options))
            }
            Transport::Local(endpoint) => Store::Local(local::Bucket::new(endpoint, name)),
        }))
    }

    /// The newest version of a record, as its store's leader has it; `None` if there is none.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        match &self.0 {
            Store::JetStream(bucket) => bucket.get(key).await,
            Store::Local(bucket) => bucket.get(key),
        }
    }

    /// Writes a record if it is at revision `expected`, with [`Revision::NONE`] if it is not there, and
    /// returns its new revision. When this returns, the record is stored on as many replicas as make a
    /// majority.
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
            Store::Local(bucket) => bucket.put(key, value, expected),
        }
    }

    /// All records, by key.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub async fn list(&self) -> Result<Vec<(Key, Record)>, StoreError> {
        match &self.0 {
            Store::JetStream(bucket) => bucket.list().await,
            Store::Local(bucket) => bucket.list(),
        }
    }

    /// All records there are, then every change, for as long as the bus is open: where the store is
    /// away it is waited for.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(match &self.0 {
            Store::JetStream(bucket) => Source::Task(bucket.watch()),
            Store::Local(bucket) => Source::Local(bucket.watch()),
        })
    }
}

impl Watch {
    /// What is seen next; `None` when the bus was closed.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Watched> {
        match &mut self.0 {
            Source::Task(receiver) => receiver.recv().await,
            Source::Local(watch) => watch.next().await,
        }
    }
}

impl Key {
    /// The key that these names make. A name may be any text of a subject's length.
    ///
    /// # Errors
    /// A [`SubjectError`] if a name is empty or something is too long.
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

    /// The names it was made from.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.0
            .split('.')
            .map(|token| subject::name_of(token).unwrap_or_default())
    }

    /// Reads a key as the store has it; `None` if no host wrote it.
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
