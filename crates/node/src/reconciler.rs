//! The task that makes this host's share of the desired state what runs here.
//!
//! It knows what is wanted from the host's own [copy](DesiredReplica), which it keeps on [disk](crate::replica_file), and who is
//! there from [`members`](crate::membership_task). From both it makes the plan that every other host makes too, and has
//! its own share of it run. The copy follows the lattice's bucket, and other hosts while that is away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use weft_lattice_config::placement::{self, HostId, Plan};
use weft_lattice_config::{App, Digest, Source};
use weft_link::Share;
use weft_membership::Freeze;
use weft_membership::message::HostCondition;
use weft_state::desired::record_codec::Said;
use weft_state::desired::{DesiredReplica, Notice, Records, Watch, Watched};
use weft_state::store::Record;
use weft_telemetry::chain;
use weft_telemetry::events::Events;

use crate::artifact_fetcher::LocalArtifacts;
use crate::controller::{Controller, DesiredApp};
use crate::event_reporter::EventReporter;
use crate::local_assignment::{self, Departures};
use crate::membership_task::MembershipSnapshot;
use crate::replica_file::ReplicaFile;

/// How often what could not be done is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How long a host that finds no bus waits before it serves alone from its own copy.
const STANDALONE_AFTER: Duration = Duration::from_secs(3);

/// How many records are written to a bucket that lost them before it is listened to again: other hosts write
/// them too, and what one has written is nothing to do for the rest.
const REFILLS_MAX: usize = 64;

/// How long bytes may be on their way before others are told that they are missing.
const MISSING_ARTIFACTS_AFTER: Duration = Duration::from_secs(3);

/// What the task is given.
pub(super) struct Parts {
    pub(super) records: Records,
    pub(super) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    pub(super) me: HostId,
    pub(super) controller: Controller,
    pub(super) replica_file: ReplicaFile,
    /// What is kept, as it was read.
    pub(super) replica: DesiredReplica,
    /// The types of providers that keep what they store on the host that runs them.
    pub(super) local_stores: Arc<BTreeSet<String>>,
    pub(super) events: Events,
    /// What peers say.
    pub(super) peer_records: mpsc::Receiver<Said>,
    /// The bytes of components that are here.
    pub(super) local_artifacts: watch::Receiver<LocalArtifacts>,
    pub(super) output: ReconcilerOutput,
}

/// What the task tells others.
pub(super) struct ReconcilerOutput {
    /// What is wanted, as far as this host knows.
    pub(super) replica: watch::Sender<Arc<DesiredReplica>>,
    /// Whether the store of the desired state is away.
    pub(super) is_bucket_unavailable: watch::Sender<bool>,
    /// The bytes that this host needs, the most urgent first.
    pub(super) needed_artifacts: watch::Sender<Arc<Vec<Digest>>>,
    /// What is wrong.
    pub(super) conditions: watch::Sender<BTreeSet<HostCondition>>,
}

pub(super) struct Reconciler {
    parts: Parts,
    started: Instant,
    /// Whether something is to be done again.
    needs_retry: bool,
    /// Whether the disk did not take the copy.
    has_disk_failed: bool,
    /// Since when bytes are missing.
    artifacts_missing_since: Option<Instant>,
    reporter: EventReporter,
    departures: Departures,
}

impl Reconciler {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            reporter: EventReporter::new(parts.events.clone()),
            departures: Departures::default(),
            parts,
            started: Instant::now(),
            needs_retry: true,
            has_disk_failed: false,
            artifacts_missing_since: None,
        }
    }

    /// The bytes that are to be got, now and later.
    pub(super) fn needed_artifacts(&self) -> watch::Receiver<Arc<Vec<Digest>>> {
        self.parts.output.needed_artifacts.subscribe()
    }

    /// Follows until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut watch = self.parts.records.watch();
        let mut retry = interval(RETRY_EVERY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                watched = watch.next() => match watched {
                    Some(watched) => {
                        self.on_watched(watched);
                        self.drain_watch(&mut watch).await;
                    }
                    None => return,
                },
                Some(record) = self.parts.peer_records.recv() => {
                    self.apply_peer_record(record);
                    while let Ok(record) = self.parts.peer_records.try_recv() {
                        self.apply_peer_record(record);
                    }
                }
                Ok(()) = self.parts.membership.changed() => {}
                Ok(()) = self.parts.local_artifacts.changed() => {}
                _ = retry.tick() => if !self.needs_retry { continue },
            }
            self.reconcile().await;
            self.publish_conditions();
        }
    }

    /// A lattice with many apps is planned once for all that came together.
    async fn drain_watch(&mut self, watch: &mut Watch) {
        while let Ok(Some(watched)) = tokio::time::timeout(Duration::ZERO, watch.next()).await {
            self.on_watched(watched);
        }
    }

    fn on_watched(&mut self, watched: Watched) {
        let is_complete = watched == Watched::Complete;
        match self.parts.replica.see(watched) {
            None => {}
            Some(Notice::Erased(key)) => {
                // What is erased is not removed: removal is a record.
                tracing::warn!(%key, "a record of the desired state was erased");
            }
            Some(Notice::NotUnderstood { key, reason }) => {
                tracing::error!(%key, reason, "a record of the desired state is not understood");
            }
            Some(Notice::Away) => {
                self.parts.output.is_bucket_unavailable.send_replace(true);
                tracing::info!(
                    "the store of the desired state is away; this host goes on with its copy"
                );
            }
        }
        if is_complete {
            self.parts.output.is_bucket_unavailable.send_replace(false);
        }
    }

    /// Takes what a peer says.
    fn apply_peer_record(&mut self, record: Said) {
        let replica = &mut self.parts.replica;
        match record {
            Said::App(app, record) => {
                let revision = record.revision();
                if replica.take_app(app.clone(), record) {
                    tracing::info!(%app, revision, "learned from a peer what is wanted");
                }
            }
            Said::Home(store, host) => drop(replica.take_home(store, host)),
            Said::Unknown(_) => {}
        }
    }

    /// Makes what runs here what is wanted here, as far as it is known.
    async fn reconcile(&mut self) {
        let membership = self.parts.membership.borrow_and_update().clone();
        self.reporter.report_bucket(&self.parts.replica);
        self.needs_retry = self.refill().await;
        if !self.can_reconcile(membership.freeze) {
            self.needs_retry = true;
            self.save_replica().await;
            return;
        }
        let (view, local_stores) = (&membership.view, &self.parts.local_stores);
        let plan = self
            .parts
            .replica
            .with_input(view, local_stores, placement::plan);
        self.record_homes(&plan).await;
        self.reporter.report_plan(&membership.view, &plan);
        self.save_replica().await;
        let desired = self.desired_apps(&membership, &plan);
        if let Err(error) = self.parts.controller.reconcile(desired).await {
            tracing::debug!(error = chain(&error), "the host is stopping");
        }
        // What does not start is tried again, when the controller sees fit.
        self.needs_retry |= !self.parts.controller.snapshot().failed.is_empty();
    }

    /// What is to run here. An app whose bytes are not here yet is left as it is.
    fn desired_apps(&mut self, membership: &MembershipSnapshot, plan: &Plan) -> Vec<DesiredApp> {
        self.departures.retain(&plan.assignments);
        let snapshot = self.parts.controller.snapshot();
        let local = self.parts.local_artifacts.borrow_and_update().clone();
        let (mut desired, mut missing, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (app, record) in self.parts.replica.apps() {
            let share = match &**record {
                Record::Deployed(deployed) => {
                    let runs = snapshot.apps.get(app.as_str());
                    let runs = runs.map(|runs| (&runs.deployed.app, &runs.share));
                    let (me, view) = (&self.parts.me, &membership.view);
                    let departures = (&mut self.departures, Instant::now());
                    let share = local_assignment::local_share(
                        deployed,
                        me,
                        &plan.assignments,
                        runs,
                        view,
                        departures,
                    );
                    let absent = digests(&deployed.app);
                    let absent: Vec<_> = absent
                        .filter(|digest| !local.digests.contains(*digest))
                        .collect();
                    if !absent.is_empty() {
                        // What is to run here goes before what is only kept.
                        let is_urgent = share != Share::Part(BTreeSet::new());
                        let list = if is_urgent { &mut missing } else { &mut others };
                        list.extend(absent.into_iter().cloned());
                        continue;
                    }
                    share
                }
                Record::Removed { .. } => Share::Part(BTreeSet::new()),
            };
            desired.push(DesiredApp {
                app: app.clone(),
                record: Record::clone(record),
                share,
            });
        }
        self.needs_retry |= self.departures.is_any();
        self.publish_needed_artifacts(missing, others);
        desired
    }

    /// Has the bytes got that are missing, and after them `others`, which are only kept.
    fn publish_needed_artifacts(&mut self, mut missing: Vec<Digest>, others: Vec<Digest>) {
        self.artifacts_missing_since = match (missing.is_empty(), self.artifacts_missing_since) {
            (true, _) => None,
            (false, since) => since.or_else(|| Some(Instant::now())),
        };
        self.needs_retry |= self.artifacts_missing_since.is_some();
        missing.extend(others);
        self.parts
            .output
            .needed_artifacts
            .send_if_modified(|needed| {
                let is_changed = **needed != missing;
                if is_changed {
                    *needed = Arc::new(missing);
                }
                is_changed
            });
    }

    /// Whether what is known may be acted upon. A host that hears nobody proves nothing about them, and half
    /// of a bucket is not what is wanted.
    fn can_reconcile(&self, freeze: Option<Freeze>) -> bool {
        let is_free = match freeze {
            None => true,
            Some(Freeze::Unconnected) => self.started.elapsed() >= STANDALONE_AFTER,
            Some(Freeze::Joining | Freeze::Away | Freeze::Returning) => false,
        };
        is_free && !self.parts.replica.is_reading()
    }

    /// Records the stores that this host is the first to have: they bind all later plans.
    async fn record_homes(&mut self, plan: &Plan) {
        if !self.parts.replica.is_bucket_known() {
            return;
        }
        for (store, host) in &plan.homes {
            let replica = &mut self.parts.replica;
            if *host == self.parts.me && replica.take_home(store.clone(), host.clone()) {
                tracing::info!(%store, "this host is where a store is");
            }
        }
        self.needs_retry |= self.refill().await;
    }

    /// Writes to the bucket what this host knows and the bucket has lost. Says whether something is left.
    async fn refill(&mut self) -> bool {
        let refills = self.parts.replica.refills(REFILLS_MAX);
        let is_left = !refills.is_empty();
        for refill in refills {
            let (key, value) = (&refill.key, refill.value.clone());
            match self.parts.records.put(key, value, refill.expected).await {
                Ok(revision) => {
                    tracing::info!(%key, "wrote what the bucket of the desired state lacked");
                    self.parts.replica.refilled(refill, revision);
                }
                // Another host was faster, or the store is away: the watch will tell.
                Err(error) => {
                    tracing::debug!(error = chain(&error), %key, "the bucket was not refilled");
                }
            }
        }
        is_left
    }

    /// Keeps the copy on disk, and shows it to who asks.
    async fn save_replica(&mut self) {
        let replica = &self.parts.replica;
        let saved = self.parts.replica_file.save(replica).await;
        if let Err(error) = &saved {
            tracing::error!(
                error,
                "the disk does not take the copy of the desired state; this host goes on without it"
            );
            self.needs_retry = true;
        }
        self.has_disk_failed = saved.is_err();
        self.parts.output.replica.send_if_modified(|published| {
            let is_changed = !published.says_the_same(replica);
            if is_changed {
                *published = Arc::new(replica.clone());
            }
            is_changed
        });
    }

    fn publish_conditions(&self) {
        let is_bucket_unavailable = *self.parts.output.is_bucket_unavailable.borrow();
        let has_disk_failed =
            self.has_disk_failed || self.parts.local_artifacts.borrow().has_disk_failed;
        let are_artifacts_missing = self.artifacts_missing_since;
        let are_artifacts_missing =
            are_artifacts_missing.is_some_and(|since| since.elapsed() >= MISSING_ARTIFACTS_AFTER);
        let found = [
            (HostCondition::StoreAway, is_bucket_unavailable),
            (HostCondition::Disk, has_disk_failed),
            (HostCondition::Bytes, are_artifacts_missing),
        ];
        let found = found.into_iter().filter(|(_, is_found)| *is_found);
        let found: BTreeSet<_> = found.map(|(condition, _)| condition).collect();
        self.parts.output.conditions.send_if_modified(|conditions| {
            let is_changed = *conditions != found;
            *conditions = found;
            is_changed
        });
    }
}

/// The digests of an app's components.
pub(super) fn digests(app: &App) -> impl Iterator<Item = &Digest> {
    let components = app.spec.components.iter();
    components.filter_map(|component| match &component.source {
        Source::Digest(digest) => Some(digest),
        Source::File(_) => None,
    })
}
