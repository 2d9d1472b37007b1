//! The changes of the desired state that were confirmed to operators, and which of them the lattice
//! may have lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_lattice_config::AppName;
use weft_state::desired::record_codec::encode_app;
use weft_state::store::Record;

/// The confirmed changes of each app, in the order in which the store confirmed them.
#[derive(Debug, Default)]
pub(crate) struct History {
    changes: BTreeMap<AppName, Vec<Confirmed>>,
}

#[derive(Debug)]
struct Confirmed {
    record: Arc<Record>,
    /// The store lost the change before any host had it on disk, so no host can have it.
    is_lost: bool,
}

impl History {
    /// Adds a record of the bucket, unless a host has only written it again.
    pub(crate) fn confirm(&mut self, app: AppName, record: Arc<Record>) {
        let is_lost = false;
        let changes = self.changes.entry(app).or_default();
        if !changes.iter().any(|change| change.record == record) {
            changes.push(Confirmed { record, is_lost });
        }
    }

    /// True if a value was in the bucket before, as the record of an app.
    pub(crate) fn is_known(&self, value: &[u8]) -> bool {
        let mut changes = self.changes.values().flatten();
        changes.any(|change| encode_app(&change.record).is_ok_and(|known| known == value))
    }

    /// Marks the changes lost with the store's content; `is_kept` returns whether some host has a
    /// change, or a later one, on disk.
    pub(crate) fn lose(&mut self, is_kept: impl Fn(&AppName, &Record) -> bool) {
        for (app, changes) in &mut self.changes {
            for change in changes {
                change.is_lost |= !is_kept(app, &change.record);
            }
        }
    }

    pub(crate) fn apps(&self) -> impl Iterator<Item = &AppName> {
        self.changes.keys()
    }

    /// The records of which one has to be the desired state in the end: the last change that was
    /// not lost, and those after it. If all were lost, the record may also be missing.
    pub(crate) fn acceptable(&self, app: &AppName) -> impl Iterator<Item = &Arc<Record>> {
        let changes = self.changes.get(app).map_or(&[][..], Vec::as_slice);
        let last = changes.iter().rposition(|change| !change.is_lost);
        changes[last.unwrap_or(0)..]
            .iter()
            .map(|change| &change.record)
    }

    /// True if a record of the app has to exist.
    pub(crate) fn is_expected(&self, app: &AppName) -> bool {
        let changes = self.changes.get(app).into_iter().flatten();
        changes.into_iter().any(|change| !change.is_lost)
    }
}
