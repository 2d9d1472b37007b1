//! The task that deletes what no app needs any more: artifacts and machine code on the disk of this
//! host, and objects of the lattice ([ADR
//! 20](../../../../docs/adr/0020-what-is-stored-and-who-deletes-it.md)).
//!
//! It deletes only while the local copy of the desired state is complete and placement is not
//! paused. Any host deletes objects; a second deletion of an object has no effect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use weft_control::collection::CollectedStore;
use weft_lattice_config::{App, Digest};
use weft_membership::Random;
use weft_state::artifacts::{ArtifactError, Artifacts};
use weft_state::blocking;
use weft_state::buckets::BucketError;
use weft_state::collection::{GRACE, Needed};
use weft_state::desired::DesiredReplica;
use weft_state::objects::Objects;
use weft_telemetry::chain;

use crate::artifact_fetcher::LocalArtifacts;
use crate::controller::{Controller, Snapshot};
use crate::membership_task::MembershipSnapshot;
use crate::runtime::{CodeCollection, Runtime};

/// The time between two collections: short beside the grace time.
const COLLECT_EVERY: Duration = Duration::from_mins(10);

/// The time between two measurements of the disk.
const MEASURE_EVERY: Duration = Duration::from_secs(30);

/// The most time of one collection for the objects of the lattice: an operator waits for it.
const OBJECTS_WAIT_MAX: Duration = Duration::from_secs(30);

/// The most requests that wait: operators are few.
const REQUESTS_QUEUED_MAX: usize = 8;

/// The bytes that a host has stored on its disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DiskUse {
    pub(crate) artifacts_bytes: u64,
    pub(crate) code_bytes: u64,
}

/// The settings of one collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CollectionOptions {
    pub(crate) grace: Duration,
    /// True to delete nothing.
    pub(crate) is_dry_run: bool,
}

/// The result of one collection.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    /// The reason why nothing is deleted.
    pub(crate) held: Option<&'static str>,
    pub(crate) artifacts: CollectedStore,
    pub(crate) code: CollectedStore,
    /// `None` for a host alone.
    pub(crate) objects: Option<CollectedStore>,
}

/// A handle to the task. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct CollectorHandle {
    requests: mpsc::Sender<Request>,
    disk_use: watch::Receiver<DiskUse>,
}

#[derive(Debug)]
pub(super) struct Request {
    options: CollectionOptions,
    reply: oneshot::Sender<Collection>,
}

/// The knowledge of what apps need, and whether it is complete.
#[derive(Clone)]
pub(super) struct Needs {
    pub(super) replica: watch::Receiver<Arc<DesiredReplica>>,
    /// True while the replica is as new as the bucket.
    pub(super) is_caught_up: watch::Receiver<bool>,
    pub(super) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    pub(super) controller: Controller,
}

pub(super) struct Collector {
    pub(super) needs: Needs,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) artifacts: Artifacts,
    pub(super) local_artifacts: watch::Sender<LocalArtifacts>,
    /// `None` for a host alone.
    pub(super) objects: Option<Objects>,
    pub(super) disk_use: watch::Sender<DiskUse>,
    /// The seed of the time of the first collection.
    pub(super) seed: u64,
}

// === impl CollectorHandle ===

impl CollectorHandle {
    /// The handle of a collector, and the requests for it.
    pub(super) fn new(disk_use: &watch::Sender<DiskUse>) -> (Self, mpsc::Receiver<Request>) {
        let (requests, received) = mpsc::channel(REQUESTS_QUEUED_MAX);
        let disk_use = disk_use.subscribe();
        (Self { requests, disk_use }, received)
    }

    /// Runs a collection now; `None` if the host is stopping.
    pub(crate) async fn collect(&self, options: CollectionOptions) -> Option<Collection> {
        let (reply, collection) = oneshot::channel();
        let request = Request { options, reply };
        self.requests.send(request).await.ok()?;
        collection.await.ok()
    }

    /// The bytes on the disk, as last measured.
    pub(crate) fn disk_use(&self) -> DiskUse {
        *self.disk_use.borrow()
    }
}

// === impl Needs ===

impl Needs {
    /// The reason why nothing may be deleted now.
    fn held(&self) -> Option<&'static str> {
        if self.membership.borrow().pause.is_some() {
            return Some("placement is paused: this host has no view of the others");
        }
        let is_caught_up = *self.is_caught_up.borrow();
        (!is_caught_up).then_some(
            "the desired state on this host is not complete, or a record in it is of a newer release",
        )
    }

    /// The artifacts of desired revisions, of those before them, and of those that run here.
    fn all(&self) -> Needed {
        let mut needed = Needed::of(&self.replica.borrow());
        let snapshot = self.controller.snapshot();
        let running = running(&snapshot).flat_map(App::digests);
        needed.current.extend(running.cloned());
        needed
    }

    /// True if an artifact may be deleted that is surplus by what was `found` to be needed: records
    /// arrive during a collection too.
    fn may_delete(&self, digest: &Digest, found: &Needed) -> bool {
        if self.held().is_some() {
            return false;
        }
        let now = self.all();
        let is_new_previous = now.previous.contains(digest) && !found.previous.contains(digest);
        !now.current.contains(digest) && !is_new_previous
    }
}

/// The apps of a host, those that do not start too.
fn running(snapshot: &Snapshot) -> impl Iterator<Item = &App> {
    let apps = snapshot.apps.values().map(|hosted| &hosted.deployed.app);
    apps.chain(snapshot.failed.values().map(|failed| &failed.deployed.app))
}

// === impl Collector ===

impl Collector {
    /// Collects and measures until `stop`.
    pub(super) async fn run(self, mut requests: mpsc::Receiver<Request>, stop: CancellationToken) {
        let mut measurements = interval(MEASURE_EVERY);
        measurements.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Hosts that start together list the objects at different times.
        let spread = u32::try_from(COLLECT_EVERY.as_millis()).unwrap_or(u32::MAX);
        let first = Random::from_seed(self.seed).below(spread);
        let mut due = Instant::now() + COLLECT_EVERY + Duration::from_millis(first.into());
        loop {
            let step = async {
                tokio::select! {
                    biased;
                    Some(Request { options, reply }) = requests.recv() => {
                        let collection = self.collect(options).await;
                        // The operator may have stopped waiting.
                        let _ = reply.send(collection);
                    }
                    () = sleep_until(due) => {
                        due = Instant::now() + COLLECT_EVERY;
                        let options = CollectionOptions { grace: GRACE, is_dry_run: false };
                        self.collect(options).await;
                    }
                    _ = measurements.tick() => self.measure().await,
                }
            };
            if stop.run_until_cancelled(step).await.is_none() {
                return;
            }
        }
    }

    async fn collect(&self, options: CollectionOptions) -> Collection {
        let needed = Arc::new(self.needs.all());
        let held = self.needs.held();
        let collection = match held {
            Some(_) => Collection {
                held,
                ..Collection::default()
            },
            None => Collection {
                held,
                artifacts: self.collect_artifacts(&needed, options).await,
                code: self.collect_code(&needed, options).await,
                objects: self.collect_objects(&needed, options).await,
            },
        };
        collection.log(options);
        self.measure().await;
        collection
    }

    async fn collect_artifacts(
        &self,
        needed: &Arc<Needed>,
        options: CollectionOptions,
    ) -> CollectedStore {
        let (artifacts, needs) = (self.artifacts.clone(), self.needs.clone());
        let found = needed.clone();
        let collecting = move || remove_artifacts(&artifacts, &needs, &found, options);
        let mut store = CollectedStore::default();
        let removed = match blocking::run(collecting).await {
            Ok((collected, removed)) => {
                store = collected;
                removed
            }
            Err(_) => Vec::new(),
        };
        // After the removal: the fetcher looks at the disk again.
        self.local_artifacts.send_if_modified(|local| {
            let removals = removed.iter().filter(|digest| local.digests.remove(digest));
            removals.count() > 0
        });
        store
    }

    async fn collect_code(&self, needed: &Needed, options: CollectionOptions) -> CollectedStore {
        let digests = needed.current.union(&needed.previous).cloned().collect();
        let collected = self.runtime.collect_code(CodeCollection {
            needed: Arc::new(digests),
            grace: options.grace,
            is_dry_run: options.is_dry_run,
        });
        let mut store = CollectedStore::default();
        match collected.await {
            Ok(collected) => {
                store.stored_bytes = collected.stored_bytes;
                for (name, bytes) in collected.deleted {
                    store.add(name, bytes);
                }
            }
            Err(error) => store.error = Some(failure("the compile cache", &error)),
        }
        store
    }

    async fn collect_objects(
        &self,
        needed: &Needed,
        options: CollectionOptions,
    ) -> Option<CollectedStore> {
        let objects = self.objects.as_ref()?;
        let mut store = CollectedStore::default();
        let collecting = self.delete_objects(objects, needed, options, &mut store);
        // The next collection deletes the rest, and sweeps what an interrupted deletion leaves.
        if let Ok(Err(error)) = timeout(OBJECTS_WAIT_MAX, collecting).await {
            store.error = Some(failure("the object store", &error));
        }
        Some(store)
    }

    async fn delete_objects(
        &self,
        objects: &Objects,
        needed: &Needed,
        options: CollectionOptions,
        store: &mut CollectedStore,
    ) -> Result<(), BucketError> {
        let listed = objects.list().await?;
        store.stored_bytes = listed.iter().map(|object| object.entry.bytes).sum();
        let entries = listed.iter().map(|object| object.entry.clone()).collect();
        let surplus = needed.surplus(entries, options.grace);
        let surplus: BTreeSet<_> = surplus.into_iter().map(|entry| entry.digest).collect();
        for object in &listed {
            let entry = &object.entry;
            let is_surplus = surplus.contains(&entry.digest);
            if !is_surplus || !self.needs.may_delete(&entry.digest, needed) {
                continue;
            }
            if options.is_dry_run {
                store.add(entry.digest.to_string(), entry.bytes);
                continue;
            }
            if objects.delete(object).await? {
                store.stored_bytes -= entry.bytes;
                store.add(entry.digest.to_string(), entry.bytes);
            }
        }
        if !options.is_dry_run {
            objects.sweep(options.grace).await?;
        }
        Ok(())
    }

    async fn measure(&self) {
        let artifacts = self.artifacts.clone();
        let listed = blocking::run(move || artifacts.list()).await;
        let artifacts_bytes = match listed {
            Ok(Ok(entries)) => entries.iter().map(|entry| entry.bytes).sum(),
            Ok(Err(error)) => {
                failure("the artifacts", &error);
                return;
            }
            Err(_) => return,
        };
        let code = self.runtime.collect_code(CodeCollection {
            needed: Arc::default(),
            grace: GRACE,
            is_dry_run: true,
        });
        if let Ok(code) = code.await {
            let code_bytes = code.stored_bytes;
            self.disk_use.send_replace(DiskUse {
                artifacts_bytes,
                code_bytes,
            });
        }
    }
}

// === impl Collection ===

impl Collection {
    /// The bytes of everything that was deleted, or would be.
    pub(crate) fn freed_bytes(&self) -> u64 {
        self.stores().map(|store| store.deleted_bytes).sum()
    }

    fn stores(&self) -> impl Iterator<Item = &CollectedStore> {
        [&self.artifacts, &self.code]
            .into_iter()
            .chain(&self.objects)
    }

    fn log(&self, options: CollectionOptions) {
        let deleted: usize = self.stores().map(|store| store.deleted).sum();
        if deleted > 0 && !options.is_dry_run {
            let objects = self.objects.as_ref().map_or(0, |store| store.deleted);
            tracing::info!(
                artifacts = self.artifacts.deleted,
                code = self.code.deleted,
                objects,
                bytes = self.freed_bytes(),
                "deleted what no app needs"
            );
        }
    }
}

/// Removes the artifacts that no revision needs. Returns the digests of the removed ones too.
fn remove_artifacts(
    artifacts: &Artifacts,
    needs: &Needs,
    needed: &Needed,
    options: CollectionOptions,
) -> (CollectedStore, Vec<Digest>) {
    let (mut store, mut removed) = (CollectedStore::default(), Vec::new());
    let mut remove = || -> Result<(), ArtifactError> {
        let entries = artifacts.list()?;
        store.stored_bytes = entries.iter().map(|entry| entry.bytes).sum();
        for entry in needed.surplus(entries, options.grace) {
            if !needs.may_delete(&entry.digest, needed) {
                continue;
            }
            if options.is_dry_run {
                store.add(entry.digest.to_string(), entry.bytes);
            } else if artifacts.remove(&entry.digest, options.grace)? {
                store.stored_bytes -= entry.bytes;
                store.add(entry.digest.to_string(), entry.bytes);
                removed.push(entry.digest);
            }
        }
        Ok(())
    };
    if let Err(error) = remove() {
        store.error = Some(failure("the artifacts", &error));
    }
    (store, removed)
}

/// Logs a failure, and returns its text for the report.
fn failure(what: &str, error: &(dyn std::error::Error + 'static)) -> String {
    let error = chain(error);
    tracing::warn!(error, "cannot collect {what}");
    error
}

#[cfg(test)]
mod tests;
