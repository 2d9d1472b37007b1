//! The replica of the desired state on this host's disk, from which it starts if no other host is
//! reachable.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_lattice_config::AppName;
use weft_lattice_config::placement::{HostId, StoreId};
use weft_state::blocking;
use weft_state::desired::{DesiredReplica, Key, StoreMark};
use weft_state::store::{Record, Store, StoreError};
use weft_telemetry::chain;

/// The records that are on disk.
pub(super) struct ReplicaFile {
    store: Arc<Store>,
    apps: BTreeMap<AppName, Arc<Record>>,
    homes: BTreeMap<StoreId, HostId>,
    marks: BTreeMap<Key, StoreMark>,
}

impl ReplicaFile {
    /// Reads the records.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(super) fn read(store: Arc<Store>) -> Result<(Self, DesiredReplica), StoreError> {
        let replica = DesiredReplica::new(store.all()?, store.homes()?);
        let replica = replica.with_marks(store.marks()?);
        let saved = Self {
            store,
            apps: replica.apps().clone(),
            homes: replica.homes().clone(),
            marks: replica.marks().clone(),
        };
        Ok((saved, replica))
    }

    /// Writes new records, off the async threads.
    ///
    /// # Errors
    /// The chain of errors as text. The records are written again the next time.
    pub(super) async fn save(&mut self, replica: &DesiredReplica) -> Result<(), String> {
        let is_saved = |app: &AppName, record: &Arc<Record>| {
            let saved = self.apps.get(app);
            saved.is_some_and(|saved| Arc::ptr_eq(saved, record))
        };
        let apps = replica.apps().iter();
        let apps = apps.filter(|(app, record)| !is_saved(app, record));
        let apps: Vec<_> = apps
            .map(|(app, record)| (app.clone(), record.clone()))
            .collect();
        let homes = replica.homes().iter();
        let homes = homes.filter(|(store, host)| self.homes.get(*store) != Some(*host));
        let homes: Vec<_> = homes
            .map(|(store, host)| (store.clone(), host.clone()))
            .collect();
        let marks = replica.marks().iter();
        let marks = marks.filter(|(key, mark)| self.marks.get(*key) != Some(*mark));
        let marks: Vec<_> = marks
            .map(|(key, mark)| (key.clone(), mark.clone()))
            .collect();
        if apps.is_empty() && homes.is_empty() && marks.is_empty() {
            return Ok(());
        }
        let store = self.store.clone();
        let written = blocking::run(move || {
            // Marks first: see the guarantees of the replica.
            if !marks.is_empty() {
                store.keep_marks(&marks)?;
            }
            store.keep(&apps, &homes)?;
            Ok::<_, StoreError>((apps, homes, marks))
        });
        match written.await {
            Ok(Ok((apps, homes, marks))) => {
                self.apps.extend(apps);
                self.homes.extend(homes);
                self.marks.extend(marks);
                Ok(())
            }
            Ok(Err(error)) => Err(chain(&error)),
            Err(_) => Err("the host is stopping".to_owned()),
        }
    }
}
