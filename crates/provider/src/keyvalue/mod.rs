//! Key-value storage, the backend of `wasi:keyvalue/{store, atomics, batch}`.
//!
//! The traits cover every function of both drafts in use (`0.2.0-draft` and `0.2.0-draft2`). For
//! the numeric cursors of the first draft there is [`Cursors`]. Its `increment` takes and returns
//! `u64`; the caller refuses the upper half of that range.
//!
//! A backend implements [`Bucket`] and serves a link with [`link_buckets`]. That function maps
//! identifiers to buckets by [`BucketNames`], and wraps every bucket in a [`LimitsLayer`].

mod bucket_names;
mod counter;
mod cursors;
mod limits;
mod limits_layer;
mod link_buckets;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

pub use bucket_names::{BucketNames, DEFAULT_BUCKET, LinkConfig};
pub use counter::add_to_counter;
pub use cursors::{CURSORS_MAX, Cursors};
pub use limits::{
    BATCH_BYTES_MAX, BATCH_KEYS_MAX, BUCKET_NAME_LEN_MAX, KEY_LEN_MAX, PAGE_KEYS_MAX, VALUE_LEN_MAX,
};
pub use limits_layer::LimitsLayer;
pub use link_buckets::link_buckets;

/// The WIT package of this capability.
pub const PACKAGE: &str = "wasi:keyvalue";

/// The buckets that one link serves.
#[async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// Returns the bucket for `identifier`. Opening is cheap: a bucket exists from its first write
    /// on.
    ///
    /// # Errors
    ///
    /// [`KeyValueError::NoSuchStore`] if the link does not serve `identifier`.
    async fn open(&self, identifier: &str) -> Result<Arc<dyn Bucket>, KeyValueError>;
}

/// A bucket: keys with values.
///
/// Guarantees: every read returns all writes that were acknowledged before it began. A write whose
/// future is dropped is applied completely or not at all.
#[async_trait]
pub trait Bucket: Send + Sync + 'static {
    /// The size of the largest accepted value, in bytes: at most [`VALUE_LEN_MAX`].
    fn value_len_max(&self) -> usize {
        VALUE_LEN_MAX
    }

    /// Returns the value of `key`.
    ///
    /// # Errors
    ///
    /// If the key is not valid, or if the store fails.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KeyValueError>;

    /// Sets the value of `key`, replacing the current one.
    ///
    /// # Errors
    ///
    /// If the key is invalid, the value is too large, the store is full, or the store fails.
    async fn set(&self, key: &str, value: Bytes) -> Result<(), KeyValueError>;

    /// Removes `key`; a missing key is not an error.
    ///
    /// # Errors
    ///
    /// If the key is not valid, or if the store fails.
    async fn delete(&self, key: &str) -> Result<(), KeyValueError>;

    /// Returns whether `key` has a value.
    ///
    /// # Errors
    ///
    /// If the key is not valid, or if the store fails.
    async fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        Ok(self.get(key).await?.is_some())
    }

    /// Returns at most [`PAGE_KEYS_MAX`] keys: the first ones, or those after the page that
    /// returned `cursor`. A key that exists during the whole iteration is listed once.
    ///
    /// # Errors
    ///
    /// If the cursor is invalid, or if the store fails.
    async fn list_keys(&self, cursor: Option<&str>) -> Result<KeyPage, KeyValueError>;

    /// Adds `delta` to the decimal number in the value of `key`, and returns the sum. A key without
    /// a value counts as 0.
    ///
    /// # Errors
    ///
    /// If the value is not a number or the sum does not fit ([`add_to_counter`]); the value is then
    /// unchanged.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, KeyValueError>;

    /// Sets `key` to `new` if its value is `expected`, where `None` stands for a missing value.
    ///
    /// # Errors
    ///
    /// Like [`set`](Self::set). A different value is not an error but a [`CasOutcome::Conflict`].
    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
    ) -> Result<CasOutcome, KeyValueError>;

    /// Returns the value of each key, in the order of `keys`.
    ///
    /// # Errors
    ///
    /// Like [`get`](Self::get), or if there are too many keys or the values together are too large.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KeyValueError> {
        let mut values = Vec::with_capacity(keys.len());
        let mut budget = limits::BatchBudget::default();
        for key in keys {
            let value = self.get(key).await?;
            budget.spend(value.as_ref().map_or(0, Bytes::len))?;
            values.push(value);
        }
        Ok(values)
    }

    /// Sets each key. A backend may do this one by one: after an error, some may be set.
    ///
    /// # Errors
    ///
    /// Like [`set`](Self::set), or if there are too many keys or the values together are too large.
    async fn set_many(&self, pairs: Vec<(String, Bytes)>) -> Result<(), KeyValueError> {
        for (key, value) in pairs {
            self.set(&key, value).await?;
        }
        Ok(())
    }

    /// Removes each key. A backend may do this one by one: after an error, some may be removed.
    ///
    /// # Errors
    ///
    /// Like [`delete`](Self::delete), or if there are too many keys.
    async fn delete_many(&self, keys: &[String]) -> Result<(), KeyValueError> {
        for key in keys {
            self.delete(key).await?;
        }
        Ok(())
    }
}

/// A page of a bucket's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, in the order of the backend.
    pub keys: Vec<String>,
    /// The cursor of the next page; `None` on the last one.
    pub cursor: Option<String>,
}

/// The outcome of a compare-and-swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CasOutcome {
    /// The value was replaced.
    Swapped,
    /// The value differs from the expected one and was not changed.
    Conflict {
        /// The current value, for the next attempt.
        current: Option<Bytes>,
    },
}

/// The reason why an operation failed; the cases are those of `wasi:keyvalue/store.error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyValueError {
    /// The link does not serve the identifier.
    #[error("the link does not serve a store of this name")]
    NoSuchStore,
    /// The component may not use the store.
    #[error("the component may not use this store")]
    AccessDenied,
    /// Any other error. Guests may see the text: it must not contain a path or the name of another
    /// component.
    #[error("{0}")]
    Other(String),
}
