//! The database file: opening, reopening after a failure, and its errors.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::{Builder, Database, DatabaseError, StorageError, TableDefinition};
use weft_provider::keyvalue::KeyValueError;

/// All entries, by bucket and key. With a single table a bucket needs no setup, and the keys of a
/// bucket are adjacent.
pub(crate) const ENTRIES: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("entries");

/// The cache size of redb, below its default of 1 GiB: the operating system caches the file as
/// well, and a host has many providers.
const CACHE_BYTES: usize = 32 << 20;

/// Opens a file as a database; tests substitute a disk with errors.
pub(crate) type OpenFn = fn(&Path) -> Result<Database, DatabaseError>;

/// The file, open or waiting to be opened again.
pub(crate) struct DatabaseFile {
    path: PathBuf,
    open: OpenFn,
    // Read-locked for operations of redb, which has its own locks; write-locked to close or open
    // the file.
    state: RwLock<State>,
}

enum State {
    Open(Database),
    /// An operation failed in a way that redb repairs by reopening the file.
    Failed,
    Closed,
}

/// The reason why a database file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory of the file could not be created.
    #[error("the directory `{}` cannot be created", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    /// The file is already open.
    #[error(
        "`{}` is already open: two providers, or two hosts with one data directory, cannot share it",
        .0.display()
    )]
    InUse(PathBuf),
    /// The file is damaged, or not a database.
    #[error(
        "`{}` is damaged or not a redb database; move it away to start empty, or restore it from a backup",
        .0.display()
    )]
    Damaged(PathBuf, #[source] DatabaseError),
    /// The disk is too full to open the file.
    #[error("the disk of `{}` is full; make room and try again", .0.display())]
    DiskFull(PathBuf, #[source] DatabaseError),
    /// Any other error.
    #[error("`{}` cannot be opened", .0.display())]
    Failed(PathBuf, #[source] DatabaseError),
    /// redb panicked: the file is damaged in a way that redb does not handle.
    #[error("`{}` cannot be opened: redb panicked; restore it from a backup", .0.display())]
    Panicked(PathBuf),
}

pub(crate) fn open_file(path: &Path) -> Result<Database, DatabaseError> {
    Builder::new().set_cache_size(CACHE_BYTES).create(path)
}

// === impl DatabaseFile ===

impl DatabaseFile {
    /// Opens the file, or creates an empty one. Runs on a blocking thread, because opening repairs
    /// a file that was not closed.
    pub(crate) async fn open(path: PathBuf, open: OpenFn) -> Result<Self, OpenError> {
        let path_of_error = path.clone();
        let opening = tokio::task::spawn_blocking(move || {
            let directory = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(directory)
                .map_err(|error| OpenError::Directory(directory.to_owned(), error))?;
            let database = open_with_table(&path, open)?;
            Ok(Self {
                path,
                open,
                state: RwLock::new(State::Open(database)),
            })
        });
        opening
            .await
            .unwrap_or(Err(OpenError::Panicked(path_of_error)))
    }

    /// Runs `operation` on the open database. Blocks until it completes.
    pub(crate) fn with<T>(
        &self,
        operation: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, KeyValueError> {
        self.reopen_if_failed()?;
        let result = match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(database) => operation(database),
            State::Failed => return Err(other("the store is being repaired; try again")),
            State::Closed => return Err(other("the provider of the store is closed")),
        };
        result.map_err(|error| self.failed(&error))
    }

    pub(crate) fn close(&self) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }

    fn reopen_if_failed(&self) -> Result<(), KeyValueError> {
        if !matches!(
            *self.state.read().unwrap_or_else(PoisonError::into_inner),
            State::Failed
        ) {
            return Ok(());
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have reopened the file in between.
        if matches!(*state, State::Failed) {
            let database = open_with_table(&self.path, self.open).map_err(|error| {
                tracing::error!(path = %self.path.display(), %error, "cannot reopen the database of a store");
                other("the store cannot be reopened after a failure; see the log of the host")
            })?;
            *state = State::Open(database);
            tracing::info!(path = %self.path.display(), "reopened the database of a store");
        }
        Ok(())
    }

    /// Logs `error` with the path of the file, and returns an error without the path for the guest.
    fn failed(&self, error: &redb::Error) -> KeyValueError {
        tracing::error!(path = %self.path.display(), %error, "an operation of a store failed");
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Open(_)) {
            // Closes the file; the next operation reopens it.
            *state = State::Failed;
        }
        match error {
            redb::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
                other("the disk of the store is full; the write failed")
            }
            redb::Error::Corrupted(_) => {
                other("the file of the store is damaged; see the log of the host")
            }
            _ => other("the store failed; see the log of the host"),
        }
    }
}

fn other(text: &str) -> KeyValueError {
    KeyValueError::Other(text.to_owned())
}

fn open_with_table(path: &Path, open: OpenFn) -> Result<Database, OpenError> {
    let database = open(path).map_err(|error| open_error(path, error))?;
    // Later transactions rely on the table.
    create_table(&database).map_err(|error| open_error(path, error.into()))?;
    Ok(database)
}

fn create_table(database: &Database) -> Result<(), StorageError> {
    let storage = |error: redb::Error| match error {
        redb::Error::Io(error) => StorageError::Io(error),
        error => StorageError::Corrupted(error.to_string()),
    };
    let transaction = database
        .begin_write()
        .map_err(|error| storage(error.into()))?;
    transaction
        .open_table(ENTRIES)
        .map_err(|error| storage(error.into()))?;
    transaction.commit().map_err(|error| storage(error.into()))
}

fn open_error(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match &error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path),
        DatabaseError::Storage(StorageError::Corrupted(_)) | DatabaseError::UpgradeRequired(_) => {
            OpenError::Damaged(path, error)
        }
        DatabaseError::Storage(StorageError::Io(io)) => match io.kind() {
            io::ErrorKind::StorageFull => OpenError::DiskFull(path, error),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                OpenError::Damaged(path, error)
            }
            _ => OpenError::Failed(path, error),
        },
        _ => OpenError::Failed(path, error),
    }
}
