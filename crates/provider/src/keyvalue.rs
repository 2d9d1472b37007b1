//! Key-value storage: what `wasi:keyvalue/{store, atomics, batch}` are served from.
//!
//! The traits cover every function of both drafts in use (`0.2.0-draft` and `0.2.0-draft2`). What the
//! first of them puts differently has a helper here: [`Cursors`] for its numeric cursor. Its
//! `increment` takes and returns `u64`, of which the upper half is refused by the caller.
//!
//! A backend implements [`Bucket`], and serves a link by [`linked`], which asks [`BucketNames`] which bucket an
//! identifier stands for, and hands it out as [`Checked`].

mod bucket_names;
mod checked;
mod counter;
mod cursors;
mod limits;
mod linked;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

pub use bucket_names::{BucketNames, DEFAULT_BUCKET, LinkConfig};
pub use checked::Checked;
pub use counter::add_to_counter;
pub use cursors::{CURSORS_MAX, Cursors};
pub use limits::{
    BATCH_BYTES_MAX, BATCH_KEYS_MAX, BUCKET_NAME_LEN_MAX, KEY_LEN_MAX, PAGE_KEYS_MAX, VALUE_LEN_MAX,
};
pub use linked::linked;

/// The WIT package that this capability stands behind.
pub const PACKAGE: &str = "wasi:keyvalue";

/// The buckets that one link serves.
#[async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// The bucket that `identifier` stands for. Opening costs nothing: a bucket exists from its first
    /// write on.
    ///
    /// # Errors
    ///
    /// [`KeyValueError::NoSuchStore`] if the link does not serve `identifier`.
    async fn open(&self, identifier: &str) -> Result<Arc<dyn Bucket>, KeyValueError>;
}

/// A bucket: keys with values.
///
/// Guarantees: every read sees every write that was acknowledged before it began. A write whose
/// future is dropped may have happened or not, but never by half.
#[async_trait]
pub trait Bucket: Send + Sync + 'static {
    /// The largest value that it takes, in bytes: at most [`VALUE_LEN_MAX`].
    fn value_len_max(&self) -> usize {
        VALUE_LEN_MAX
    }

    /// The value of `key`, if it has one.
    ///
    /// # Errors
    ///
    /// If the key is not valid, or if the store fails.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KeyValueError>;

    /// Gives `key` a value, in place of the one it has.
    ///
    /// # Errors
    ///
    /// If the key is not valid, the value is too large, the store is full or it fails.
    async fn set(&self, key: &str, value: Bytes) -> Result<(), KeyValueError>;

    /// Removes `key`; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// If the key is not valid, or if the store fails.
    async fn delete(&self, key: &str) -> Result<(), KeyValueError>;

    /// Whether `key` has a value.
    ///
    /// # Errors
    ///
    /// If the key is not valid, or if the store fails.
    async fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        Ok(self.get(key).await?.is_some())
    }

    /// At most [`PAGE_KEYS_MAX`] keys: the first ones, or those after the page that gave `cursor`.
    /// A key that is there during the whole walk is listed once.
    ///
    /// # Errors
    ///
    /// If the cursor is not one, or if the store fails.
    async fn list_keys(&self, cursor: Option<&str>) -> Result<KeyPage, KeyValueError>;

    /// Adds `delta` to the number that `key` holds, as text in decimal, and returns the sum. A key
    /// without a value counts as 0.
    ///
    /// # Errors
    ///
    /// If the value is no number or the sum does not fit ([`add_to_counter`]): it is then unchanged.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, KeyValueError>;

    /// Gives `key` the value `new` if its value is `expected`, where `None` stands for no value.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set). Another value than the expected one is no error but
    /// [`CasOutcome::Conflict`].
    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
    ) -> Result<CasOutcome, KeyValueError>;

    /// The value of each key, in the order of `keys`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), or if there are too many keys or the values together are too large.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KeyValueError> {
        let mut values = Vec::with_capacity(keys.len());
        let mut room = limits::Room::default();
        for key in keys {
            let value = self.get(key).await?;
            room.take(value.as_ref().map_or(0, Bytes::len))?;
            values.push(value);
        }
        Ok(values)
    }

    /// Sets each key. A backend may do so one by one: if it fails, some may be set.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), or if there are too many keys or the values together are too large.
    async fn set_many(&self, pairs: Vec<(String, Bytes)>) -> Result<(), KeyValueError> {
        for (key, value) in pairs {
            self.set(&key, value).await?;
        }
        Ok(())
    }

    /// Removes each key. A backend may do so one by one: if it fails, some may be gone.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete), or if there are too many keys.
    async fn delete_many(&self, keys: &[String]) -> Result<(), KeyValueError> {
        for key in keys {
            self.delete(key).await?;
        }
        Ok(())
    }
}

/// Some keys of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, in the order of the backend.
    pub keys: Vec<String>,
    /// What to ask for the next page with, or `None` if there is none.
    pub cursor: Option<String>,
}

/// How a compare-and-swap ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CasOutcome {
    /// The new value stands.
    Swapped,
    /// Nothing was changed, because the value is another than the expected one.
    Conflict {
        /// The value there is, to try again with.
        current: Option<Bytes>,
    },
}

/// Why an operation failed; the cases are those of `wasi:keyvalue/store.error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyValueError {
    /// The link does not serve the identifier.
    #[error("the link serves no such store")]
    NoSuchStore,
    /// The component may not use the store.
    #[error("the component may not use this store")]
    AccessDenied,
    /// Anything else. A guest may see the text: it names no path and no other component.
    #[error("{0}")]
    Other(String),
}
