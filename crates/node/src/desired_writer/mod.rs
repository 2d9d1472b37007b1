//! The writer of the lattice's desired state: checks a change on this host, writes it to the bucket
//! by compare-and-set, and waits until this host has reconciled it.

mod app_turns;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout;
use weft_lattice_config::placement::{COMPONENTS_MAX, StoreId};
use weft_lattice_config::{App, AppName};
use weft_state::artifacts::Artifacts;
use weft_state::blocking;
use weft_state::buckets::BucketError;
use weft_state::desired::record_codec::{self, DecodedRecord, app_key, home_key};
use weft_state::desired::{DesiredReplica, PutError, Revision};
use weft_state::objects::ObjectError;
use weft_state::store::{Deployed, Record};
use weft_telemetry::chain;

pub(super) use self::app_turns::AppTurns;
use crate::controller::{Controller, DeployError, Deployment, Snapshot};
use crate::environment::Environment;
use crate::lattice_stores::LatticeStores;
use crate::reconciler::Decision;

/// The longest wait for this host to reconcile a change before the caller gets its reply anyway.
const RECONCILE_WAIT_MAX: Duration = Duration::from_secs(60);

/// The reason the lattice's desired state was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The bucket cannot be used.
    #[error(
        "cannot reach the desired-state bucket: nothing was changed, running apps are unaffected; \
         retry when NATS is back"
    )]
    Store(#[from] BucketError),
    /// The app was changed by another writer at the same time.
    #[error(
        "app `{app}` was changed by another deploy at the same time; compare with the current \
         revision, and deploy again"
    )]
    Conflict { app: AppName },
    /// The record cannot be written.
    #[error("cannot write the desired state of app `{app}`")]
    Put {
        app: AppName,
        #[source]
        source: PutError,
    },
    /// An artifact cannot be uploaded.
    #[error("cannot upload an artifact to the lattice")]
    Object(#[from] ObjectError),
    /// The stored record was written by a newer version.
    #[error(
        "the stored record of app `{app}` cannot be read by this version of weft: {reason}; if it is \
         damaged, `weft deploy --force` replaces it"
    )]
    Newer { app: AppName, reason: String },
    /// The components of a host alone are too many.
    #[error(
        "too many components on this host: expected at most {max}, found {found} with app `{app}`; \
         undeploy an app, or start the hosts with `weft up --nats URL` to form a lattice"
    )]
    TooMany {
        app: AppName,
        found: usize,
        max: usize,
    },
    /// The app is not deployed.
    #[error("no app `{app}` is deployed")]
    Missing { app: AppName },
}

/// The fate of a stored record that this version cannot read: one of a newer version, or a damaged
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Refuse,
    Replace,
}

/// The record of an app in the bucket.
struct StoredRecord {
    /// The version of the record in the bucket.
    at: Revision,
    /// `None` if it is missing, or is to be replaced although it cannot be read.
    record: Option<Record>,
    /// The revision of the app, as far as it can be read; 0 if it cannot.
    revision: u64,
}

/// Changes the desired state.
#[derive(Clone)]
pub(super) struct DesiredWriter {
    pub(super) stores: LatticeStores,
    pub(super) controller: Controller,
    pub(super) artifacts: Artifacts,
    /// The local replica of the desired state.
    pub(super) replica: watch::Receiver<Arc<DesiredReplica>>,
    pub(super) decision: watch::Receiver<Arc<Decision>>,
    pub(super) environment: Environment,
    pub(super) turns: AppTurns,
}

impl DesiredWriter {
    /// Makes `app` the desired revision if it can run.
    ///
    /// # Errors
    /// Any [`DeployError`]; the desired state is then unchanged, unless the bucket was lost during
    /// the write.
    pub(super) async fn deploy(
        &self,
        app: App,
        unreadable: Unreadable,
    ) -> Result<Deployment, DeployError> {
        let name = app.metadata.name.clone();
        let turn = self.turns.take(&name).await;
        let known = self.read(&name, unreadable).await;
        // A revision that does not start here is deployed again: its cause may have ended.
        let has_failed = self
            .controller
            .snapshot()
            .failed
            .contains_key(name.as_str());
        if let Ok(known) = &known
            && let Some(Record::Deployed(old)) = &known.record
            && old.app == app
            && !has_failed
        {
            return Ok(Deployment {
                deployed: old.clone(),
                changes: Vec::new(),
            });
        }
        if self.is_alone() {
            check_count(&self.replica.borrow(), &app)?;
        }
        self.provide(&app).await;
        // A mistake in the manifest is reported before an unavailable bucket.
        let changes = self.controller.check(app.clone()).await?;
        if unreadable == Unreadable::Replace {
            self.repair_homes(&app).await;
        }
        let deployed = match self.store(app, known).await {
            Ok(deployed) => deployed,
            Err(error) => {
                self.controller.discard(name).await?;
                return Err(error);
            }
        };
        // On a host alone the app is staged: the next change would replace it. In a lattice the
        // next change may end the start of this one.
        let _turn = self.is_alone().then_some(turn);
        self.wait_until_reconciled(|snapshot, decision| {
            let kept = decision.kept.get(&name);
            if kept.is_some_and(|kept| kept.desired_revision >= deployed.revision) {
                return true;
            }
            let running = snapshot.apps.get(name.as_str());
            let failed = snapshot.failed.get(name.as_str());
            let revisions = running.map(|running| running.deployed.revision);
            let revisions = revisions
                .into_iter()
                .chain(failed.map(|failed| failed.deployed.revision));
            revisions.max() >= Some(deployed.revision)
        })
        .await;
        Ok(Deployment { deployed, changes })
    }

    /// Removes an app from the desired state. Returns the revision of the removal.
    ///
    /// # Errors
    /// As [`deploy`](Self::deploy), and if the app is not deployed.
    pub(super) async fn undeploy(&self, app: AppName) -> Result<u64, DeployError> {
        let turn = self.turns.take(&app).await;
        let known = self.read(&app, Unreadable::Refuse).await?;
        let Some(Record::Deployed(_)) = &known.record else {
            return Err(ChangeError::Missing { app }.into());
        };
        let revision = self.next_revision(&app, &known);
        let removed = Record::Removed {
            revision,
            changed_at_ms: self.environment.now_ms(),
        };
        self.write(&app, &removed, known.at).await?;
        // The app may be deployed again while its last requests are completed.
        drop(turn);
        // A timeout is not a failure: the removal is written.
        let removal = self.controller.wait_for_removal(app, revision);
        match timeout(RECONCILE_WAIT_MAX, removal).await {
            Ok(removal) => removal.map(|()| revision),
            Err(_) => Ok(revision),
        }
    }

    /// True if this host runs every app itself.
    fn is_alone(&self) -> bool {
        self.stores.objects.is_none()
    }

    /// Uploads the artifacts of an app, and writes its record after the `known` one.
    async fn store(
        &self,
        app: App,
        known: Result<StoredRecord, ChangeError>,
    ) -> Result<Deployed, DeployError> {
        let known = known?;
        self.upload(&app).await?;
        let name = app.metadata.name.clone();
        let revision = self.next_revision(&name, &known);
        let now_ms = self.environment.now_ms();
        // Claims to routes survive damage in the local replica.
        let replica = self.replica.borrow().apps().get(&name).cloned();
        let former = known.record.as_ref().or(replica.as_deref());
        let deployed = Deployed::after(former, revision, now_ms, app);
        let record = Record::Deployed(deployed.clone());
        self.write(&name, &record, known.at).await?;
        Ok(deployed)
    }

    async fn read(
        &self,
        app: &AppName,
        unreadable: Unreadable,
    ) -> Result<StoredRecord, ChangeError> {
        let newer = |reason: String| ChangeError::Newer {
            app: app.clone(),
            reason,
        };
        let key = app_key(app).map_err(|error| newer(error.to_string()))?;
        let Some(record) = self.stores.records.get(&key).await? else {
            return Ok(StoredRecord {
                at: Revision::NONE,
                record: None,
                revision: 0,
            });
        };
        let at = record.revision;
        match record_codec::decode(&key, &record.value) {
            DecodedRecord::App(_, known) => Ok(StoredRecord {
                at,
                revision: known.revision(),
                record: Some(known),
            }),
            DecodedRecord::Unknown(reason) if unreadable == Unreadable::Replace => {
                tracing::warn!(%app, reason, "replacing a record that cannot be read");
                let revision = record_codec::revision_of_unknown(&record.value);
                Ok(StoredRecord {
                    at,
                    record: None,
                    revision: revision.ok().flatten().unwrap_or(0),
                })
            }
            DecodedRecord::Unknown(reason) => Err(newer(reason)),
            DecodedRecord::Home(..) | DecodedRecord::Mark(..) => {
                Err(newer("the record is not an app".to_owned()))
            }
        }
    }

    /// Writes the known homes of an app's stores over records that cannot be read.
    async fn repair_homes(&self, app: &App) {
        for provider in &app.spec.providers {
            let store = StoreId {
                app: app.metadata.name.clone(),
                provider: provider.name.clone(),
            };
            let home = self.replica.borrow().homes().get(&store).cloned();
            let (Some(home), Ok(key)) = (home, home_key(&store)) else {
                continue;
            };
            let Ok(Some(stored)) = self.stores.records.get(&key).await else {
                continue;
            };
            let decoded = record_codec::decode(&key, &stored.value);
            if !matches!(decoded, DecodedRecord::Unknown(_)) {
                continue;
            }
            let value = record_codec::encode_home(&home);
            if let Err(error) = self.stores.records.put(&key, value, stored.revision).await {
                let error = chain(&error);
                tracing::warn!(error, %store, "the home of a store was not written again");
            }
        }
    }

    /// Checks `app` as [`deploy`](Self::deploy) does, and returns the changes that it would make.
    pub(super) async fn plan(&self, app: App) -> Result<Vec<String>, DeployError> {
        self.provide(&app).await;
        self.controller.plan(app).await
    }

    /// Renews the artifacts that this host has, so that no collection deletes them during the
    /// deploy, and downloads the others: a deploy over the bus has uploaded them to the object
    /// store. The check that follows reports those that are missing.
    async fn provide(&self, app: &App) {
        for digest in app.digests() {
            let (artifacts, named) = (self.artifacts.clone(), digest.clone());
            let is_stored = blocking::run(move || artifacts.renew(&named)).await;
            if is_stored.unwrap_or(false) {
                continue;
            }
            let Some(objects) = &self.stores.objects else {
                continue;
            };
            let Ok(bytes) = objects.get(digest).await else {
                continue;
            };
            let (artifacts, digest) = (self.artifacts.clone(), digest.clone());
            let stored = blocking::run(move || artifacts.put(&digest, &bytes)).await;
            if let Ok(Err(error)) = stored {
                tracing::warn!(
                    error = chain(&error),
                    "a downloaded artifact cannot be stored"
                );
            }
        }
    }

    async fn upload(&self, app: &App) -> Result<(), DeployError> {
        let Some(objects) = &self.stores.objects else {
            return Ok(());
        };
        for digest in app.digests() {
            let is_recent = objects.has_recent(digest).await;
            if is_recent.map_err(ChangeError::Store)? {
                continue;
            }
            let (artifacts, digest) = (self.artifacts.clone(), digest.clone());
            let read = blocking::run(move || artifacts.get(&digest)).await;
            let bytes = read.map_err(|_| DeployError::Internal)?;
            // The check has read the artifact a moment ago.
            let bytes = bytes.map_err(|_| DeployError::Internal)?;
            let put = objects.put(Bytes::from(bytes)).await;
            put.map_err(ChangeError::Object)?;
        }
        Ok(())
    }

    async fn write(
        &self,
        app: &AppName,
        record: &Record,
        expected: Revision,
    ) -> Result<(), ChangeError> {
        let newer = |reason: String| ChangeError::Newer {
            app: app.clone(),
            reason,
        };
        let key = app_key(app).map_err(|error| newer(error.to_string()))?;
        let value = record_codec::encode_app(record).map_err(|error| newer(error.to_string()))?;
        match self.stores.records.put(&key, value, expected).await {
            Ok(_) => Ok(()),
            Err(PutError::Conflict { .. }) => Err(ChangeError::Conflict { app: app.clone() }),
            Err(source) => Err(ChangeError::Put {
                app: app.clone(),
                source,
            }),
        }
    }

    /// The revision after the highest known one. A bucket that came back with older records may not
    /// be refilled yet, so the replica counts too.
    fn next_revision(&self, app: &AppName, known: &StoredRecord) -> u64 {
        let replica = self.replica.borrow();
        let replica = replica.apps().get(app).map(|known| known.revision());
        known.revision.max(replica.unwrap_or(0)).saturating_add(1)
    }

    /// Waits until this host has reconciled a change. Its inventory reports a change that does not
    /// start.
    async fn wait_until_reconciled(&self, is_reached: impl Fn(&Snapshot, &Decision) -> bool) {
        let mut snapshots = self.controller.watch();
        let mut decisions = self.decision.clone();
        let reconciled = async {
            loop {
                let snapshot = snapshots.borrow_and_update().clone();
                let decision = decisions.borrow_and_update().clone();
                if is_reached(&snapshot, &decision) {
                    return;
                }
                tokio::select! {
                    biased;
                    Ok(()) = snapshots.changed() => {}
                    Ok(()) = decisions.changed() => {}
                    else => return,
                }
            }
        };
        // A timeout is not a failure: the change is written.
        let _ = timeout(RECONCILE_WAIT_MAX, reconciled).await;
    }
}

/// Checks that a host alone, which runs every app, can run one more. In a lattice, placement gives
/// no host too many components.
fn check_count(replica: &DesiredReplica, app: &App) -> Result<(), ChangeError> {
    let name = &app.metadata.name;
    let others = replica.apps().iter().filter(|(other, _)| *other != name);
    let others = others.map(|(_, record)| match &**record {
        Record::Deployed(deployed) => deployed.app.spec.components.len(),
        Record::Removed { .. } => 0,
    });
    let found = others.sum::<usize>() + app.spec.components.len();
    if found <= COMPONENTS_MAX {
        return Ok(());
    }
    Err(ChangeError::TooMany {
        app: name.clone(),
        found,
        max: COMPONENTS_MAX,
    })
}

#[cfg(test)]
mod tests;
