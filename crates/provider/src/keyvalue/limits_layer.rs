//! A layer that enforces the limits in front of a backend.

use async_trait::async_trait;
use bytes::Bytes;

use super::limits::{BatchBudget, check_batch, check_key, check_value};
use super::{Bucket, CasOutcome, KeyPage, KeyValueError};

/// A bucket that checks keys, values and batches before they reach the backend.
/// [`link_buckets`](super::link_buckets) adds it to every bucket, so that no backend can omit a
/// check.
pub struct LimitsLayer<B>(
    /// The bucket of the backend.
    pub B,
);

#[async_trait]
impl<B: Bucket> Bucket for LimitsLayer<B> {
    fn value_len_max(&self) -> usize {
        self.0.value_len_max()
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, KeyValueError> {
        check_key(key)?;
        self.0.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KeyValueError> {
        check_key(key)?;
        check_value(&value, self.0.value_len_max())?;
        self.0.set(key, value).await
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        check_key(key)?;
        self.0.delete(key).await
    }

    async fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        check_key(key)?;
        self.0.exists(key).await
    }

    async fn list_keys(&self, cursor: Option<&str>) -> Result<KeyPage, KeyValueError> {
        // A cursor is guest input and may be invented.
        cursor.map_or(Ok(()), check_key)?;
        self.0.list_keys(cursor).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, KeyValueError> {
        check_key(key)?;
        self.0.increment(key, delta).await
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
    ) -> Result<CasOutcome, KeyValueError> {
        check_key(key)?;
        check_value(&new, self.0.value_len_max())?;
        self.0.compare_and_swap(key, expected, new).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KeyValueError> {
        check_keys(keys)?;
        self.0.get_many(keys).await
    }

    async fn set_many(&self, pairs: Vec<(String, Bytes)>) -> Result<(), KeyValueError> {
        check_batch(pairs.len())?;
        let mut budget = BatchBudget::default();
        for (key, value) in &pairs {
            check_key(key)?;
            check_value(value, self.0.value_len_max())?;
            budget.spend(value.len())?;
        }
        self.0.set_many(pairs).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), KeyValueError> {
        check_keys(keys)?;
        self.0.delete_many(keys).await
    }
}

fn check_keys(keys: &[String]) -> Result<(), KeyValueError> {
    check_batch(keys.len())?;
    keys.iter().try_for_each(|key| check_key(key))
}
