//! One bucket of the file: reads run here, writes in the writer task.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redb::{Database, ReadOnlyTable, ReadableDatabase};
use tokio::sync::Semaphore;
use weft_provider::keyvalue::{
    BATCH_BYTES_MAX, Bucket, CasOutcome, KeyPage, KeyValueError, PAGE_KEYS_MAX,
};
use weft_provider::stores::StoreGuard;

use crate::database::{DatabaseFile, ENTRIES};
use crate::marked_file;
use crate::writer::{Write, WriteOutput, WriteResult, Writer};

/// Number of concurrent reads of many keys: each copies up to a batch of values.
const LONG_READS_MAX: usize = 4;

/// The file and its writer.
pub(crate) struct SharedFile {
    file: Arc<DatabaseFile>,
    writer: Writer,
    long_reads: Semaphore,
    guard: StoreGuard,
}

pub(crate) struct RedbBucket {
    name: Arc<str>,
    shared: Arc<SharedFile>,
}

type Entries = ReadOnlyTable<(&'static str, &'static str), &'static [u8]>;

// === impl SharedFile ===

impl SharedFile {
    pub(crate) fn new(file: Arc<DatabaseFile>, writer: Writer, guard: StoreGuard) -> Self {
        Self {
            file,
            writer,
            long_reads: Semaphore::new(LONG_READS_MAX),
            guard,
        }
    }

    pub(crate) async fn close(&self) {
        self.writer.close().await;
    }

    /// Checks that the file is the one that the desired state remembers.
    async fn check(&self) -> Result<(), KeyValueError> {
        marked_file::check(&self.guard, &self.file).await
    }

    /// Reads on a blocking thread. If the future is dropped, the read still completes.
    async fn read_long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, KeyValueError> {
        self.check().await?;
        let failed = || KeyValueError::Other("the store failed during a read".to_owned());
        let _permit = self.long_reads.acquire().await.map_err(|_| failed())?;
        let file = Arc::clone(&self.file);
        let reading = tokio::task::spawn_blocking(move || file.with(read));
        reading.await.unwrap_or_else(|_| Err(failed()))
    }
}

// === impl RedbBucket ===

impl RedbBucket {
    pub(crate) fn new(name: &str, shared: Arc<SharedFile>) -> Self {
        Self {
            name: name.into(),
            shared,
        }
    }

    async fn write(&self, write: Write) -> WriteResult {
        self.shared.check().await?;
        self.shared
            .writer
            .write(Arc::clone(&self.name), write)
            .await
    }
}

#[async_trait]
impl Bucket for RedbBucket {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KeyValueError> {
        self.shared.check().await?;
        self.shared
            .file
            .with(|database| get(&entries(database)?, &self.name, key))
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KeyValueError> {
        self.write(Write::Set(vec![(key.to_owned(), value)]))
            .await
            .map(drop)
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.write(Write::Delete(vec![key.to_owned()]))
            .await
            .map(drop)
    }

    async fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        self.shared.check().await?;
        self.shared
            .file
            .with(|database| Ok(entries(database)?.get((&*self.name, key))?.is_some()))
    }

    async fn list_keys(&self, cursor: Option<&str>) -> Result<KeyPage, KeyValueError> {
        let (name, cursor) = (Arc::clone(&self.name), cursor.map(str::to_owned));
        self.shared
            .read_long(move |database| list(&entries(database)?, &name, cursor.as_deref()))
            .await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, KeyValueError> {
        match self
            .write(Write::Increment {
                key: key.to_owned(),
                delta,
            })
            .await?
        {
            WriteOutput::Sum(sum) => Ok(sum),
            WriteOutput::Done | WriteOutput::Swap(_) => {
                unreachable!("an increment returns its sum")
            }
        }
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
    ) -> Result<CasOutcome, KeyValueError> {
        let expected = expected.map(<[u8]>::to_vec);
        match self
            .write(Write::Swap {
                key: key.to_owned(),
                expected,
                new,
            })
            .await?
        {
            WriteOutput::Swap(outcome) => Ok(outcome),
            WriteOutput::Done | WriteOutput::Sum(_) => unreachable!("a swap returns its outcome"),
        }
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, KeyValueError> {
        let (name, keys) = (Arc::clone(&self.name), keys.to_vec());
        let values = self
            .shared
            .read_long(move |database| get_many(&entries(database)?, &name, &keys))
            .await?;
        values.ok_or_else(|| {
            let text = format!("the values of the batch have more than {BATCH_BYTES_MAX} bytes; use smaller batches");
            KeyValueError::Other(text)
        })
    }

    async fn set_many(&self, pairs: Vec<(String, Bytes)>) -> Result<(), KeyValueError> {
        self.write(Write::Set(pairs)).await.map(drop)
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), KeyValueError> {
        self.write(Write::Delete(keys.to_vec())).await.map(drop)
    }
}

fn entries(database: &Database) -> Result<Entries, redb::Error> {
    Ok(database.begin_read()?.open_table(ENTRIES)?)
}

fn get(entries: &Entries, bucket: &str, key: &str) -> Result<Option<Bytes>, redb::Error> {
    let value = entries.get((bucket, key))?;
    Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
}

/// Returns `None` if the values together are larger than the limit of a batch.
fn get_many(
    entries: &Entries,
    bucket: &str,
    keys: &[String],
) -> Result<Option<Vec<Option<Bytes>>>, redb::Error> {
    let mut values = Vec::with_capacity(keys.len());
    let mut bytes = 0;
    for key in keys {
        let value = get(entries, bucket, key)?;
        bytes += value.as_ref().map_or(0, Bytes::len);
        if bytes > BATCH_BYTES_MAX {
            return Ok(None);
        }
        values.push(value);
    }
    Ok(Some(values))
}

/// Returns the keys after `cursor`, the last key of the previous page.
fn list(entries: &Entries, bucket: &str, cursor: Option<&str>) -> Result<KeyPage, redb::Error> {
    let after = match cursor {
        Some(key) => Bound::Excluded((bucket, key)),
        None => Bound::Included((bucket, "")),
    };
    let mut keys = Vec::new();
    for entry in entries.range::<(&str, &str)>((after, Bound::Unbounded))? {
        let (entry, _) = entry?;
        let (of_bucket, key) = entry.value();
        if of_bucket != bucket {
            break;
        }
        if keys.len() == PAGE_KEYS_MAX {
            let cursor = keys.last().cloned();
            return Ok(KeyPage { keys, cursor });
        }
        keys.push(key.to_owned());
    }
    Ok(KeyPage { keys, cursor: None })
}
