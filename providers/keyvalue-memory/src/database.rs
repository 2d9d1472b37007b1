//! The data of a provider, its size, and its buckets.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use weft_provider::keyvalue::{
    Bucket, CasOutcome, KeyPage, KeyValueError, PAGE_KEYS_MAX, add_to_counter,
};

/// Bytes counted for an entry in addition to its key and value: about the memory of the map.
/// Without it, a guest could fill the host with empty values.
pub const ENTRY_OVERHEAD: u64 = 96;

/// All buckets of one provider.
pub(crate) struct MemoryDatabase {
    bytes_max: u64,
    // Locked for one operation, which never waits.
    data: Mutex<Data>,
}

#[derive(Default)]
struct Data {
    buckets: BTreeMap<Arc<str>, BTreeMap<String, Bytes>>,
    bytes: u64,
}

pub(crate) struct MemoryBucket {
    name: Arc<str>,
    database: Arc<MemoryDatabase>,
}

// === impl MemoryDatabase ===

impl MemoryDatabase {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            data: Mutex::default(),
        }
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        // A panic between two related changes is impossible, so a poisoned lock has consistent
        // data.
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Data ===

impl Data {
    fn get(&self, bucket: &str, key: &str) -> Option<&Bytes> {
        self.buckets.get(bucket)?.get(key)
    }

    fn set(
        &mut self,
        bucket: &Arc<str>,
        key: &str,
        value: &[u8],
        bytes_max: u64,
    ) -> Result<(), KeyValueError> {
        let freed = self.get(bucket, key).map_or(0, |old| size(key, old));
        let bytes = self.bytes - freed + size(key, value);
        // A database over its limit still accepts changes that shrink it.
        if bytes > bytes_max && bytes > self.bytes {
            return Err(KeyValueError::Other(format!(
                "the store is full: `max-bytes` of its provider is {bytes_max}, {} are in use; delete keys or raise it",
                self.bytes,
            )));
        }
        self.bytes = bytes;
        // Copied: a slice would keep its whole source buffer alive.
        let entries = self.buckets.entry(Arc::clone(bucket)).or_default();
        entries.insert(key.to_owned(), Bytes::copy_from_slice(value));
        Ok(())
    }

    fn delete(&mut self, bucket: &str, key: &str) {
        let Some(entries) = self.buckets.get_mut(bucket) else {
            return;
        };
        if let Some(old) = entries.remove(key) {
            self.bytes -= size(key, &old);
        }
        if entries.is_empty() {
            self.buckets.remove(bucket);
        }
    }

    /// Returns the keys after `cursor`, the last key of the previous page.
    fn list(&self, bucket: &str, cursor: Option<&str>) -> KeyPage {
        let Some(entries) = self.buckets.get(bucket) else {
            return KeyPage::default();
        };
        let after = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = entries
            .range::<str, _>((after, Bound::Unbounded))
            .map(|(key, _)| key);
        let keys: Vec<_> = rest.by_ref().take(PAGE_KEYS_MAX).cloned().collect();
        let cursor = rest.next().and_then(|_| keys.last().cloned());
        KeyPage { keys, cursor }
    }
}

fn size(key: &str, value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64 + ENTRY_OVERHEAD
}

// === impl MemoryBucket ===

impl MemoryBucket {
    pub(crate) fn new(name: &str, database: Arc<MemoryDatabase>) -> Self {
        Self {
            name: name.into(),
            database,
        }
    }

    fn set_in(&self, data: &mut Data, key: &str, value: &[u8]) -> Result<(), KeyValueError> {
        data.set(&self.name, key, value, self.database.bytes_max)
    }
}

#[async_trait]
impl Bucket for MemoryBucket {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KeyValueError> {
        Ok(self.database.data().get(&self.name, key).cloned())
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KeyValueError> {
        self.set_in(&mut self.database.data(), key, &value)
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.database.data().delete(&self.name, key);
        Ok(())
    }

    async fn list_keys(&self, cursor: Option<&str>) -> Result<KeyPage, KeyValueError> {
        Ok(self.database.data().list(&self.name, cursor))
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, KeyValueError> {
        let mut data = self.database.data();
        let sum = add_to_counter(data.get(&self.name, key).map(AsRef::as_ref), delta)?;
        self.set_in(&mut data, key, sum.to_string().as_bytes())?;
        Ok(sum)
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
    ) -> Result<CasOutcome, KeyValueError> {
        let mut data = self.database.data();
        let current = data.get(&self.name, key);
        if current.map(AsRef::as_ref) != expected {
            return Ok(CasOutcome::Conflict {
                current: current.cloned(),
            });
        }
        self.set_in(&mut data, key, &new)?;
        Ok(CasOutcome::Swapped)
    }
}
