//! The mark of a bucket: an entry that distinguishes it from a bucket made in its place.
//!
//! The mark is an entry and not a part of the stream's configuration, so it is there exactly as
//! long as the other entries: it is in backups and mirrors, and missing from a stream that a
//! cluster made again, empty, from its configuration. Every version of the servers stores it ([ADR
//! 22](../../../../docs/adr/0022-a-lost-store-is-not-a-new-one.md)).

use bytes::Bytes;

use super::{EntryKey, KvBucket, Operation, WriteError};
use crate::buckets::{BucketError, StreamOrigin};
use crate::desired::{MARK_BYTES_MAX, Revision};

/// The key of the mark. Keys of guests have two names, so none is equal to it.
const MARK_KEY: &str = "weft-mark";

/// The mark of a bucket in which another client has written an invalid entry.
const FOREIGN_MARK: &str = "foreign";

/// The prefix of a mark that is not an entry.
const CREATED_PREFIX: &str = "created:";

impl KvBucket {
    /// Reads the mark of the bucket; `None` if it has none or does not exist.
    ///
    /// A bucket whose entries expire, which a foreign client has made, is known by the time of its
    /// creation: an entry with a mark would expire too.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`BucketError`].
    pub async fn mark(&self) -> Result<Option<String>, BucketError> {
        match self.mark_entry().await {
            Ok(Some(mark)) => Ok(Some(mark)),
            Ok(None) => Ok(self
                .stream
                .origin()
                .await?
                .as_ref()
                .and_then(mark_of_expiring)),
            Err(BucketError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates the bucket if it does not exist, and writes `mark` unless it has one. Returns its
    /// mark: one of another host, if that was faster.
    ///
    /// Dropping the future leaves open whether the bucket and the mark were made.
    ///
    /// # Errors
    /// A [`WriteError`], but never a conflict.
    pub async fn make_marked(&self, mark: &str) -> Result<String, WriteError> {
        self.ensure().await?;
        if let Some(mark) = self.mark().await? {
            return Ok(mark);
        }
        let (key, value) = (mark_key(), Bytes::copy_from_slice(mark.as_bytes()));
        let erased = self.newest(&key).await?;
        let expected = erased.map_or(Revision::NONE, |entry| entry.revision);
        match self.put(&key, value, Some(expected)).await {
            Ok(_) => Ok(mark.to_owned()),
            Err(WriteError::Conflict) => match self.mark().await? {
                Some(mark) => Ok(mark),
                None => Err(self.stream.unavailable().into()),
            },
            Err(error) => Err(error),
        }
    }

    async fn mark_entry(&self) -> Result<Option<String>, BucketError> {
        let newest = self.newest(&mark_key()).await?;
        let put = newest.filter(|entry| entry.operation == Operation::Put);
        Ok(put.map(|entry| match std::str::from_utf8(&entry.value) {
            Ok(mark) if mark.len() <= MARK_BYTES_MAX => mark.to_owned(),
            // Another client may have written anything.
            Ok(_) | Err(_) => FOREIGN_MARK.to_owned(),
        }))
    }
}

fn mark_key() -> EntryKey {
    EntryKey::from_tokens(MARK_KEY)
}

/// The mark of a stream whose messages expire.
fn mark_of_expiring(origin: &StreamOrigin) -> Option<String> {
    (origin.config.max_age > 0).then(|| format!("{CREATED_PREFIX}{}", origin.created))
}
