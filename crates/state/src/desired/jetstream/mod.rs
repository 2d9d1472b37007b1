//! Records in a key-value bucket of JetStream.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use tokio::sync::mpsc;

use self::feed::Feed;
use super::{Key, PutError, Record, Revision, WatchEvent};
use crate::buckets::{BucketError, BucketOptions};
use crate::kv::{Entry, EntryKey, KvBucket, Operation, WriteError};
use weft_bus::nats::JetStreamConnection;

mod feed;

/// The most events queued for a watcher; then the feed waits.
const EVENTS_QUEUED_MAX: usize = 256;

/// The number of attempts of a put: the second one overwrites the deletion marker of a foreign
/// client.
const PUT_ATTEMPTS_MAX: usize = 2;

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    kv: KvBucket,
}

impl Bucket {
    pub(super) fn new(store: &JetStreamConnection, name: &str, options: &BucketOptions) -> Self {
        Self {
            kv: KvBucket::for_lattice(store, name, options),
        }
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Option<Record>, BucketError> {
        let newest = self.kv.newest(&entry_key(key)).await?;
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
            let put = self.kv.put(&entry, value.clone(), Some(at));
            match put.await {
                Ok(revision) => return Ok(revision),
                Err(WriteError::TooLarge { found, max }) => {
                    return Err(PutError::TooLarge { found, max });
                }
                Err(WriteError::Store(source)) => return Err(failed(source)),
                Err(WriteError::Conflict) => match self.resolve_conflict(key, expected).await {
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
        // Other writers were faster twice in a row.
        Err(PutError::Conflict {
            key: key.clone(),
            expected,
            current: at,
        })
    }

    pub(super) async fn list(&self) -> Result<Vec<(Key, Record)>, BucketError> {
        let mut records = BTreeMap::new();
        self.kv.ensure().await?;
        let mut feed = Feed::open(&self.kv).await?;
        loop {
            match feed.next().await? {
                WatchEvent::Begins => {}
                WatchEvent::Record { key, record } => {
                    records.insert(key, record);
                }
                WatchEvent::Erased { key } => {
                    records.remove(&key);
                }
                WatchEvent::Complete => break,
                WatchEvent::Away => return Err(self.kv.stream().unavailable()),
            }
        }
        Ok(records.into_iter().collect())
    }

    pub(super) fn watch(&self) -> mpsc::Receiver<WatchEvent> {
        let (sender, receiver) = mpsc::channel(EVENTS_QUEUED_MAX);
        let kv = self.kv.clone();
        let store = self.kv.stream().store();
        let stopping = store.stopping().clone();
        store.tasks().spawn(async move {
            tokio::select! {
                () = feed::run(&kv, &sender) => {}
                () = sender.closed() => {}
                () = stopping.cancelled() => {}
            }
        });
        receiver
    }

    /// Decides on a put that found another revision than expected. Where that is the deletion
    /// marker of a foreign client, and the record was expected to be missing, the put is repeated
    /// over the marker.
    async fn resolve_conflict(
        &self,
        key: &Key,
        expected: Revision,
    ) -> Result<ControlFlow<Revision, Revision>, BucketError> {
        let found = self.kv.newest(&entry_key(key)).await?;
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
    EntryKey::from_tokens(key.as_str())
}

fn record(entry: Entry) -> Record {
    Record {
        revision: entry.revision,
        value: entry.value,
    }
}
