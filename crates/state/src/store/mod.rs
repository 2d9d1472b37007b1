//! The desired state on a host's own disk: every app, in one embedded database file. For a host that is
//! its own lattice it is the original, for others a copy that they serve from.
//!
//! Each change is one transaction that is on disk before it is acknowledged, so a process killed at
//! any moment leaves the state before the change or after it. Removing an app leaves a *tombstone*
//! with the revision of the removal: absence alone never means "delete".

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use weft_lattice_config::placement::{HostId, StoreId};
use weft_lattice_config::{App, AppName};

/// App name → JSON of [`Record`].
const APPS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("apps.v1");

/// `app/provider` of a store that stays on one host → the id of that.
const HOMES: TableDefinition<'static, &str, &str> = TableDefinition::new("homes.v1");

/// One app as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// Counts the changes of this app, from 1; never reused, not even after a removal.
    pub revision: u64,
    /// When the change was made, in milliseconds since the Unix epoch. For people; of records it decides
    /// only between two of one revision ([`Record::is_newer_than`]).
    pub changed_at_ms: u64,
    /// The manifest, with digests as sources.
    pub app: App,
}

/// The embedded database that holds the desired state.
#[derive(Debug)]
pub struct Store {
    /// None after a failure of the disk: it is opened again before the next operation, which is how redb
    /// repairs itself. A disk that was full takes changes again once it has room.
    database: Mutex<Option<Database>>,
    path: PathBuf,
}

/// Why the desired state could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error("`{path}` is in use by another host; stop it, or choose another `--data-dir`")]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The database engine refused.
    #[error("cannot {action} the desired state in `{path}`")]
    Database {
        /// What was being done: `open`, `read`, `change`.
        action: &'static str,
        /// The database file.
        path: PathBuf,
        /// What the engine said.
        #[source]
        source: Box<redb::Error>,
    },
    /// A record does not read as this version's format.
    #[error("app `{app}` in `{path}` is not readable by this version of weft")]
    Record {
        /// The app's name.
        app: String,
        /// The database file.
        path: PathBuf,
        /// Where its JSON is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The app is not there.
    #[error("no app `{app}` is deployed")]
    Missing {
        /// The name given.
        app: AppName,
    },
}

/// What is wanted of one app, or that it is wanted no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// It is wanted.
    Deployed(Deployed),
    /// It was removed: a *tombstone*.
    Removed {
        /// The revision of the removal.
        revision: u64,
        /// When, in milliseconds since the Unix epoch. For people.
        changed_at_ms: u64,
    },
}

impl Record {
    /// Counts the changes of this app. Of two records the one with the higher revision is the newer.
    #[must_use]
    pub fn revision(&self) -> u64 {
        match self {
            Self::Deployed(deployed) => deployed.revision,
            Self::Removed { revision, .. } => *revision,
        }
    }

    /// Whether this record takes the place of another one of the same app: by its revision.
    ///
    /// Two that differ have one revision only if the bucket came back older and was changed before it was
    /// refilled. Then every host has to choose the same one, whichever it knew first: an app that is wanted
    /// goes before its removal, then the later one, then whatever is the same everywhere.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let claim = |record: &Self| match record {
            Self::Deployed(deployed) => (deployed.revision, true, deployed.changed_at_ms),
            Self::Removed {
                revision,
                changed_at_ms,
            } => (*revision, false, *changed_at_ms),
        };
        // What is read as JSON can be written as such.
        let text = |record: &Self| serde_json::to_vec(record).unwrap_or_default();
        match claim(self).cmp(&claim(other)) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => self != other && text(self) > text(other),
        }
    }
}

impl Store {
    /// Opens the database at `path`, and creates it if it is not there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another process has it open, else [`StoreError::Database`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let database = match Database::create(&path) {
            Ok(database) => database,
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => {
                return Err(StoreError::InUse { path });
            }
            Err(error) => return Err(failure("open", &path, error)),
        };
        let store = Self {
            database: Mutex::new(Some(database)),
            path,
        };
        store.with_database("open", create_tables)?;
        Ok(store)
    }

    /// Every deployed app, by name. An app whose record cannot be read is an error of its own, so
    /// that one bad record does not hide the others.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be read.
    pub fn apps(&self) -> Result<Vec<Result<Deployed, StoreError>>, StoreError> {
        let records = self.records()?;
        let deployed =
            records
                .into_iter()
                .filter_map(|(name, bytes)| match self.decode(&name, &bytes) {
                    Ok(Record::Deployed(deployed)) => Some(Ok(deployed)),
                    Ok(Record::Removed { .. }) => None,
                    Err(error) => Some(Err(error)),
                });
        Ok(deployed.collect())
    }

    /// Stores `app` as its next revision, durably, and returns the record.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the change could not be made; the state is then as before.
    pub fn put(&self, app: &App, now_ms: u64) -> Result<Deployed, StoreError> {
        let name = app.metadata.name.as_str().to_owned();
        let record = self.change(&name, |old| {
            Some(Record::Deployed(Deployed {
                revision: next_revision(old),
                changed_at_ms: now_ms,
                app: app.clone(),
            }))
        })?;
        match record {
            Some(Record::Deployed(deployed)) => Ok(deployed),
            _ => Err(StoreError::Missing {
                app: app.metadata.name.clone(),
            }),
        }
    }

    /// Puts a tombstone in the place of the app and returns its revision.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if it is not deployed, [`StoreError::Database`] if the change could
    /// not be made.
    pub fn remove(&self, app: &AppName, now_ms: u64) -> Result<u64, StoreError> {
        let missing = || StoreError::Missing { app: app.clone() };
        if !self.is_deployed(app)? {
            return Err(missing());
        }
        let record = self.change(app.as_str(), |old| {
            Some(Record::Removed {
                revision: next_revision(old),
                changed_at_ms: now_ms,
            })
        })?;
        record.map(|record| record.revision()).ok_or_else(missing)
    }

    /// Keeps what is new of the lattice's desired state, in one transaction: records that are newer than
    /// what is here, and the hosts of stores. A record here that this version does not read stays.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the change could not be made; the state is then as before.
    pub fn keep(
        &self,
        apps: &[(AppName, Arc<Record>)],
        homes: &[(StoreId, HostId)],
    ) -> Result<(), StoreError> {
        let mut records = Vec::new();
        for (app, record) in apps {
            records.push((app, record, self.encode(app.as_str(), record)?));
        }
        self.with_database("change", |database| {
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(APPS)?;
                for (app, record, bytes) in &records {
                    let old = table.get(app.as_str())?;
                    let old = old.map(|old| serde_json::from_slice::<Record>(old.value()));
                    let is_newer = match old {
                        None => true,
                        Some(Ok(old)) => record.is_newer_than(&old),
                        Some(Err(_)) => false,
                    };
                    if is_newer {
                        table.insert(app.as_str(), bytes.as_slice())?;
                    }
                }
                let mut table = transaction.open_table(HOMES)?;
                for (store, host) in homes {
                    table.insert(store.to_string().as_str(), host.as_str())?;
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// The host of each store that stays on one, as far as that was kept.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be read. What does not read is left out.
    pub fn homes(&self) -> Result<Vec<(StoreId, HostId)>, StoreError> {
        self.with_database("read", |database| {
            let table = database.begin_read()?.open_table(HOMES)?;
            let mut homes = Vec::new();
            for entry in table.iter()? {
                let (store, host) = entry?;
                if let (Ok(store), Ok(host)) = (store.value().parse(), host.value().parse()) {
                    homes.push((store, host));
                }
            }
            Ok(homes)
        })
    }

    /// All records, tombstones too, by the names of their apps.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be read. What does not read as a record is left out.
    pub fn all(&self) -> Result<Vec<(AppName, Record)>, StoreError> {
        let records = self.records()?;
        let readable = records.into_iter().filter_map(|(name, bytes)| {
            let record = self.decode(&name, &bytes).ok()?;
            Some((name.parse().ok()?, record))
        });
        Ok(readable.collect())
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn is_deployed(&self, app: &AppName) -> Result<bool, StoreError> {
        let records = self.records()?;
        let Some((name, bytes)) = records.into_iter().find(|(name, _)| name == app.as_str()) else {
            return Ok(false);
        };
        Ok(matches!(self.decode(&name, &bytes)?, Record::Deployed(_)))
    }

    fn records(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.with_database("read", |database| {
            let table = database.begin_read()?.open_table(APPS)?;
            let mut records = Vec::new();
            for entry in table.iter()? {
                let (name, bytes) = entry?;
                records.push((name.value().to_owned(), bytes.value().to_vec()));
            }
            Ok(records)
        })
    }

    /// Writes what `next` makes of the record of `name`, in one transaction.
    fn change(
        &self,
        name: &str,
        next: impl FnOnce(Option<&Record>) -> Option<Record>,
    ) -> Result<Option<Record>, StoreError> {
        let changed = self.with_database("change", |database| {
            let transaction = database.begin_write()?;
            let changed = {
                let mut table = transaction.open_table(APPS)?;
                let old = table.get(name)?.map(|old| old.value().to_vec());
                let changed = self.next_of(name, old.as_deref(), next);
                if let Ok(Some((_, bytes))) = &changed {
                    table.insert(name, bytes.as_slice())?;
                }
                changed
            };
            // Nothing was written if nothing was made.
            transaction.commit()?;
            Ok(changed)
        });
        Ok(changed??.map(|(record, _)| record))
    }

    /// The record after an old one, with its bytes.
    fn next_of(
        &self,
        name: &str,
        old: Option<&[u8]>,
        next: impl FnOnce(Option<&Record>) -> Option<Record>,
    ) -> Result<Option<(Record, Vec<u8>)>, StoreError> {
        let old = old.map(|bytes| self.decode(name, bytes)).transpose()?;
        let Some(record) = next(old.as_ref()) else {
            return Ok(None);
        };
        let bytes = self.encode(name, &record)?;
        Ok(Some((record, bytes)))
    }

    /// Does something with the database, and opens it again if the disk failed the last time.
    fn with_database<T>(
        &self,
        action: &'static str,
        operation: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        // Whoever panicked with it has left a transaction that is rolled back.
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match database.take() {
            Some(opened) => Ok(opened),
            None => Database::create(&self.path).map_err(redb::Error::from),
        };
        let outcome = opened.and_then(|opened| {
            let outcome = operation(&opened);
            let is_broken = matches!(
                outcome,
                Err(redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::LockPoisoned(_))
            );
            if !is_broken {
                *database = Some(opened);
            }
            outcome
        });
        outcome.map_err(|error| failure(action, &self.path, error))
    }

    fn decode(&self, name: &str, bytes: &[u8]) -> Result<Record, StoreError> {
        serde_json::from_slice(bytes).map_err(|source| self.record_error(name, source))
    }

    fn encode(&self, name: &str, record: &Record) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(record).map_err(|source| self.record_error(name, source))
    }

    fn record_error(&self, name: &str, source: serde_json::Error) -> StoreError {
        StoreError::Record {
            app: name.to_owned(),
            path: self.path.clone(),
            source,
        }
    }
}

fn create_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(APPS)?;
    transaction.open_table(HOMES)?;
    transaction.commit()?;
    Ok(())
}

/// What the record after this one counts.
fn next_revision(old: Option<&Record>) -> u64 {
    old.map_or(0, Record::revision) + 1
}

fn failure(action: &'static str, path: &Path, error: impl Into<redb::Error>) -> StoreError {
    StoreError::Database {
        action,
        path: path.to_owned(),
        source: Box::new(error.into()),
    }
}

#[cfg(test)]
mod tests;
