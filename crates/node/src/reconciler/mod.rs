//! The task that reconciles this host's share of the desired state.
//!
//! Its inputs are the host's own [replica](DesiredReplica) of the desired state, stored on
//! [disk](crate::replica_file), and the [membership](crate::membership_task). From both it computes
//! the same plan as every other host, and has the controller run its share. The replica follows the
//! lattice's bucket, and other hosts while the bucket is unavailable. A host alone runs everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use weft_bus::Status;
use weft_lattice_config::placement::{ComponentId, HostId, Plan};
use weft_lattice_config::route_owners::RouteOwners;
use weft_lattice_config::{AppName, Digest};
use weft_link::LocalComponents;
use weft_membership::message::HostCondition;
use weft_membership::{PlacementPause, STALL_MIN};
use weft_state::desired::record_codec::DecodedRecord;
use weft_state::desired::{self, DesiredReplica, Notice, Watch, WatchEvent};
use weft_state::store::Record;
use weft_telemetry::chain;
use weft_telemetry::events::Events;

use crate::artifact_fetcher::LocalArtifacts;
use crate::cluster_view;
use crate::controller::{Controller, DesiredApp};
use crate::event_reporter::EventReporter;
use crate::local_assignment::{Current, Departures, LocalShare, Surroundings};
use crate::membership_task::MembershipSnapshot;
use crate::replica_file::ReplicaFile;
use crate::route_publisher::{Extent, Records, are_targets_ready};
use crate::unplaceable::{Unplaceable, UnplaceableFinder};

/// The pause before failed steps are tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// The time without a bus after which a host serves alone from its own replica.
const STANDALONE_AFTER: Duration = Duration::from_secs(3);

/// The most records that are written to a bucket that lost them before the watch is read again:
/// other hosts refill too, and records that they wrote need not be written again.
const REFILLS_MAX: usize = 64;

/// The time after the start for which a host without the bucket is not ready: a new host has no
/// routes before it has read the bucket, and one that was here before serves from its replica.
const BUCKET_WAIT_MAX: Duration = Duration::from_secs(5);

/// The time that artifacts may be missing before the host reports it.
const MISSING_ARTIFACTS_AFTER: Duration = Duration::from_secs(3);

/// The inputs and outputs of the task.
pub(super) struct Parts {
    pub(super) records: desired::Records,
    pub(super) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    pub(super) bus: watch::Receiver<Status>,
    /// The time of the membership's last tick.
    pub(super) last_tick: watch::Receiver<Instant>,
    pub(super) me: HostId,
    pub(super) controller: Controller,
    pub(super) replica_file: ReplicaFile,
    /// The replica as it was read from disk.
    pub(super) replica: DesiredReplica,
    /// The types of providers that store their data on the host that runs them.
    pub(super) local_stores: Arc<BTreeSet<String>>,
    pub(super) events: Events,
    /// Records of peers.
    pub(super) peer_records: mpsc::Receiver<DecodedRecord>,
    /// The artifacts on disk.
    pub(super) local_artifacts: watch::Receiver<LocalArtifacts>,
    pub(super) output: ReconcilerOutput,
}

/// The published state of the task.
pub(super) struct ReconcilerOutput {
    /// The desired state, as far as this host has received it.
    pub(super) replica: watch::Sender<Arc<DesiredReplica>>,
    pub(super) is_bucket_unavailable: watch::Sender<bool>,
    /// The missing artifacts, the most urgent first.
    pub(super) needed_artifacts: watch::Sender<Arc<Vec<Digest>>>,
    /// The conditions of this host.
    pub(super) conditions: watch::Sender<BTreeSet<HostCondition>>,
    /// The last decision, published before the host acts on it.
    pub(super) decision: watch::Sender<Arc<Decision>>,
    /// True once the controller has the apps of a whole round.
    pub(super) has_reconciled: watch::Sender<bool>,
    /// True once the host may get requests: after its first round, and once it has the routes of
    /// the lattice.
    pub(super) has_started: watch::Sender<bool>,
    /// True while the published replica has all records of the bucket, all of them are known, and
    /// the host may act on it.
    pub(super) is_caught_up: watch::Sender<bool>,
    /// The components that no host may run.
    pub(super) unplaceable: watch::Sender<Arc<Unplaceable>>,
}

/// The result of a round of the reconciler.
#[derive(Debug, Default)]
pub struct Decision {
    /// The membership from which the plan was made.
    pub membership: Arc<MembershipSnapshot>,
    /// The plan for all hosts.
    pub plan: Plan,
    /// The apps whose artifacts are here, with the shares of this host.
    pub desired: Vec<DesiredApp>,
    /// The apps whose current revision this host keeps for now, in place of the desired one.
    pub kept: BTreeMap<AppName, KeptApp>,
}

/// An app whose current revision a host keeps.
#[derive(Debug)]
pub struct KeptApp {
    /// The desired revision.
    pub desired_revision: u64,
    /// The current revision, with the share of this host.
    pub current: DesiredApp,
}

pub(super) struct Reconciler {
    parts: Parts,
    started: Instant,
    /// True if a step failed or waits.
    needs_retry: bool,
    /// True once all of the bucket was read.
    has_read_bucket: bool,
    /// True if the replica could not be written to disk.
    has_disk_failed: bool,
    /// `Some` while artifacts of this host's share are missing.
    artifacts_missing_since: Option<Instant>,
    reporter: EventReporter,
    departures: Departures,
    route_owners: Arc<RouteOwners>,
    unplaceable: UnplaceableFinder,
    /// The records whose routes are in force.
    routed: Records,
    /// The wait for the apps that the host starts with; `None` before and after it.
    first_starts: Option<BoxFuture<'static, ()>>,
}

impl Reconciler {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            reporter: EventReporter::new(parts.events.clone()),
            departures: Departures::default(),
            route_owners: Arc::default(),
            unplaceable: UnplaceableFinder::default(),
            routed: BTreeMap::new(),
            first_starts: None,
            parts,
            started: Instant::now(),
            needs_retry: true,
            has_read_bucket: false,
            has_disk_failed: false,
            artifacts_missing_since: None,
        }
    }

    /// Reconciles until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut watch = self.parts.records.watch();
        let mut retry = interval(RETRY_EVERY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
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
                () = done(&mut self.first_starts) => {
                    self.first_starts = None;
                    self.parts.output.has_started.send_replace(true);
                    continue;
                }
                _ = retry.tick() => if !self.needs_round() { continue },
            }
            self.decide_routes().await;
            self.publish_routes();
            self.reconcile().await;
            self.publish_conditions();
            self.follow_first_starts();
        }
    }

    /// True if a step has to be tried again, or a revision has failed: the controller decides when
    /// that is due.
    fn needs_round(&self) -> bool {
        self.needs_retry || !self.parts.controller.snapshot().failed.is_empty()
    }

    /// Reads all waiting records first, so that a lattice with many apps is planned once.
    async fn drain_watch(&mut self, watch: &mut Watch) {
        while let Ok(Some(watched)) = tokio::time::timeout(Duration::ZERO, watch.next()).await {
            self.on_watched(watched);
        }
    }

    fn on_watched(&mut self, watched: WatchEvent) {
        let is_complete = watched == WatchEvent::Complete;
        match self.parts.replica.see(watched) {
            None => {}
            Some(Notice::Erased(key)) => {
                // An erased record does not remove an app: removal is a record.
                tracing::warn!(%key, "a record of the desired state was erased; its app stays");
            }
            Some(Notice::NotUnderstood { key, reason }) => {
                tracing::error!(
                    %key,
                    reason,
                    "ignored a desired-state record that this version cannot decode"
                );
            }
            Some(Notice::Away) => {
                self.parts.output.is_bucket_unavailable.send_replace(true);
                tracing::info!(
                    "the desired-state bucket is unavailable; this host continues with its replica"
                );
            }
        }
        if is_complete {
            self.parts.output.is_bucket_unavailable.send_replace(false);
        }
    }

    /// Merges a record of a peer into the replica.
    fn apply_peer_record(&mut self, record: DecodedRecord) {
        let replica = &mut self.parts.replica;
        match record {
            DecodedRecord::App(app, record) => {
                let revision = record.revision();
                if replica.take_app(app.clone(), record) {
                    tracing::info!(%app, revision, "received a newer record from a peer");
                }
            }
            DecodedRecord::Home(store, host) => drop(replica.take_home(store, host)),
            DecodedRecord::Mark(key, mark) => drop(replica.take_mark(key, mark)),
            DecodedRecord::Unknown(_) => {}
        }
    }

    /// Publishes the routes of all desired apps, before and also without their artifacts.
    fn publish_routes(&mut self) {
        let replica = &self.parts.replica;
        self.has_read_bucket |= replica.is_bucket_known();
        let extent = match self.has_read_bucket {
            true => Extent::Whole,
            false => Extent::Copy,
        };
        let membership = self.parts.membership.borrow().clone();
        let mut superseded = BTreeMap::new();
        for (app, record) in replica.apps() {
            let routed = self.routed.entry(app.clone());
            let routed = routed.or_insert_with(|| record.clone());
            if Arc::ptr_eq(routed, record) || are_targets_ready(record, &membership.view) {
                *routed = record.clone();
            } else {
                superseded.insert(app.clone(), routed.clone());
            }
        }
        let publisher = self.parts.controller.route_publisher();
        publisher.set_desired(replica.apps(), superseded, extent);
    }

    /// Begins to wait for the apps that a host starts with, once it has their routes.
    fn follow_first_starts(&mut self) {
        let output = &self.parts.output;
        if *output.has_started.borrow() || self.first_starts.is_some() {
            return;
        }
        let has_routes = self.has_read_bucket || self.started.elapsed() >= BUCKET_WAIT_MAX;
        if has_routes && *output.has_reconciled.borrow() {
            let controller = self.parts.controller.clone();
            self.first_starts = Some(Box::pin(async move {
                // An error means that the host is stopping.
                let _ = controller.wait_for_starts().await;
            }));
        } else {
            self.needs_retry = true;
        }
    }

    /// Runs one round.
    async fn reconcile(&mut self) {
        let membership = self.parts.membership.borrow_and_update().clone();
        self.reporter.report_bucket(&self.parts.replica);
        self.needs_retry = self.refill().await;
        if !self.can_reconcile(&membership) {
            self.needs_retry = true;
            self.parts.output.is_caught_up.send_replace(false);
            // An error means that the host is stopping.
            let _ = self.parts.controller.keep_components().await;
            self.save_replica().await;
            return;
        }
        let (replica, local_stores) = (&self.parts.replica, &self.parts.local_stores);
        let plan = cluster_view::plan(replica, &membership, local_stores);
        self.publish_unplaceable(&membership, &plan);
        self.record_homes(&plan).await;
        self.reporter.report_plan(&membership.view, &plan);
        self.save_replica().await;
        let replica = &self.parts.replica;
        let is_caught_up = replica.is_bucket_known() && !replica.has_unknown();
        self.parts.output.is_caught_up.send_replace(is_caught_up);
        let (desired, kept) = self.desired_apps(&membership, &plan);
        let current = kept.values().map(|kept| kept.current.clone());
        let apps = desired.iter().cloned().chain(current).collect();
        let decision = Decision {
            membership,
            plan,
            desired,
            kept,
        };
        self.parts.output.decision.send_replace(Arc::new(decision));
        if let Err(error) = self.parts.controller.reconcile(apps).await {
            tracing::debug!(error = chain(&error), "the host is stopping");
        }
        self.parts.output.has_reconciled.send_replace(true);
    }

    /// Has the controller serve each route for its owner.
    async fn decide_routes(&mut self) {
        let owners = cluster_view::route_owners(&self.parts.replica);
        if owners == *self.route_owners {
            return;
        }
        self.route_owners = Arc::new(owners);
        let owners = self.route_owners.clone();
        if let Err(error) = self.parts.controller.set_route_owners(owners).await {
            tracing::debug!(error = chain(&error), "the host is stopping");
        }
    }

    fn publish_unplaceable(&mut self, membership: &MembershipSnapshot, plan: &Plan) {
        let apps = self.parts.replica.apps();
        let app = |id: &ComponentId| match apps.get(&id.app).map(AsRef::as_ref) {
            Some(Record::Deployed(deployed)) => Some(&deployed.app),
            Some(Record::Removed { .. }) | None => None,
        };
        let (view, now) = (&membership.view, Instant::now());
        let found = match membership.pause {
            None => self.unplaceable.find(plan, app, view, now),
            // A host that has found no bus knows of no other host.
            Some(_) => Unplaceable::new(),
        };
        self.needs_retry |= self.unplaceable.is_waiting();
        self.parts.output.unplaceable.send_if_modified(|known| {
            let is_changed = **known != found;
            if is_changed {
                *known = Arc::new(found);
            }
            is_changed
        });
    }

    /// The apps to run here with their shares, and those that stay at their current revisions. An
    /// app with missing artifacts is left as it is.
    fn desired_apps(
        &mut self,
        membership: &MembershipSnapshot,
        plan: &Plan,
    ) -> (Vec<DesiredApp>, BTreeMap<AppName, KeptApp>) {
        self.departures.retain(&plan.assignments);
        let snapshot = self.parts.controller.snapshot();
        let local = self.parts.local_artifacts.borrow_and_update().clone();
        let (mut desired, mut missing, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let mut kept = BTreeMap::new();
        let surroundings = Surroundings {
            me: &self.parts.me,
            assignments: &plan.assignments,
            view: &membership.view,
            now: Instant::now(),
        };
        for (app, record) in self.parts.replica.apps() {
            let share = match &**record {
                // No other host has a component or an artifact: one that is missing fails its app.
                Record::Deployed(_) if membership.is_alone => LocalComponents::Whole,
                Record::Deployed(deployed) => {
                    let absent = deployed.app.digests();
                    let absent = absent.filter(|digest| !local.digests.contains(*digest));
                    let absent: Vec<_> = absent.cloned().collect();
                    let current = Current::of(&snapshot, app);
                    match self.departures.share(deployed, current, surroundings) {
                        LocalShare::Desired(share) if absent.is_empty() => share,
                        LocalShare::Desired(share) => {
                            // Artifacts of components that run here go before those that are only
                            // stored.
                            let is_urgent = share != LocalComponents::Part(BTreeSet::new());
                            let list = if is_urgent { &mut missing } else { &mut others };
                            list.extend(absent);
                            continue;
                        }
                        LocalShare::Current(current) => {
                            others.extend(absent);
                            let desired_revision = deployed.revision;
                            let current = KeptApp {
                                desired_revision,
                                current,
                            };
                            kept.insert(app.clone(), current);
                            continue;
                        }
                    }
                }
                Record::Removed { .. } => LocalComponents::Part(BTreeSet::new()),
            };
            desired.push(DesiredApp {
                app: app.clone(),
                record: record.clone(),
                share,
            });
        }
        self.needs_retry |= self.departures.is_any();
        self.publish_needed_artifacts(missing, others);
        (desired, kept)
    }

    /// Publishes the artifacts to fetch: `missing` ones, then `others` that are only stored.
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

    /// True if the inputs are complete enough to act on. A host without heartbeats of others proves
    /// nothing about them, a process that stalled has not noticed it before its next tick, and half
    /// of a bucket is not the desired state.
    fn can_reconcile(&self, membership: &MembershipSnapshot) -> bool {
        let last_tick = *self.parts.last_tick.borrow();
        let is_stalled = !membership.is_alone && last_tick.elapsed() >= STALL_MIN;
        // The pause follows the bus at the next tick: also a loss and a return between two ticks.
        let is_free = match (membership.pause, &*self.parts.bus.borrow()) {
            (None, Status::Connected { since }) => membership.is_alone || *since <= last_tick,
            (Some(PlacementPause::Unconnected), Status::Disconnected { .. }) => {
                self.started.elapsed() >= STANDALONE_AFTER
            }
            _ => false,
        };
        is_free && !is_stalled && !self.parts.replica.is_reading()
    }

    /// Records this host as the home of the stores that it is the first to have. Homes bind all
    /// later plans.
    async fn record_homes(&mut self, plan: &Plan) {
        if !self.parts.replica.is_bucket_known() {
            return;
        }
        for (store, host) in &plan.homes {
            let replica = &mut self.parts.replica;
            if *host == self.parts.me && replica.take_home(store.clone(), host.clone()) {
                tracing::info!(%store, "this host is the home of a store");
            }
        }
        self.needs_retry |= self.refill().await;
    }

    /// Writes records to the bucket that it has lost. Returns whether some may be left.
    async fn refill(&mut self) -> bool {
        let refills = self.parts.replica.refills(REFILLS_MAX);
        let is_left = !refills.is_empty();
        for refill in refills {
            let (key, value) = (&refill.key, refill.value.clone());
            match self.parts.records.put(key, value, refill.expected).await {
                Ok(revision) => {
                    tracing::info!(%key, "wrote a missing record to the desired-state bucket");
                    self.parts.replica.refilled(refill, revision);
                }
                // Another host was faster, or the bucket is unavailable: the watch reports either.
                Err(error) => {
                    let error = chain(&error);
                    tracing::debug!(error, %key, "a missing record was not written to the bucket");
                }
            }
        }
        is_left
    }

    /// Writes the replica to disk and publishes it.
    async fn save_replica(&mut self) {
        let replica = &self.parts.replica;
        let saved = self.parts.replica_file.save(replica).await;
        if let Err(error) = &saved {
            tracing::error!(
                error,
                "cannot write the desired state to disk; this host continues in memory"
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
            (HostCondition::BucketUnavailable, is_bucket_unavailable),
            (HostCondition::DiskFailed, has_disk_failed),
            (HostCondition::ArtifactsMissing, are_artifacts_missing),
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

/// Waits until a future is done; for ever without one.
async fn done(future: &mut Option<BoxFuture<'static, ()>>) {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
