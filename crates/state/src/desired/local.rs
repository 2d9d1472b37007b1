//! Records in the memory of a local network.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::watch;

use super::{Key, PutError, Record, Revision, Watched};
use crate::buckets::{StoreError, server_name};
use weft_bus::local::Endpoint;

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    endpoint: Endpoint,
    name: String,
}

/// A watch that compares the bucket with its own position after each change of the network's
/// stores.
#[derive(Debug)]
pub(super) struct Watch {
    bucket: Bucket,
    changed: watch::Receiver<u64>,
    position: Position,
    queued: VecDeque<Watched>,
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
        }
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let found = self.endpoint.with_jetstream(|store| {
            let bucket = store.buckets.get(&self.name)?;
            bucket.records.get(key.as_str()).map(record)
        });
        found.ok_or_else(|| self.unavailable())
    }

    pub(super) fn put(
        &self,
        key: &Key,
        value: Bytes,
        expected: Revision,
    ) -> Result<Revision, PutError> {
        let (found, max) = (value.len(), self.endpoint.max_payload());
        if found > max {
            return Err(PutError::TooLarge { found, max });
        }
        let unavailable = || PutError::Store {
            key: key.clone(),
            source: self.unavailable(),
        };
        if !self.endpoint.admits_write(&self.name, key.as_str(), &value) {
            return Err(unavailable());
        }
        let outcome = self.endpoint.with_jetstream(|store| {
            let bucket = store.buckets.entry(self.name.clone()).or_default();
            let current = bucket
                .records
                .get(key.as_str())
                .map_or(0, |record| record.0);
            if current != expected.0 {
                return Err(Revision(current));
            }
            bucket.last_revision += 1;
            let text = key.as_str().to_owned();
            bucket.records.insert(text, (bucket.last_revision, value));
            Ok(Revision(bucket.last_revision))
        });
        match outcome {
            Some(Ok(revision)) => {
                self.endpoint.notify_jetstream_changed();
                Ok(revision)
            }
            Some(Err(current)) => Err(PutError::Conflict {
                key: key.clone(),
                expected,
                current,
            }),
            None => Err(unavailable()),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<(Key, Record)>, StoreError> {
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

    fn unavailable(&self) -> StoreError {
        let bucket = self.name.clone();
        StoreError::Unavailable { bucket }
    }

    /// The events after a position, in the order of their revisions, and the new position.
    fn events_since(&self, position: Position) -> (Position, Vec<Watched>) {
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
                Some(Watched::Record { key, record })
            });
            let if_start = |event| begins.then_some(event);
            let events = if_start(Watched::Begins).into_iter().chain(changes);
            let events = events.chain(if_start(Watched::Complete)).collect();
            let position = Position::At {
                age: store.generation,
                revision: bucket.map_or(0, |bucket| bucket.last_revision),
            };
            (position, events)
        });
        match events {
            Some(events) => events,
            None if position == Position::Unavailable => (position, Vec::new()),
            None => (Position::Unavailable, vec![Watched::Away]),
        }
    }
}

impl Watch {
    pub(super) async fn next(&mut self) -> Option<Watched> {
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

fn record((revision, value): &(u64, Bytes)) -> Record {
    Record {
        revision: Revision(*revision),
        value: value.clone(),
    }
}
