//! The desired state on a host's own disk: the record of every app, in one embedded database file.
//! For a host alone it is behind the bucket of its in-process bus, for others it is a replica that
//! they serve from.
//!
//! Each change is one transaction that is on disk before it is acknowledged, so a process killed at
//! any moment leaves the state before the change or after it. Removing an app leaves a *tombstone*
//! with the revision of the removal: absence alone never means "delete".

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use weft_lattice_config::placement::{HostId, StoreId};
use weft_lattice_config::route_owners::RouteClaim;
use weft_lattice_config::{App, AppName, Digest};

use crate::desired::{Key, StoreMark, record_codec};

/// App name → JSON of [`Record`].
const APPS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("apps.v1");

/// `app/provider` of a store that stays on one host → the id of that host.
const HOMES: TableDefinition<'static, &str, &str> = TableDefinition::new("homes.v1");

/// The key of a store's mark → JSON of [`StoreMark`].
const MARKS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("marks.v1");

/// A deployed app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// The number of the change, counted per app from 1; never reused, not even after a removal.
    pub revision: u64,
    /// The time of the change, in milliseconds since the Unix epoch. For people; it orders only
    /// records of the same revision ([`Record::is_newer_than`]).
    pub changed_at_ms: u64,
    /// The manifest, with digests as sources.
    pub app: App,
    /// The times at which the app first claimed routes of its manifest, by their
    /// [patterns](weft_lattice_config::RouteSpec::pattern), where that was before this change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claimed_at_ms: BTreeMap<String, u64>,
    /// The artifacts of the revision before, without those that this one has too. They are stored
    /// for as long as this record is the newest.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub previous: BTreeSet<Digest>,
}

/// The embedded database that holds the desired state.
#[derive(Debug)]
pub struct Store {
    /// `None` after a failure of the disk: the database is opened again before the next operation,
    /// because redb repairs a file on opening. A disk that was full takes changes again once it has
    /// space.
    database: Mutex<Option<Database>>,
    path: PathBuf,
}

/// The reasons why the desired state could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error(
        "desired-state database `{path}` is in use by another host; stop that host, or choose another `--data-dir`"
    )]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The database failed.
    #[error("cannot {action} the desired-state database `{path}`")]
    Database {
        /// The failed action: `open`, `read`, `change`.
        action: &'static str,
        /// The database file.
        path: PathBuf,
        /// The error of the database.
        #[source]
        source: Box<redb::Error>,
    },
    /// A record cannot be encoded.
    #[error("cannot encode the record of app `{app}`")]
    Record {
        /// The app's name.
        app: AppName,
        /// The error of the JSON encoder.
        #[source]
        source: serde_json::Error,
    },
}

/// The newest record of an app: its deployment, or its removal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all records are deployments"
)]
pub enum Record {
    /// The app is deployed.
    Deployed(Deployed),
    /// The app was removed: a *tombstone*.
    Removed {
        /// The revision of the removal.
        revision: u64,
        /// The time of the removal, in milliseconds since the Unix epoch. For people.
        changed_at_ms: u64,
    },
}

impl Deployed {
    /// A revision of an app after the `former` record. Claims to routes that the former revision
    /// has go on, and its artifacts are those of the revision before.
    #[must_use]
    pub fn after(former: Option<&Record>, revision: u64, changed_at_ms: u64, app: App) -> Self {
        let former = former.and_then(|former| match former {
            Record::Deployed(deployed) => Some(deployed),
            Record::Removed { .. } => None,
        });
        let routes = app.spec.routes.iter();
        let claims = routes.filter_map(|route| {
            let mut claims = former?.claims();
            let claim = claims.find(|claim| claim.route.pattern() == route.pattern())?;
            Some((route.pattern(), claim.since))
        });
        let current: BTreeSet<_> = app.digests().collect();
        let previous = former.into_iter().flat_map(|former| former.app.digests());
        let previous = previous.filter(|digest| !current.contains(*digest));
        Self {
            revision,
            changed_at_ms,
            claimed_at_ms: claims.collect(),
            previous: previous.cloned().collect(),
            app,
        }
    }

    /// The claims of the app to its routes.
    pub fn claims(&self) -> impl Iterator<Item = RouteClaim<'_>> {
        let routes = self.app.spec.routes.iter();
        routes.map(|route| {
            let since = self.claimed_at_ms.get(&route.pattern());
            RouteClaim {
                app: &self.app.metadata.name,
                route,
                since: since.copied().unwrap_or(self.changed_at_ms),
            }
        })
    }
}

impl Record {
    /// The revision of the record. Of two records of an app the higher revision is the newer.
    #[must_use]
    pub fn revision(&self) -> u64 {
        match self {
            Self::Deployed(deployed) => deployed.revision,
            Self::Removed { revision, .. } => *revision,
        }
    }

    /// Returns whether this record replaces another one of the same app: by its revision.
    ///
    /// Two different records have the same revision only if the bucket came back older and was
    /// changed before it was refilled. Then every host has to choose the same record, whichever it
    /// received first: a deployment over a removal, then the later change, then the larger JSON
    /// text.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let claim = |record: &Self| match record {
            Self::Deployed(deployed) => (deployed.revision, true, deployed.changed_at_ms),
            Self::Removed {
                revision,
                changed_at_ms,
            } => (*revision, false, *changed_at_ms),
        };
        // Records read from JSON are representable in it.
        let text = |record: &Self| serde_json::to_vec(record).unwrap_or_default();
        match claim(self).cmp(&claim(other)) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => self != other && text(self) > text(other),
        }
    }
}

impl Store {
    /// Opens the database at `path`, and creates it if it does not exist.
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

    /// Creates an empty database in memory, for simulations.
    ///
    /// # Errors
    /// [`StoreError::Database`] if it cannot be created.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = PathBuf::from("(memory)");
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = database.map_err(|error| failure("open", &path, error))?;
        let store = Self {
            database: Mutex::new(Some(database)),
            path,
        };
        store.with_database("open", create_tables)?;
        Ok(store)
    }

    /// Stores the newer records of the lattice's desired state and the homes of stores, in one
    /// transaction. A stored record of a newer version stays, unless the new one has a larger
    /// revision; a damaged one is replaced.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the change failed; the state is then unchanged.
    pub fn keep(
        &self,
        apps: &[(AppName, Arc<Record>)],
        homes: &[(StoreId, HostId)],
    ) -> Result<(), StoreError> {
        let mut records = Vec::new();
        for (app, record) in apps {
            let bytes = serde_json::to_vec(&**record).map_err(|source| StoreError::Record {
                app: app.clone(),
                source,
            })?;
            records.push((app, record, bytes));
        }
        self.with_database("change", |database| {
            let transaction = database.begin_write()?;
            let mut is_changed = false;
            {
                let mut table = transaction.open_table(APPS)?;
                for (app, record, bytes) in &records {
                    let old = table.get(app.as_str())?;
                    let is_newer = old.is_none_or(|old| is_newer_than(record, old.value()));
                    if is_newer {
                        table.insert(app.as_str(), bytes.as_slice())?;
                        is_changed = true;
                    }
                }
                let mut table = transaction.open_table(HOMES)?;
                for (store, host) in homes {
                    let old = table.insert(store.to_string().as_str(), host.as_str())?;
                    is_changed |= old.is_none_or(|old| old.value() != host.as_str());
                }
            }
            match is_changed {
                true => transaction.commit()?,
                // A commit would write to the disk even without a change.
                false => transaction.abort()?,
            }
            Ok(())
        })
    }

    /// Stores the marks of the stores of providers that are newer, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the change failed; the state is then unchanged.
    pub fn keep_marks(&self, marks: &[(Key, StoreMark)]) -> Result<(), StoreError> {
        self.with_database("change", |database| {
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(MARKS)?;
                for (key, mark) in marks {
                    let stored = table.get(key.as_str())?;
                    let stored = stored.and_then(|stored| decode_mark(stored.value()));
                    if stored.is_none_or(|stored| mark.is_newer_than(&stored)) {
                        // Marks are representable in JSON.
                        let bytes = serde_json::to_vec(mark).unwrap_or_default();
                        table.insert(key.as_str(), bytes.as_slice())?;
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// Reads the marks of the stores of providers. Invalid entries are left out.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be read.
    pub fn marks(&self) -> Result<Vec<(Key, StoreMark)>, StoreError> {
        self.with_database("read", |database| {
            let table = database.begin_read()?.open_table(MARKS)?;
            let mut marks = Vec::new();
            for entry in table.iter()? {
                let (key, mark) = entry?;
                marks.extend(Key::parse(key.value()).zip(decode_mark(mark.value())));
            }
            Ok(marks)
        })
    }

    /// Stores the record of an app over any other one, for a bucket that has compared them.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the change failed; the state is then unchanged.
    pub(crate) fn replace(&self, app: &AppName, record: &Record) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(record).map_err(|source| StoreError::Record {
            app: app.clone(),
            source,
        })?;
        self.with_database("change", |database| {
            let transaction = database.begin_write()?;
            let mut table = transaction.open_table(APPS)?;
            table.insert(app.as_str(), bytes.as_slice())?;
            drop(table);
            transaction.commit()?;
            Ok(())
        })
    }

    /// Reads the stored home of each store that stays on one host. Invalid entries are left out.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be read.
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

    /// Reads all records, tombstones included, by the names of their apps. Records that this
    /// version cannot decode are left out.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be read.
    pub fn all(&self) -> Result<Vec<(AppName, Record)>, StoreError> {
        let records = self.records()?;
        let readable = records.into_iter().filter_map(|(name, bytes)| {
            let record = serde_json::from_slice(&bytes).ok()?;
            Some((name.parse().ok()?, record))
        });
        Ok(readable.collect())
    }

    /// The path of the database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the bytes of all records, by app name.
    pub(crate) fn records(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
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

    /// Runs an operation on the database, which is opened again if the disk failed before.
    fn with_database<T>(
        &self,
        action: &'static str,
        operation: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        // A panic while holding the lock leaves a transaction that is rolled back.
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
}

/// True if a record is newer than a stored one, or that one is damaged.
fn is_newer_than(record: &Record, stored: &[u8]) -> bool {
    match serde_json::from_slice(stored) {
        Ok(stored) => record.is_newer_than(&stored),
        Err(_) => match record_codec::revision_of_unknown(stored) {
            Ok(stored) => stored.is_some_and(|stored| record.revision() > stored),
            Err(_) => true,
        },
    }
}

fn decode_mark(stored: &[u8]) -> Option<StoreMark> {
    serde_json::from_slice(stored).ok()
}

fn create_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(APPS)?;
    transaction.open_table(HOMES)?;
    transaction.open_table(MARKS)?;
    transaction.commit()?;
    Ok(())
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
