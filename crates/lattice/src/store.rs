//! The desired state on a host's own disk: every app, in one embedded database file. For a host that is
//! its own lattice it is the original, for others a copy that they serve from.
//!
//! Each change is one transaction that is on disk before it is acknowledged, so a process killed at
//! any moment leaves the state before the change or after it. Removing an app leaves a *tombstone*
//! with the revision of the removal: absence alone never means "delete".

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use weft_lattice_config::{App, AppName};

/// App name → JSON of [`Record`].
const APPS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("apps.v1");

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
    database: Database,
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
        let store = Self { database, path };
        store
            .create_tables()
            .map_err(|error| failure("open", &store.path, error))?;
        Ok(store)
    }

    /// Every deployed app, by name. An app whose record cannot be read is an error of its own, so
    /// that one bad record does not hide the others.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be read.
    pub fn apps(&self) -> Result<Vec<Result<Deployed, StoreError>>, StoreError> {
        let records = self
            .records()
            .map_err(|error| failure("read", &self.path, error))?;
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

    /// Copies a record of the lattice's desired state, if it is newer than what is here. Says whether it
    /// was.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the change could not be made; the state is then as before.
    pub fn copy(&self, app: &AppName, record: &Record) -> Result<bool, StoreError> {
        let is_newer = |old: Option<&Record>| old.is_none_or(|old| record.is_newer_than(old));
        // Mostly it is not, and then nothing has to be flushed.
        if !is_newer(self.get(app)?.as_ref()) {
            return Ok(false);
        }
        let copied = self.change(app.as_str(), |old| is_newer(old).then(|| record.clone()))?;
        Ok(copied.is_some())
    }

    /// All records, tombstones too, by the names of their apps.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be read. What does not read as a record is left out.
    pub fn all(&self) -> Result<Vec<(AppName, Record)>, StoreError> {
        let records = self
            .records()
            .map_err(|error| failure("read", &self.path, error))?;
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
        let records = self
            .records()
            .map_err(|error| failure("read", &self.path, error))?;
        let Some((name, bytes)) = records.into_iter().find(|(name, _)| name == app.as_str()) else {
            return Ok(false);
        };
        Ok(matches!(self.decode(&name, &bytes)?, Record::Deployed(_)))
    }

    /// An app's record.
    fn get(&self, app: &AppName) -> Result<Option<Record>, StoreError> {
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(APPS)?;
            let record = table.get(app.as_str())?;
            Ok(record.map(|record| record.value().to_vec()))
        };
        let bytes = read().map_err(|error| failure("read", &self.path, error))?;
        let record = bytes.map(|bytes| self.decode(app.as_str(), &bytes));
        record.transpose()
    }

    fn create_tables(&self) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(APPS)?;
        transaction.commit()?;
        Ok(())
    }

    fn records(&self) -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
        let table = self.database.begin_read()?.open_table(APPS)?;
        let mut records = Vec::new();
        for entry in table.iter()? {
            let (name, bytes) = entry?;
            records.push((name.value().to_owned(), bytes.value().to_vec()));
        }
        Ok(records)
    }

    /// Writes what `next` makes of the record of `name`, in one transaction.
    fn change(
        &self,
        name: &str,
        next: impl FnOnce(Option<&Record>) -> Option<Record>,
    ) -> Result<Option<Record>, StoreError> {
        let write = |error: redb::Error| failure("change", &self.path, error);
        let transaction = self
            .database
            .begin_write()
            .map_err(|error| write(error.into()))?;
        let record = {
            let mut table = transaction
                .open_table(APPS)
                .map_err(|error| write(error.into()))?;
            let old = table.get(name).map_err(|error| write(error.into()))?;
            let old_bytes = old.as_ref().map(|guard| guard.value().to_vec());
            drop(old);
            let old = old_bytes.map(|bytes| self.decode(name, &bytes));
            let record = next(old.transpose()?.as_ref());
            if let Some(record) = &record {
                let bytes = self.encode(name, record)?;
                table
                    .insert(name, bytes.as_slice())
                    .map_err(|error| write(error.into()))?;
            }
            record
        };
        transaction.commit().map_err(|error| write(error.into()))?;
        Ok(record)
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
mod tests {
    use super::*;

    fn app(name: &str, path: &str) -> App {
        let text = format!(
            r#"{{"apiVersion":"weft.dev/v1alpha1","kind":"App","metadata":{{"name":"{name}"}},
                "spec":{{"components":[{{"name":"web","source":{{"digest":"{}"}}}}],
                "routes":[{{"path":"{path}","to":"web"}}]}}}}"#,
            weft_lattice_config::Digest::of(b"web")
        );
        App::from_json("test", &text).unwrap()
    }

    fn apps(store: &Store) -> Vec<Deployed> {
        store
            .apps()
            .unwrap()
            .into_iter()
            .map(Result::unwrap)
            .collect()
    }

    #[test]
    fn an_app_survives_reopening_and_counts_its_revisions() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let store = Store::open(&path).unwrap();
        assert_eq!(store.put(&app("shop", "/"), 1).unwrap().revision, 1);
        assert_eq!(store.put(&app("shop", "/new"), 2).unwrap().revision, 2);
        drop(store);
        let stored = apps(&Store::open(&path).unwrap());
        assert_eq!(stored.len(), 1);
        assert_eq!(
            (stored[0].revision, &stored[0].app),
            (2, &app("shop", "/new"))
        );
    }

    #[test]
    fn a_removed_app_leaves_a_tombstone_that_keeps_its_revisions_apart() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("state.redb")).unwrap();
        store.put(&app("shop", "/"), 1).unwrap();
        let name: AppName = "shop".parse().unwrap();
        assert_eq!(store.remove(&name, 2).unwrap(), 2);
        assert!(apps(&store).is_empty());
        assert!(matches!(
            store.remove(&name, 3),
            Err(StoreError::Missing { .. })
        ));
        assert_eq!(store.put(&app("shop", "/"), 4).unwrap().revision, 3);
    }

    #[test]
    fn a_copy_is_taken_only_if_it_is_newer() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("state.redb")).unwrap();
        let name: AppName = "shop".parse().unwrap();
        let deployed = |revision, path| {
            Record::Deployed(Deployed {
                revision,
                changed_at_ms: 1,
                app: app("shop", path),
            })
        };
        let removed = |revision| Record::Removed {
            revision,
            changed_at_ms: 1,
        };
        // The record, and whether it is taken after those before it.
        let cases = [
            (deployed(7, "/b"), true),
            (deployed(7, "/b"), false),
            (deployed(7, "/a"), false),
            (deployed(3, "/b"), false),
            (removed(6), false),
            (removed(8), true),
            (deployed(8, "/a"), true),
            (removed(8), false),
            (deployed(9, "/b"), true),
        ];
        for (record, is_taken) in cases {
            assert_eq!(store.copy(&name, &record).unwrap(), is_taken, "{record:?}");
        }
        assert_eq!(store.all().unwrap(), [(name, deployed(9, "/b"))]);
    }

    #[test]
    fn one_record_that_does_not_read_hides_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("state.redb")).unwrap();
        store.put(&app("good", "/"), 1).unwrap();
        let transaction = store.database.begin_write().unwrap();
        transaction
            .open_table(APPS)
            .unwrap()
            .insert("bad", b"{".as_slice())
            .unwrap();
        transaction.commit().unwrap();
        let stored = store.apps().unwrap();
        assert!(matches!(&stored[0], Err(StoreError::Record { app, .. }) if app == "bad"));
        assert!(matches!(&stored[1], Ok(deployed) if deployed.app == app("good", "/")));
    }

    #[test]
    fn a_second_host_on_one_file_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let _first = Store::open(&path).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::InUse { .. })));
    }
}
