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
use weft_membership::Freeze;
use weft_membership::message::HostCondition;
use weft_state::desired::record_codec::Said;
use weft_state::desired::{DesiredReplica, Notice, Records, Watch, Watched};
use weft_state::store::Record;

use crate::artifact_fetcher::Here;
use crate::controller::{Controller, Wanted};
use crate::event_reporter::Telling;
use crate::local_assignment::{self, Leaving};
use crate::membership_task::Known;
use crate::replica_file::Kept;
use weft_link::Share;
use weft_telemetry::chain;
use weft_telemetry::events::Events;

/// How often what could not be done is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How long a host that finds no bus waits before it serves alone from its own copy.
const ALONE_AFTER: Duration = Duration::from_secs(3);

/// How many records are written to a bucket that lost them before it is listened to again: other hosts write
/// them too, and what one has written is nothing to do for the rest.
const REFILLS_MAX: usize = 64;

/// How long bytes may be on their way before others are told that they are missing.
const LACKING_AFTER: Duration = Duration::from_secs(3);

/// What the task is given.
pub(super) struct Parts {
    pub(super) records: Records,
    pub(super) known: watch::Receiver<Arc<Known>>,
    pub(super) me: HostId,
    pub(super) controller: Controller,
    pub(super) kept: Kept,
    /// What is kept, as it was read.
    pub(super) copy: DesiredReplica,
    /// The types of providers that keep what they store on the host that runs them.
    pub(super) local_stores: Arc<BTreeSet<String>>,
    pub(super) events: Events,
    /// What peers say.
    pub(super) learned: mpsc::Receiver<Said>,
    /// The bytes of components that are here.
    pub(super) here: watch::Receiver<Here>,
    pub(super) told: Told,
}

/// What the task tells others.
pub(super) struct Told {
    /// What is wanted, as far as this host knows.
    pub(super) copy: watch::Sender<Arc<DesiredReplica>>,
    /// Whether the store of the desired state is away.
    pub(super) store_away: watch::Sender<bool>,
    /// The bytes that this host needs, the most urgent first.
    pub(super) wanted: watch::Sender<Arc<Vec<Digest>>>,
    /// What is wrong.
    pub(super) troubles: watch::Sender<BTreeSet<HostCondition>>,
}

pub(super) struct Following {
    parts: Parts,
    started: Instant,
    /// Whether something is to be done again.
    is_behind: bool,
    /// Whether the disk did not take the copy.
    disk_refuses: bool,
    /// Since when bytes are missing.
    lacks_bytes: Option<Instant>,
    telling: Telling,
    leaving: Leaving,
}

impl Following {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            telling: Telling::new(parts.events.clone()),
            leaving: Leaving::default(),
            parts,
            started: Instant::now(),
            is_behind: true,
            disk_refuses: false,
            lacks_bytes: None,
        }
    }

    /// The bytes that are to be got, now and later.
    pub(super) fn wanted_bytes(&self) -> watch::Receiver<Arc<Vec<Digest>>> {
        self.parts.told.wanted.subscribe()
    }

    /// Follows until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut watch = self.parts.records.watch();
        let mut retry = interval(RETRY_EVERY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                seen = watch.next() => match seen {
                    Some(seen) => {
                        self.see(seen);
                        self.see_all_that_waits(&mut watch).await;
                    }
                    None => return,
                },
                Some(said) = self.parts.learned.recv() => {
                    self.learn(said);
                    while let Ok(said) = self.parts.learned.try_recv() {
                        self.learn(said);
                    }
                }
                Ok(()) = self.parts.known.changed() => {}
                Ok(()) = self.parts.here.changed() => {}
                _ = retry.tick() => if !self.is_behind { continue },
            }
            self.reconcile().await;
            self.tell_troubles();
        }
    }

    /// A lattice with many apps is planned once for all that came together.
    async fn see_all_that_waits(&mut self, watch: &mut Watch) {
        while let Ok(Some(seen)) = tokio::time::timeout(Duration::ZERO, watch.next()).await {
            self.see(seen);
        }
    }

    fn see(&mut self, seen: Watched) {
        let is_complete = seen == Watched::Complete;
        match self.parts.copy.see(seen) {
            None => {}
            Some(Notice::Erased(key)) => {
                // What is erased is not removed: removal is a record.
                tracing::warn!(%key, "a record of the desired state was erased");
            }
            Some(Notice::NotUnderstood { key, reason }) => {
                tracing::error!(%key, reason, "a record of the desired state is not understood");
            }
            Some(Notice::Away) => {
                self.parts.told.store_away.send_replace(true);
                tracing::info!(
                    "the store of the desired state is away; this host goes on with its copy"
                );
            }
        }
        if is_complete {
            self.parts.told.store_away.send_replace(false);
        }
    }

    /// Takes what a peer says.
    fn learn(&mut self, said: Said) {
        let copy = &mut self.parts.copy;
        match said {
            Said::App(app, record) => {
                let revision = record.revision();
                if copy.take_app(app.clone(), record) {
                    tracing::info!(%app, revision, "learned from a peer what is wanted");
                }
            }
            Said::Home(store, host) => drop(copy.take_home(store, host)),
            Said::Unknown(_) => {}
        }
    }

    /// Makes what runs here what is wanted here, as far as it is known.
    async fn reconcile(&mut self) {
        let known = self.parts.known.borrow_and_update().clone();
        self.telling.tell_store(&self.parts.copy);
        self.is_behind = self.refill().await;
        if !self.may_act(known.freeze) {
            self.is_behind = true;
            self.keep().await;
            return;
        }
        let (view, local_stores) = (&known.view, &self.parts.local_stores);
        let plan = self
            .parts
            .copy
            .with_input(view, local_stores, placement::plan);
        self.settle(&plan).await;
        self.telling.tell_plan(&known.view, &plan);
        self.keep().await;
        let wanted = self.wanted(&known, &plan);
        if let Err(error) = self.parts.controller.follow(wanted).await {
            tracing::debug!(error = chain(&error), "the host is stopping");
        }
        // What does not start is tried again, when the controller sees fit.
        self.is_behind |= !self.parts.controller.snapshot().refused.is_empty();
    }

    /// What is to run here. An app whose bytes are not here yet is left as it is.
    fn wanted(&mut self, known: &Known, plan: &Plan) -> Vec<Wanted> {
        self.leaving.retain(&plan.assignments);
        let snapshot = self.parts.controller.snapshot();
        let here = self.parts.here.borrow_and_update().clone();
        let (mut wanted, mut missing, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (app, record) in self.parts.copy.apps() {
            let share = match &**record {
                Record::Deployed(deployed) => {
                    let runs = snapshot.apps.get(app.as_str());
                    let runs = runs.map(|runs| (&runs.deployed.app, &runs.share));
                    let (me, view) = (&self.parts.me, &known.view);
                    let leaving = (&mut self.leaving, Instant::now());
                    let share = local_assignment::of_app(
                        deployed,
                        me,
                        &plan.assignments,
                        runs,
                        view,
                        leaving,
                    );
                    let lacks = digests(&deployed.app);
                    let lacks: Vec<_> = lacks
                        .filter(|digest| !here.digests.contains(*digest))
                        .collect();
                    if !lacks.is_empty() {
                        // What is to run here goes before what is only kept.
                        let is_urgent = share != Share::Part(BTreeSet::new());
                        let list = if is_urgent { &mut missing } else { &mut others };
                        list.extend(lacks.into_iter().cloned());
                        continue;
                    }
                    share
                }
                Record::Removed { .. } => Share::Part(BTreeSet::new()),
            };
            wanted.push(Wanted {
                app: app.clone(),
                record: Record::clone(record),
                share,
            });
        }
        self.is_behind |= self.leaving.is_any();
        self.want_bytes(missing, others);
        wanted
    }

    /// Has the bytes got that are missing, and after them `others`, which are only kept.
    fn want_bytes(&mut self, mut missing: Vec<Digest>, others: Vec<Digest>) {
        self.lacks_bytes = match (missing.is_empty(), self.lacks_bytes) {
            (true, _) => None,
            (false, since) => since.or_else(|| Some(Instant::now())),
        };
        self.is_behind |= self.lacks_bytes.is_some();
        missing.extend(others);
        self.parts.told.wanted.send_if_modified(|wanted| {
            let is_other = **wanted != missing;
            if is_other {
                *wanted = Arc::new(missing);
            }
            is_other
        });
    }

    /// Whether what is known may be acted upon. A host that hears nobody proves nothing about them, and half
    /// of a bucket is not what is wanted.
    fn may_act(&self, freeze: Option<Freeze>) -> bool {
        let is_free = match freeze {
            None => true,
            Some(Freeze::Unconnected) => self.started.elapsed() >= ALONE_AFTER,
            Some(Freeze::Joining | Freeze::Away | Freeze::Returning) => false,
        };
        is_free && !self.parts.copy.is_reading()
    }

    /// Records the stores that this host is the first to have: they bind all later plans.
    async fn settle(&mut self, plan: &Plan) {
        if !self.parts.copy.is_bucket_known() {
            return;
        }
        for (store, host) in &plan.homes {
            let copy = &mut self.parts.copy;
            if *host == self.parts.me && copy.take_home(store.clone(), host.clone()) {
                tracing::info!(%store, "this host is where a store is");
            }
        }
        self.is_behind |= self.refill().await;
    }

    /// Writes to the bucket what this host knows and the bucket has lost. Says whether something is left.
    async fn refill(&mut self) -> bool {
        let refills = self.parts.copy.refills(REFILLS_MAX);
        let is_left = !refills.is_empty();
        for refill in refills {
            let (key, value) = (&refill.key, refill.value.clone());
            match self.parts.records.put(key, value, refill.expected).await {
                Ok(revision) => {
                    tracing::info!(%key, "wrote what the bucket of the desired state lacked");
                    self.parts.copy.refilled(refill, revision);
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
    async fn keep(&mut self) {
        let copy = &self.parts.copy;
        let kept = self.parts.kept.keep(copy).await;
        if let Err(error) = &kept {
            tracing::error!(
                error,
                "the disk does not take the copy of the desired state; this host goes on without it"
            );
            self.is_behind = true;
        }
        self.disk_refuses = kept.is_err();
        self.parts.told.copy.send_if_modified(|told| {
            let is_other = !told.says_the_same(copy);
            if is_other {
                *told = Arc::new(copy.clone());
            }
            is_other
        });
    }

    fn tell_troubles(&self) {
        let is_away = *self.parts.told.store_away.borrow();
        let disk_refuses = self.disk_refuses || self.parts.here.borrow().disk_refuses;
        let lacks_bytes = self.lacks_bytes;
        let lacks_bytes = lacks_bytes.is_some_and(|since| since.elapsed() >= LACKING_AFTER);
        let found = [
            (HostCondition::StoreAway, is_away),
            (HostCondition::Disk, disk_refuses),
            (HostCondition::Bytes, lacks_bytes),
        ];
        let found = found.into_iter().filter(|(_, is_found)| *is_found);
        let found: BTreeSet<_> = found.map(|(trouble, _)| trouble).collect();
        self.parts.told.troubles.send_if_modified(|told| {
            let is_other = *told != found;
            *told = found;
            is_other
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
