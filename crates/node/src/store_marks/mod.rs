//! The memory of the stores of providers: their marks, as records of the desired state ([ADR
//! 22](../../../../docs/adr/0022-a-lost-store-is-not-a-new-one.md)).
//!
//! 1. The first host that finds no record makes the store and writes one, by compare-and-set. Of
//!    several hosts at once one is first, and the others compare their store with its record.
//! 2. While the bucket of the desired state is unavailable, nothing is concluded, unless the copy
//!    of this host has the mark of the present store.
//! 3. A host that finds a lost store writes that into the record, so every host can report it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;
use weft_provider::stores::{StoreMemory, StoreName, StoreState, UnavailableMemory};
use weft_state::desired::record_codec::{self, DecodedRecord};
use weft_state::desired::{DesiredReplica, Key, PutError, Records, Revision, StoreMark};
use weft_telemetry::chain;
use weft_telemetry::events::{Events, Kind};

use crate::environment::Environment;

/// The number of attempts of a change, of which each one but the last loses to another host.
const ATTEMPTS_MAX: usize = 4;

/// The memory of the stores of providers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct StoreMarks(Arc<Shared>);

struct Shared {
    events: Events,
    /// Set when the host joins.
    source: OnceLock<Source>,
    /// The stores that this host has found lost, for events.
    lost: Mutex<BTreeSet<StoreName>>,
}

struct Source {
    records: Records,
    replica: watch::Receiver<Arc<DesiredReplica>>,
    environment: Environment,
}

/// The newest known record of a mark.
struct Known {
    key: Key,
    /// The revision in the bucket, which a change expects.
    at: Revision,
    record: Option<StoreMark>,
}

/// The reasons why no other store was accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcceptError {
    /// No store of the provider was ever made.
    #[error("provider `{provider}` of app `{app}` has no store that could be lost")]
    NoStore { app: String, provider: String },
    /// The bucket of the desired state failed.
    #[error("the desired state was not changed")]
    Change(#[source] PutError),
    /// The desired state cannot be read or written.
    #[error(transparent)]
    Unavailable(#[from] UnavailableMemory),
}

impl StoreMarks {
    pub(crate) fn new(events: Events) -> Self {
        Self(Arc::new(Shared {
            events,
            source: OnceLock::new(),
            lost: Mutex::default(),
        }))
    }

    /// Connects the memory to the desired state. It is unavailable before.
    pub(crate) fn connect(
        &self,
        records: Records,
        replica: watch::Receiver<Arc<DesiredReplica>>,
        environment: Environment,
    ) {
        let source = Source {
            records,
            replica,
            environment,
        };
        // A host joins once.
        let _ = self.0.source.set(source);
    }

    /// Accepts that the stores of a provider begin again: whatever is at their places next is the
    /// remembered one. Returns the places.
    ///
    /// Dropping the future leaves open which stores were accepted.
    pub(crate) async fn accept(
        &self,
        app: &str,
        provider: &str,
    ) -> Result<Vec<String>, AcceptError> {
        let source = self.source()?;
        let replica = source.replica.borrow().clone();
        let stores = replica.marks().keys().filter_map(|key| {
            let [of, by, place] = record_codec::store_of_mark(key)?;
            (of == app && by == provider).then_some(place)
        });
        let places: Vec<_> = stores.collect();
        for place in &places {
            source.accept(app, provider, place).await?;
        }
        match places.is_empty() {
            false => Ok(places),
            true => Err(AcceptError::NoStore {
                app: app.to_owned(),
                provider: provider.to_owned(),
            }),
        }
    }

    fn source(&self) -> Result<&Source, UnavailableMemory> {
        self.0.source.get().ok_or(UnavailableMemory)
    }

    /// Reports a store that was lost, or is back, once.
    fn publish(&self, store: &StoreName, state: &StoreState) {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let (kind, message) = match state {
            StoreState::Lost(loss) => {
                if !lost.insert(store.clone()) {
                    return;
                }
                tracing::error!(place = store.place, "{loss}");
                (Kind::StoreLost, loss.to_string())
            }
            StoreState::Sound => {
                if !lost.remove(store) {
                    return;
                }
                let (app, provider) = (&store.app, &store.provider);
                let message =
                    format!("the data of provider `{provider}` of app `{app}` is in use again");
                tracing::info!("{message}");
                (Kind::StoreFound, message)
            }
        };
        self.0.events.of_app(kind, &store.app, message);
    }
}

#[async_trait]
impl StoreMemory for StoreMarks {
    async fn recall(
        &self,
        store: &StoreName,
        found: Option<&str>,
    ) -> Result<Option<String>, UnavailableMemory> {
        let source = self.source()?;
        let copy = source.copy(&key(store)?);
        if let Some(mark) = copy.and_then(|copy| copy.mark)
            && Some(mark.as_str()) == found
        {
            return Ok(Some(mark));
        }
        let known = source.known(key(store)?).await?;
        Ok(known.record.and_then(|record| record.mark))
    }

    async fn remember(&self, store: &StoreName, mark: &str) -> Result<String, UnavailableMemory> {
        let source = self.source()?;
        for _ in 0..ATTEMPTS_MAX {
            let known = source.known(key(store)?).await?;
            if let Some(StoreMark {
                mark: Some(mark), ..
            }) = known.record
            {
                return Ok(mark);
            }
            let now_ms = source.environment.now_ms();
            let former = known.record.as_ref();
            let record = StoreMark::after(former, now_ms, Some(mark.to_owned()));
            match source.put(&known, &record).await {
                Ok(()) => {
                    tracing::info!(%store, place = store.place, "a store is remembered");
                    return Ok(mark.to_owned());
                }
                Err(PutError::Conflict { .. }) => {}
                Err(error) => return Err(unavailable(&error)),
            }
        }
        Err(UnavailableMemory)
    }

    async fn report(&self, store: &StoreName, state: StoreState) {
        self.publish(store, &state);
        let (Ok(source), Ok(key)) = (self.source(), key(store)) else {
            return;
        };
        let lost = match state {
            StoreState::Sound => None,
            StoreState::Lost(loss) => Some(loss.found().to_owned()),
        };
        let copy = source.copy(&key);
        if copy.is_none_or(|copy| copy.lost == lost) {
            return;
        }
        // The next comparison reports again.
        if let Err(error) = source.write_loss(key, lost).await {
            tracing::debug!(error = chain(&error), %store, "the loss of a store is not recorded");
        }
    }
}

impl Source {
    /// The record in the copy of this host.
    fn copy(&self, key: &Key) -> Option<StoreMark> {
        self.replica.borrow().marks().get(key).cloned()
    }

    /// Reads the record from the bucket. That of this host's copy counts if it is newer: the bucket
    /// may have lost it.
    async fn known(&self, key: Key) -> Result<Known, UnavailableMemory> {
        let stored = self.records.get(&key).await;
        let stored = stored.map_err(|error| unavailable(&error))?;
        let at = stored
            .as_ref()
            .map_or(Revision::NONE, |stored| stored.revision);
        let stored = match stored.map(|stored| record_codec::decode(&key, &stored.value)) {
            None => None,
            Some(DecodedRecord::Mark(_, mark)) => Some(mark),
            // Of a newer release, or damaged: nothing can be concluded.
            Some(_) => return Err(UnavailableMemory),
        };
        let copy = self.copy(&key);
        let record = match (stored, copy) {
            (Some(stored), Some(copy)) if copy.is_newer_than(&stored) => Some(copy),
            (Some(stored), _) => Some(stored),
            (None, copy) => copy,
        };
        Ok(Known { key, at, record })
    }

    async fn put(&self, known: &Known, record: &StoreMark) -> Result<(), PutError> {
        // Marks are representable in JSON.
        let value = record_codec::encode_mark(record).unwrap_or_default();
        let put = self.records.put(&known.key, value, known.at);
        put.await.map(drop)
    }

    async fn accept(&self, app: &str, provider: &str, place: &str) -> Result<(), AcceptError> {
        let key = record_codec::mark_key(app, provider, place).map_err(|_| UnavailableMemory)?;
        let mut last = UnavailableMemory.into();
        for _ in 0..ATTEMPTS_MAX {
            let known = self.known(key.clone()).await?;
            let now_ms = self.environment.now_ms();
            let record = StoreMark::after(known.record.as_ref(), now_ms, None);
            match self.put(&known, &record).await {
                Ok(()) => return Ok(()),
                Err(error @ PutError::Conflict { .. }) => last = AcceptError::Change(error),
                Err(error) => return Err(AcceptError::Change(error)),
            }
        }
        Err(last)
    }

    async fn write_loss(&self, key: Key, lost: Option<String>) -> Result<(), PutError> {
        let Ok(known) = self.known(key).await else {
            return Ok(());
        };
        match &known.record {
            Some(record) if record.mark.is_some() && record.lost != lost => {
                let record = record.with_loss(self.environment.now_ms(), lost);
                self.put(&known, &record).await
            }
            _ => Ok(()),
        }
    }
}

fn key(store: &StoreName) -> Result<Key, UnavailableMemory> {
    let key = record_codec::mark_key(&store.app, &store.provider, &store.place);
    key.map_err(|error| {
        tracing::error!(%error, %store, "the place of a store is no key of the desired state");
        UnavailableMemory
    })
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> UnavailableMemory {
    let error = chain(error);
    tracing::debug!(error, "the memory of a store is unavailable");
    UnavailableMemory
}

#[cfg(test)]
mod tests;
