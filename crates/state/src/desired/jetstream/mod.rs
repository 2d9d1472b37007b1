//! Records in a key-value bucket of JetStream.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use tokio::sync::mpsc;

use self::feed::{Feed, watch};
use super::{Key, PutError, Record, Revision, Watched};
use crate::buckets::{BucketOptions, StoreError};
use crate::kv::{Entry, EntryKey, KeyedBucket, Operation, WriteError};
use weft_bus::nats::StoreConnection;

mod feed;

/// How many changes wait for a watcher before the feed waits too.
const WATCHED_QUEUED_MAX: usize = 256;

/// How often a put is made: again after a deletion by a foreign hand was found in its place.
const PUT_ATTEMPTS_MAX: usize = 2;

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    keyed: KeyedBucket,
}

impl Bucket {
    pub(super) fn new(store: &StoreConnection, name: &str, options: &BucketOptions) -> Self {
        Self {
            keyed: KeyedBucket::of_lattice(store, name, options),
        }
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let newest = self.keyed.newest(&entry_key(key)).await?;
        Ok(newest
            .filter(|entry| entry.operation == Operation::Put)
            .map(record))
    }

    pub(super) async fn put(
        &self,
        key: &Key,
        value: Bytes,
        expected: Revision,
    ) -> Result<Revision, PutError> {
        let failed = |source| PutError::Store {
            key: key.clone(),
            source,
        };
        let (entry, mut at) = (entry_key(key), expected);
        for _ in 0..PUT_ATTEMPTS_MAX {
            let put = self.keyed.put(&entry, value.clone(), Some(at));
            match put.await {
                Ok(revision) => return Ok(revision),
                Err(WriteError::TooLarge { found, max }) => {
                    return Err(PutError::TooLarge { found, max });
                }
                Err(WriteError::Store(source)) => return Err(failed(source)),
                Err(WriteError::Conflict) => match self.after_conflict(key, expected).await {
                    Ok(ControlFlow::Continue(revision)) => at = revision,
                    Ok(ControlFlow::Break(current)) => {
                        let key = key.clone();
                        return Err(PutError::Conflict {
                            key,
                            expected,
                            current,
                        });
                    }
                    Err(source) => return Err(failed(source)),
                },
            }
        }
        // Twice in a row somebody else was faster.
        Err(PutError::Conflict {
            key: key.clone(),
            expected,
            current: at,
        })
    }

    pub(super) async fn list(&self) -> Result<Vec<(Key, Record)>, StoreError> {
        let mut records = BTreeMap::new();
        self.keyed.ensure().await?;
        let mut feed = Feed::open(&self.keyed).await?;
        loop {
            match feed.next().await? {
                Watched::Begins => {}
                Watched::Record { key, record } => {
                    records.insert(key, record);
                }
                Watched::Erased { key } => {
                    records.remove(&key);
                }
                Watched::Complete => break,
                Watched::Away => return Err(self.keyed.stream().away()),
            }
        }
        Ok(records.into_iter().collect())
    }

    pub(super) fn watch(&self) -> mpsc::Receiver<Watched> {
        let (sender, receiver) = mpsc::channel(WATCHED_QUEUED_MAX);
        let keyed = self.keyed.clone();
        let store = self.keyed.stream().store();
        let stopping = store.stopping().clone();
        store.tasks().spawn(async move {
            tokio::select! {
                () = watch(&keyed, &sender) => {}
                () = sender.closed() => {}
                () = stopping.cancelled() => {}
            }
        });
        receiver
    }

    /// What is there in place of what was expected. If that is only a deletion by a foreign hand, and
    /// nothing was expected, the record may be written in its place.
    async fn after_conflict(
        &self,
        key: &Key,
        expected: Revision,
    ) -> Result<ControlFlow<Revision, Revision>, StoreError> {
        let found = self.keyed.newest(&entry_key(key)).await?;
        let found = found.map(|entry| (entry.operation, entry.revision));
        Ok(match found {
            Some((Operation::Put, revision)) => ControlFlow::Break(revision),
            Some((Operation::Delete, revision)) if expected == Revision::NONE => {
                ControlFlow::Continue(revision)
            }
            Some((Operation::Delete, _)) | None => ControlFlow::Break(Revision::NONE),
        })
    }
}

fn entry_key(key: &Key) -> EntryKey {
    EntryKey::of_tokens(key.as_str())
}

fn record(entry: Entry) -> Record {
    Record {
        revision: entry.revision,
        value: entry.value,
    }
}
