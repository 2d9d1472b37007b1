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

/// Looks at the bucket whenever something changed, and compares with what was seen.
#[derive(Debug)]
pub(super) struct Watch {
    bucket: Bucket,
    changed: watch::Receiver<u64>,
    seen: Seen,
    waiting: VecDeque<Watched>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Nothing,
    Away,
    UpTo {
        /// Which of the states that the store was given; see [`weft_bus::local::LocalNetwork`].
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
        let found = self.endpoint.with_store(|store| {
            let bucket = store.buckets.get(&self.name)?;
            bucket.records.get(key.as_str()).map(record)
        });
        found.ok_or_else(|| self.away())
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
        let outcome = self.endpoint.with_store(|store| {
            let bucket = store.buckets.entry(self.name.clone()).or_default();
            let current = bucket
                .records
                .get(key.as_str())
                .map_or(0, |record| record.0);
            if current != expected.0 {
                return Err(Revision(current));
            }
            bucket.last += 1;
            let text = key.as_str().to_owned();
            bucket.records.insert(text, (bucket.last, value));
            Ok(Revision(bucket.last))
        });
        match outcome {
            Some(Ok(revision)) => {
                self.endpoint.tell_store_changed();
                Ok(revision)
            }
            Some(Err(current)) => Err(PutError::Conflict {
                key: key.clone(),
                expected,
                current,
            }),
            None => Err(PutError::Store {
                key: key.clone(),
                source: self.away(),
            }),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<(Key, Record)>, StoreError> {
        let found = self.endpoint.with_store(|store| {
            let bucket = store.buckets.get(&self.name);
            let records = bucket.into_iter().flat_map(|bucket| &bucket.records);
            records
                .filter_map(|(key, value)| Some((Key::parse(key)?, record(value))))
                .collect()
        });
        found.ok_or_else(|| self.away())
    }

    pub(super) fn watch(&self) -> Watch {
        Watch {
            bucket: self.clone(),
            changed: self.endpoint.store_changed(),
            seen: Seen::Nothing,
            waiting: VecDeque::new(),
        }
    }

    fn away(&self) -> StoreError {
        let bucket = self.name.clone();
        StoreError::Away { bucket }
    }

    /// What there is to say to one who has seen this much, in the order it came to be.
    fn news(&self, seen: Seen) -> (Seen, Vec<Watched>) {
        let news = self.endpoint.with_store(|store| {
            let bucket = store.buckets.get(&self.name);
            let (after, begins) = match seen {
                Seen::UpTo { age, revision } if age == store.age => (revision, false),
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
            let around = |watched| begins.then_some(watched);
            let news = around(Watched::Begins).into_iter().chain(changes);
            let news = news.chain(around(Watched::Complete)).collect();
            let seen = Seen::UpTo {
                age: store.age,
                revision: bucket.map_or(0, |bucket| bucket.last),
            };
            (seen, news)
        });
        match news {
            Some(news) => news,
            None if seen == Seen::Away => (seen, Vec::new()),
            None => (Seen::Away, vec![Watched::Away]),
        }
    }
}

impl Watch {
    pub(super) async fn next(&mut self) -> Option<Watched> {
        loop {
            if let Some(watched) = self.waiting.pop_front() {
                return Some(watched);
            }
            self.changed.borrow_and_update();
            let (seen, news) = self.bucket.news(self.seen);
            self.seen = seen;
            self.waiting.extend(news);
            if self.waiting.is_empty() {
                let changed = tokio::select! {
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
