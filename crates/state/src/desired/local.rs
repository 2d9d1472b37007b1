//! Records in the memory of a local network. Those of a host alone are in its database too, from
//! which they are read when the host starts.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use weft_bus::local::{BucketContent, Endpoint};

use super::record_codec::{self, DecodedRecord};
use super::{Key, PutError, Record, Revision, WatchEvent};
use crate::blocking;
use crate::buckets::{BucketError, server_name};
use crate::store::{self, Store};

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    endpoint: Endpoint,
    name: String,
    /// Has a record on disk before a put of it returns; `None` for a bucket in memory only.
    database: Option<Arc<Store>>,
}

/// A watch that compares the bucket with its own position after each change of the network's
/// stores.
#[derive(Debug)]
pub(super) struct Watch {
    bucket: Bucket,
    changed: watch::Receiver<u64>,
    position: Position,
    queued: VecDeque<WatchEvent>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Position {
    Start,
    Unavailable,
    At {
        /// The generation of the store's content; see [`weft_bus::local::LocalNetwork`].
        age: u64,
        revision: u64,
    },
}

impl Bucket {
    pub(super) fn new(endpoint: &Endpoint, name: &str) -> Self {
        Self {
            endpoint: endpoint.clone(),
            name: server_name(endpoint.scope(), name),
            database: None,
        }
    }

    /// The bucket of a host alone, with the records of `database`.
    pub(super) fn in_database(
        endpoint: &Endpoint,
        name: &str,
        database: Arc<Store>,
    ) -> Result<Self, store::StoreError> {
        let mut content = BucketContent::default();
        for (key, value) in record_codec::stored(&database)? {
            content.last_revision += 1;
            let text = key.as_str().to_owned();
            content.records.insert(text, (content.last_revision, value));
        }
        let bucket = Self {
            database: Some(database),
            ..Self::new(endpoint, name)
        };
        endpoint.with_jetstream(|store| store.buckets.insert(bucket.name.clone(), content));
        Ok(bucket)
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Record>, BucketError> {
        let found = self.endpoint.with_jetstream(|store| {
            let bucket = store.buckets.get(&self.name)?;
            bucket.records.get(key.as_str()).map(record)
        });
        found.ok_or_else(|| self.unavailable())
    }

    pub(super) async fn put(
        &self,
        key: &Key,
        value: Bytes,
        expected: Revision,
    ) -> Result<Revision, PutError> {
        if self.database.is_none() {
            return self.put_blocking(key, value, expected);
        }
        let (bucket, owned_key) = (self.clone(), key.clone());
        let put = move || bucket.put_blocking(&owned_key, value, expected);
        let outcome = blocking::run(put).await;
        outcome.unwrap_or_else(|_| Err(put_error(key, self.unavailable())))
    }

    fn put_blocking(
        &self,
        key: &Key,
        value: Bytes,
        expected: Revision,
    ) -> Result<Revision, PutError> {
        let (found, max) = (value.len(), self.endpoint.max_payload());
        if found > max {
            return Err(PutError::TooLarge { found, max });
        }
        if !self.endpoint.admits_write(&self.name, key.as_str(), &value) {
            return Err(put_error(key, self.unavailable()));
        }
        let outcome = self.endpoint.with_jetstream(|store| {
            let bucket = store.buckets.entry(self.name.clone()).or_default();
            let current = bucket
                .records
                .get(key.as_str())
                .map_or(0, |record| record.0);
            if current != expected.0 {
                return Err(PutError::Conflict {
                    key: key.clone(),
                    expected,
                    current: Revision(current),
                });
            }
            if let Some(database) = &self.database {
                write(database, key, &value)?;
            }
            bucket.last_revision += 1;
            let text = key.as_str().to_owned();
            bucket.records.insert(text, (bucket.last_revision, value));
            Ok(Revision(bucket.last_revision))
        });
        let revision = outcome.unwrap_or_else(|| Err(put_error(key, self.unavailable())))?;
        self.endpoint.notify_jetstream_changed();
        Ok(revision)
    }

    pub(super) fn list(&self) -> Result<Vec<(Key, Record)>, BucketError> {
        let found = self.endpoint.with_jetstream(|store| {
            let bucket = store.buckets.get(&self.name);
            let records = bucket.into_iter().flat_map(|bucket| &bucket.records);
            records
                .filter_map(|(key, value)| Some((Key::parse(key)?, record(value))))
                .collect()
        });
        found.ok_or_else(|| self.unavailable())
    }

    pub(super) fn watch(&self) -> Watch {
        Watch {
            bucket: self.clone(),
            changed: self.endpoint.jetstream_changes(),
            position: Position::Start,
            queued: VecDeque::new(),
        }
    }

    fn unavailable(&self) -> BucketError {
        let bucket = self.name.clone();
        BucketError::Unavailable {
            bucket,
            source: None,
        }
    }

    /// The events after a position, in the order of their revisions, and the new position.
    fn events_since(&self, position: Position) -> (Position, Vec<WatchEvent>) {
        let events = self.endpoint.with_jetstream(|store| {
            let bucket = store.buckets.get(&self.name);
            let (after, begins) = match position {
                Position::At { age, revision } if age == store.generation => (revision, false),
                _ => (0, true),
            };
            let records = bucket.into_iter().flat_map(|bucket| &bucket.records);
            let mut newer: Vec<_> = records
                .filter(|(_, (revision, _))| *revision > after)
                .collect();
            newer.sort_by_key(|(_, (revision, _))| *revision);
            let changes = newer.into_iter().filter_map(|(key, value)| {
                let key = Key::parse(key)?;
                let record = record(value);
                Some(WatchEvent::Record { key, record })
            });
            let if_start = |event| begins.then_some(event);
            let events = if_start(WatchEvent::Begins).into_iter().chain(changes);
            let events = events.chain(if_start(WatchEvent::Complete)).collect();
            let position = Position::At {
                age: store.generation,
                revision: bucket.map_or(0, |bucket| bucket.last_revision),
            };
            (position, events)
        });
        match events {
            Some(events) => events,
            None if position == Position::Unavailable => (position, Vec::new()),
            None => (Position::Unavailable, vec![WatchEvent::Away]),
        }
    }
}

impl Watch {
    pub(super) async fn next(&mut self) -> Option<WatchEvent> {
        loop {
            if let Some(watched) = self.queued.pop_front() {
                return Some(watched);
            }
            self.changed.borrow_and_update();
            let (position, events) = self.bucket.events_since(self.position);
            self.position = position;
            self.queued.extend(events);
            if self.queued.is_empty() {
                let changed = tokio::select! {
                    biased;
                    changed = self.changed.changed() => changed.is_ok(),
                    () = self.bucket.endpoint.closed() => false,
                };
                if !changed {
                    return None;
                }
            }
        }
    }
}

fn put_error(key: &Key, source: BucketError) -> PutError {
    let key = key.clone();
    PutError::Store { key, source }
}

/// Writes a record to disk. The replica on the same disk has it thereby too.
fn write(database: &Store, key: &Key, value: &[u8]) -> Result<(), store::StoreError> {
    match record_codec::decode(key, value) {
        DecodedRecord::App(app, record) => database.replace(&app, &record),
        DecodedRecord::Home(store, host) => database.keep(&[], &[(store, host)]),
        DecodedRecord::Mark(key, mark) => database.keep_marks(&[(key, mark)]),
        // A host writes only records that it can read.
        DecodedRecord::Unknown(_) => Ok(()),
    }
}

fn record((revision, value): &(u64, Bytes)) -> Record {
    Record {
        revision: Revision(*revision),
        value: value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use weft_bus::local::{LocalOptions, alone};
    use weft_bus::{Scope, Transport};

    use super::record_codec::{app_key, encode_app};
    use super::*;
    use crate::store::Record as AppRecord;

    /// The bucket of a host alone that starts with this database.
    fn bucket(database: &Arc<Store>) -> Bucket {
        let bus = alone(&Scope::new("alone").unwrap(), LocalOptions::default());
        let Transport::Local(endpoint) = bus.transport() else {
            panic!("{bus:?}")
        };
        Bucket::in_database(endpoint, "desired", database.clone()).unwrap()
    }

    fn removed(revision: u64) -> AppRecord {
        AppRecord::Removed {
            revision,
            changed_at_ms: 0,
        }
    }

    async fn put(bucket: &Bucket, record: &AppRecord, expected: Revision) -> Result<(), PutError> {
        let key = app_key(&"shop".parse().unwrap()).unwrap();
        let value = encode_app(record).unwrap();
        bucket.put(&key, value, expected).await.map(drop)
    }

    fn stored(database: &Store) -> Vec<AppRecord> {
        let stored = database.all().unwrap().into_iter();
        stored.map(|(_, record)| record).collect()
    }

    #[tokio::test]
    async fn a_record_of_a_host_alone_is_on_disk_when_its_put_returns_and_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let database = Arc::new(Store::open(&path).unwrap());
        put(&bucket(&database), &removed(1), Revision::NONE)
            .await
            .unwrap();
        assert_eq!(stored(&database), [removed(1)]);
        drop(database);
        let database = Arc::new(Store::open(&path).unwrap());
        let bucket = bucket(&database);
        let listed = bucket.list().unwrap();
        let [(key, record)] = &listed[..] else {
            panic!("{listed:?}")
        };
        let shop = "shop".parse().unwrap();
        assert_eq!(
            record_codec::decode(key, &record.value),
            DecodedRecord::App(shop, removed(1))
        );
        let stale = put(&bucket, &removed(2), Revision::NONE).await;
        assert!(matches!(stale, Err(PutError::Conflict { .. })), "{stale:?}");
        put(&bucket, &removed(2), record.revision).await.unwrap();
        assert_eq!(stored(&database), [removed(2)]);
    }

    #[tokio::test]
    async fn a_put_that_the_disk_rejects_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let database = Arc::new(Store::open(directory.path().join("state.redb")).unwrap());
        let bucket = bucket(&database);
        let mut watch = bucket.watch();
        assert_eq!(watch.next().await, Some(WatchEvent::Begins));
        assert_eq!(watch.next().await, Some(WatchEvent::Complete));
        database.close();
        drop(directory);
        let rejected = put(&bucket, &removed(1), Revision::NONE).await;
        assert!(
            matches!(rejected, Err(PutError::Database(_))),
            "{rejected:?}"
        );
        assert_eq!(bucket.list().unwrap(), []);
        let next = tokio::time::timeout(std::time::Duration::ZERO, watch.next()).await;
        assert!(next.is_err(), "{next:?}");
    }

    #[tokio::test]
    async fn a_record_of_a_newer_version_is_in_the_bucket_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let database = Arc::new(Store::open(directory.path().join("state.redb")).unwrap());
        database.write("shop", b"{}");
        let listed = bucket(&database).list().unwrap();
        assert_eq!(listed[0].1.value, &b"{}"[..]);
    }
}
