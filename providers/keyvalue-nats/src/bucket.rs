//! One bucket of a guest: a key prefix in the provider's JetStream bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use weft_membership::Random;
use weft_provider::Context;
use weft_provider::keyvalue::{
    BATCH_BYTES_MAX, Bucket, CasOutcome, KeyPage, KeyValueError, PAGE_KEYS_MAX, add_to_counter,
};
use weft_provider::stores::{GuardError, MarkedStore, StoreGuard, StoreName};
use weft_state::desired::Revision;
use weft_state::kv::{Entry, EntryKey, KvBucket, Operation, WriteError};

use crate::connections::BucketConnection;
use crate::operation_error::OperationError;
use crate::page::Page;

/// Timeout of an operation on one key: longer than a leader election, which takes some four seconds
/// at worst.
pub const OPERATION_WAIT_MAX: Duration = Duration::from_secs(5);

/// Timeout of a batch: 1,000 keys, 64 at once, take five seconds between continents.
pub const BATCH_WAIT_MAX: Duration = Duration::from_secs(30);

/// Timeout of one page. It reads all keys of the bucket, at some 40,000 per second.
pub const LIST_WAIT_MAX: Duration = Duration::from_secs(10);

/// The largest value, in bytes. Reads return base64 in JSON, which must fit into the 1 MiB of a
/// NATS message by default.
pub const VALUE_BYTES_MAX: usize = 512 << 10;

/// The time after which the mark of the bucket is compared again. A server that lost its data ends
/// the connection, and each connection compares; this is for a bucket that another client replaces.
const RECHECK: Duration = Duration::from_secs(5);

/// Number of concurrent requests of a batch: with values of the largest size, 32 MiB.
const BATCH_IN_FLIGHT: usize = 64;

/// Number of concurrent lists of a provider: each is a consumer on a server.
const LISTS_MAX: usize = 4;

/// Number of attempts of a change under contention: one of the contenders succeeds in each round,
/// so dozens of concurrent ones all succeed.
const CHANGE_ATTEMPTS_MAX: usize = 64;

/// The longest pause after the first conflict: about one round trip in a data centre.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// The longest pause; it doubles up to this.
const PAUSE_MAX: Duration = Duration::from_millis(64);

/// The state that all buckets of a provider share.
pub(crate) struct ProviderBucket {
    connection: BucketConnection,
    /// `None` for a bucket in the memory of the servers.
    guard: Option<StoreGuard>,
    lists: Semaphore,
    is_closed: AtomicBool,
}

pub(crate) struct NatsBucket {
    name: String,
    provider: Arc<ProviderBucket>,
}

// === impl ProviderBucket ===

impl ProviderBucket {
    pub(crate) fn new(connection: BucketConnection, context: &Context<'_>) -> Self {
        let store = connection.place.clone().map(|place| StoreName {
            app: context.app.to_owned(),
            provider: context.provider.to_owned(),
            place,
        });
        let guard = store.map(|store| StoreGuard::new(context.stores.clone(), store, RECHECK));
        Self {
            connection,
            guard,
            lists: Semaphore::new(LISTS_MAX),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Refuses all operations from now on. Pending operations complete or not, as after a lost
    /// connection.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    fn bucket(&self) -> &KvBucket {
        &self.connection.bucket
    }

    async fn within<T>(
        &self,
        wait: Duration,
        operation: impl Future<Output = Result<T, OperationError>>,
    ) -> Result<T, OperationError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(OperationError::Closed);
        }
        let guarded = async {
            self.check().await?;
            let done = operation.await;
            if let (Err(OperationError::Missing), Some(guard)) = (&done, &self.guard) {
                guard.forget();
                self.check().await?;
            }
            done
        };
        let done = timeout(wait, guarded).await;
        done.unwrap_or(Err(OperationError::Timeout(wait)))
    }

    /// Checks that the bucket is the one that the desired state remembers. Makes it on first use.
    async fn check(&self) -> Result<(), GuardError<WriteError>> {
        let Some(guard) = &self.guard else {
            return Ok(());
        };
        let session = self.bucket().session().await;
        let session = session.map_err(|error| GuardError::Store(error.into()))?;
        let store = BucketStore(self.bucket());
        guard.check(&store, Some(session)).await
    }

    /// Checks that the bucket is usable, as before a deployment.
    pub(crate) async fn prepare(&self) -> Result<(), GuardError<WriteError>> {
        match &self.guard {
            Some(_) => self.check().await,
            None => {
                let ensured = self.bucket().ensure().await;
                ensured.map_err(|error| GuardError::Store(error.into()))
            }
        }
    }

    async fn read<T>(
        &self,
        wait: Duration,
        operation: impl Future<Output = Result<T, OperationError>>,
    ) -> Result<T, KeyValueError> {
        let done = self.within(wait, operation).await;
        done.map_err(|error| error.into_guest_error(false))
    }

    async fn change<T>(
        &self,
        wait: Duration,
        operation: impl Future<Output = Result<T, OperationError>>,
    ) -> Result<T, KeyValueError> {
        let done = self.within(wait, operation).await;
        done.map_err(|error| error.into_guest_error(true))
    }
}

// === impl BucketStore ===

/// The bucket as a store with a mark.
struct BucketStore<'a>(&'a KvBucket);

#[async_trait]
impl MarkedStore for BucketStore<'_> {
    type Error = WriteError;

    async fn mark(&self) -> Result<Option<String>, WriteError> {
        Ok(self.0.mark().await?)
    }

    async fn make(&self, mark: &str) -> Result<String, WriteError> {
        self.0.make_marked(mark).await
    }
}

// === impl NatsBucket ===

impl NatsBucket {
    pub(crate) fn new(name: &str, provider: Arc<ProviderBucket>) -> Self {
        Self {
            name: name.to_owned(),
            provider,
        }
    }

    fn key(&self, key: &str) -> Result<EntryKey, OperationError> {
        Ok(EntryKey::new(&[&self.name, key])?)
    }

    async fn value(&self, key: &str) -> Result<Option<Bytes>, OperationError> {
        let newest = self.provider.bucket().newest(&self.key(key)?).await?;
        Ok(state(newest).0)
    }

    async fn put(&self, key: &str, value: Bytes) -> Result<(), OperationError> {
        let key = self.key(key)?;
        self.provider.bucket().put(&key, value, None).await?;
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<(), OperationError> {
        let key = self.key(key)?;
        self.provider.bucket().delete(&key).await?;
        Ok(())
    }

    /// Replaces the value by the result of `change`, by compare-and-set. A change by another writer
    /// repeats it.
    async fn update<T>(
        &self,
        key: &str,
        change: impl Fn(Option<Bytes>) -> Result<Change<T>, OperationError>,
    ) -> Result<T, OperationError> {
        let key = self.key(key)?;
        let mut pauses = Backoff::new();
        for _ in 0..CHANGE_ATTEMPTS_MAX {
            let (current, revision) = state(self.provider.bucket().newest(&key).await?);
            let (value, outcome) = match change(current)? {
                Change::Put(value, outcome) => (value, outcome),
                Change::Unchanged(outcome) => return Ok(outcome),
            };
            match self
                .provider
                .bucket()
                .put(&key, value, Some(revision))
                .await
            {
                Ok(_) => return Ok(outcome),
                Err(WriteError::Conflict) => sleep(pauses.next()).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(OperationError::Contended(CHANGE_ATTEMPTS_MAX))
    }

    async fn page(&self, cursor: Option<&str>) -> Result<KeyPage, OperationError> {
        // The semaphore is never closed.
        let _permit = self.provider.lists.acquire().await;
        let bucket = EntryKey::new(&[&self.name])?;
        loop {
            let mut page = Page::new(cursor, PAGE_KEYS_MAX);
            let mut scan = self.provider.bucket().scan_keys(&bucket).await?;
            while let Some((key, operation)) = scan.next().await? {
                page.observe(key, operation);
            }
            if let Some(page) = page.finish() {
                return Ok(page);
            }
        }
    }

    async fn values(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, OperationError> {
        let reads: Vec<_> = keys.iter().map(|key| self.value(key)).collect();
        let mut reads = iter(reads).buffered(BATCH_IN_FLIGHT);
        let mut values = Vec::with_capacity(keys.len());
        let mut bytes = 0;
        while let Some(value) = reads.try_next().await? {
            bytes += value.as_ref().map_or(0, Bytes::len);
            if bytes > BATCH_BYTES_MAX {
                return Err(OperationError::BatchTooLarge(BATCH_BYTES_MAX));
            }
            values.push(value);
        }
        Ok(values)
    }
}

/// The action of an update.
enum Change<T> {
    Put(Bytes, T),
    Unchanged(T),
}

/// Applies `changes` concurrently; after an error, some of them may have been applied.
async fn each(
    changes: Vec<impl Future<Output = Result<(), OperationError>>>,
) -> Result<(), OperationError> {
    let changes = iter(changes).buffer_unordered(BATCH_IN_FLIGHT);
    changes.try_collect().await
}

/// Returns the value of a key, and the revision that a change must expect.
fn state(newest: Option<Entry>) -> (Option<Bytes>, Revision) {
    match newest {
        None => (None, Revision::NONE),
        Some(entry) => {
            let value = (entry.operation == Operation::Put).then_some(entry.value);
            (value, entry.revision)
        }
    }
}

#[async_trait]
impl Bucket for NatsBucket {
    fn value_len_max(&self) -> usize {
        VALUE_BYTES_MAX
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, KeyValueError> {
        self.provider
            .read(OPERATION_WAIT_MAX, self.value(key))
            .await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KeyValueError> {
        let put = self.put(key, value);
        self.provider.change(OPERATION_WAIT_MAX, put).await
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        let removed = self.remove(key);
        self.provider.change(OPERATION_WAIT_MAX, removed).await
    }

    async fn list_keys(&self, cursor: Option<&str>) -> Result<KeyPage, KeyValueError> {
        self.provider.read(LIST_WAIT_MAX, self.page(cursor)).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, KeyValueError> {
        let updated = self.update(key, |current| {
            let sum = add_to_counter(current.as_deref(), delta)?;
            let text = Bytes::from(sum.to_string());
            // Guests read counters by adding zero.
            if current.as_ref() == Some(&text) {
                return Ok(Change::Unchanged(sum));
            }
            Ok(Change::Put(text, sum))
        });
        self.provider.change(OPERATION_WAIT_MAX, updated).await
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
    ) -> Result<CasOutcome, KeyValueError> {
        let updated = self.update(key, |current| {
            if current.as_deref() == expected {
                return Ok(Change::Put(new.clone(), CasOutcome::Swapped));
            }
            Ok(Change::Unchanged(CasOutcome::Conflict { current }))
        });
        self.provider.change(OPERATION_WAIT_MAX, updated).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KeyValueError> {
        self.provider.read(BATCH_WAIT_MAX, self.values(keys)).await
    }

    async fn set_many(&self, pairs: Vec<(String, Bytes)>) -> Result<(), KeyValueError> {
        // Writes have no order: of a duplicate key, the last value counts.
        let pairs: BTreeMap<_, _> = pairs.into_iter().collect();
        let puts = pairs
            .iter()
            .map(|(key, value)| self.put(key, value.clone()));
        let puts = each(puts.collect());
        self.provider.change(BATCH_WAIT_MAX, puts).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), KeyValueError> {
        let keys: BTreeSet<_> = keys.iter().collect();
        let removals = keys.iter().map(|key| self.remove(key));
        let removals = each(removals.collect());
        self.provider.change(BATCH_WAIT_MAX, removals).await
    }
}

/// Pauses between attempts: random up to a doubling limit, so that contenders do not collide again.
struct Backoff {
    random: Random,
    max: Duration,
}

impl Backoff {
    fn new() -> Self {
        // Each state has random keys, so the hashed value does not matter.
        let seed = RandomState::new().hash_one(PAUSE_MIN);
        Self {
            random: Random::from_seed(seed),
            max: PAUSE_MIN,
        }
    }

    fn next(&mut self) -> Duration {
        let max = u32::try_from(self.max.as_micros()).unwrap_or(u32::MAX);
        self.max = PAUSE_MAX.min(2 * self.max);
        Duration::from_micros(u64::from(self.random.below(max)))
    }
}
