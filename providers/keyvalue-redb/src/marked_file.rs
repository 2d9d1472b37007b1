//! The file as a store with a mark, which distinguishes it from a file made in its place.

use std::sync::Arc;

use async_trait::async_trait;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use weft_provider::keyvalue::KeyValueError;
use weft_provider::stores::{GuardError, MarkedStore, StoreGuard};

use crate::database::DatabaseFile;

/// The mark, under [`MARK_KEY`]. Files of earlier releases have no such table.
const MARK: TableDefinition<&str, &str> = TableDefinition::new("mark");

/// The key of the only entry.
const MARK_KEY: &str = "mark";

struct MarkedFile<'a>(&'a Arc<DatabaseFile>);

/// Checks that a file is the remembered one; on first use it is remembered.
pub(crate) async fn check(
    guard: &StoreGuard,
    file: &Arc<DatabaseFile>,
) -> Result<(), KeyValueError> {
    let checked = guard.check(&MarkedFile(file), None).await;
    checked.map_err(|error| match error {
        GuardError::Store(error) => error,
        error => KeyValueError::Other(error.to_string()),
    })
}

#[async_trait]
impl MarkedStore for MarkedFile<'_> {
    type Error = KeyValueError;

    async fn mark(&self) -> Result<Option<String>, KeyValueError> {
        self.0.with(read)
    }

    async fn make(&self, mark: &str) -> Result<String, KeyValueError> {
        let (file, mark) = (Arc::clone(self.0), mark.to_owned());
        let written = tokio::task::spawn_blocking(move || file.with(|file| write(file, &mark)));
        let failed = |_| KeyValueError::Other("the store failed during its first use".to_owned());
        written.await.map_err(failed)?
    }
}

fn read(database: &Database) -> Result<Option<String>, redb::Error> {
    match database.begin_read()?.open_table(MARK) {
        Ok(table) => Ok(table.get(MARK_KEY)?.map(|mark| mark.value().to_owned())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn write(database: &Database, mark: &str) -> Result<String, redb::Error> {
    let transaction = database.begin_write()?;
    let written = {
        let mut table = transaction.open_table(MARK)?;
        let stored = table.get(MARK_KEY)?.map(|mark| mark.value().to_owned());
        match stored {
            Some(stored) => stored,
            None => {
                table.insert(MARK_KEY, mark)?;
                mark.to_owned()
            }
        }
    };
    transaction.commit()?;
    Ok(written)
}
