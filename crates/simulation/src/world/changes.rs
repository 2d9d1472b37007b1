//! Changes of the desired state, through the writers of hosts.

use std::sync::{Arc, PoisonError};

use futures_util::FutureExt as _;
use weft_lattice_config::AppName;
use weft_state::desired::record_codec::{app_key, encode_app};
use weft_state::desired::{Revision, WatchEvent};
use weft_state::store::{Deployed, Record};

use super::World;
use crate::mutations::Mutation;
use crate::records::app_record;
use crate::scenario::Change;

impl World {
    /// An operator changes the desired state, through any host that responds.
    pub(super) fn change(&mut self, change: Change) {
        let hosts = self.responsive();
        let connected = hosts
            .into_iter()
            .filter(|host| self.hosts[*host].is_connected);
        let hosts: Vec<_> = connected.collect();
        let Some(host) = self.change_rng.pick(&hosts).copied() else {
            return;
        };
        if self.shared.options.mutation == Some(Mutation::CountsFromBucketOnly) {
            return self.change_by_bucket(change);
        }
        let Some(process) = self.process(host) else {
            return;
        };
        let (joined, shared) = (process.joined.clone(), self.shared.clone());
        process.tasks.spawn(async move {
            let (app, changed) = match change {
                Change::Deploy(app) => {
                    let deployed = joined.deploy(*app.clone()).await;
                    let revision = deployed.map(|deployment| deployment.deployed.revision);
                    (app.metadata.name, revision)
                }
                Change::Remove(app) => (app.clone(), joined.undeploy(app).await),
            };
            shared.trace(&match changed {
                Ok(revision) => format!("{host} has changed {app} to revision {revision}"),
                Err(error) => format!("{host} cannot change {app}: {error}"),
            });
        });
    }

    /// Changes the desired state with a revision that is counted from the bucket alone.
    fn change_by_bucket(&self, change: Change) {
        let (app, deploys) = match change {
            Change::Deploy(app) => (app.metadata.name.clone(), Some(*app)),
            Change::Remove(app) => (app, None),
        };
        let changed_at_ms = self.shared.now().as_millis() as u64;
        let (expected, old) = self.in_bucket(&app);
        let revision = old.as_ref().map_or(0, Record::revision) + 1;
        let record = match deploys {
            Some(app) => {
                let deployed = Deployed::after(old.as_ref(), revision, changed_at_ms, app);
                Record::Deployed(deployed)
            }
            None => Record::Removed {
                revision,
                changed_at_ms,
            },
        };
        if let (Ok(key), Ok(value)) = (app_key(&app), encode_app(&record)) {
            // In memory, the write completes at once.
            let _ = self.records.put(&key, value, expected).now_or_never();
        }
    }

    /// The record of an app in the bucket, and its revision there.
    pub(super) fn in_bucket(&self, app: &AppName) -> (Revision, Option<Record>) {
        let found = app_key(app).ok().and_then(|key| {
            let found = self.records.get(&key).now_or_never()?.ok()??;
            let record = app_record(&key, &found.value);
            Some((found.revision, record.map(|(_, record)| record)))
        });
        found.unwrap_or((Revision::NONE, None))
    }

    /// Adds new records of the bucket to the history.
    pub(super) fn confirm_changes(&mut self) {
        while let Some(Some(watched)) = self.watch.next().now_or_never() {
            let WatchEvent::Record { key, record } = watched else {
                continue;
            };
            if let Some((app, found)) = app_record(&key, &record.value) {
                self.shared.trace(&format!(
                    "the bucket has {app} at revision {}",
                    found.revision()
                ));
                let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
                history.confirm(app, Arc::new(found));
            }
        }
    }
}
