//! The task that makes this host's share of the desired state what runs here.
//!
//! It knows what is wanted from the host's own copy and from the lattice's bucket, and who is there from
//! [`members`](super::members). From both it makes the plan that every other host makes too, and has its own
//! share of it run. The bucket is obeyed in what it says, never in what it does not: a record that is older
//! than the copy, or not there, is written anew from the copy.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use weft_lattice::artifacts::Artifacts;
use weft_lattice::desired::{HostCopy, Notice, Watch, Watched};
use weft_lattice::membership::Freeze;
use weft_lattice::store::{Deployed, Record};
use weft_lattice_config::placement::{self, HostId, Plan};
use weft_lattice_config::{App, AppName, Source};

use super::desired::Desired;
use super::members::Known;
use super::share::{self, Leaving};
use super::telling::Telling;
use crate::controller::{Controller, Wanted};
use crate::entry::chain;
use crate::events::Events;
use crate::linking::Share;

/// How often what could not be done is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How long a host that finds no bus waits before it serves alone from its own copy.
const ALONE_AFTER: Duration = Duration::from_secs(3);

/// How many records are written to a bucket that lost them before it is listened to again: other hosts write
/// them too, and what one has written is nothing to do for the rest.
const REFILLS_MAX: usize = 64;

/// What the task is given.
pub(super) struct Parts {
    pub(super) desired: Desired,
    pub(super) known: watch::Receiver<Arc<Known>>,
    pub(super) me: HostId,
    pub(super) controller: Controller,
    pub(super) artifacts: Artifacts,
    /// What the host's own copy says.
    pub(super) copy: Vec<(AppName, Record)>,
    /// The types of providers that keep what they store on the host that runs them.
    pub(super) local_stores: Arc<BTreeSet<String>>,
    pub(super) events: Events,
}

pub(super) struct Following {
    desired: Desired,
    known: watch::Receiver<Arc<Known>>,
    me: HostId,
    controller: Controller,
    artifacts: Artifacts,
    started: Instant,
    copy: HostCopy,
    /// Whether something is to be done again.
    is_behind: bool,
    local_stores: Arc<BTreeSet<String>>,
    telling: Telling,
    leaving: Leaving,
}

impl Following {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            desired: parts.desired,
            known: parts.known,
            me: parts.me,
            controller: parts.controller,
            artifacts: parts.artifacts,
            started: Instant::now(),
            telling: Telling::new(parts.events),
            leaving: Leaving::default(),
            copy: HostCopy::new(parts.copy, []),
            is_behind: true,
            local_stores: parts.local_stores,
        }
    }

    /// What is wanted, as far as it was heard, now and later.
    pub(super) fn followed(&self) -> watch::Receiver<Arc<HostCopy>> {
        self.telling.followed()
    }

    /// Follows until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut watch = self.desired.records.watch();
        let mut retry = interval(RETRY_EVERY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                seen = watch.next() => match seen {
                    Some(seen) => {
                        self.see(seen);
                        self.see_all_that_waits(&mut watch).await;
                        self.reconcile().await;
                    }
                    None => return,
                },
                Ok(()) = self.known.changed() => self.reconcile().await,
                _ = retry.tick() => if self.is_behind { self.reconcile().await },
            }
        }
    }

    /// A lattice with many apps is planned once for all that came together.
    async fn see_all_that_waits(&mut self, watch: &mut Watch) {
        while let Ok(Some(seen)) = tokio::time::timeout(Duration::ZERO, watch.next()).await {
            self.see(seen);
        }
    }

    fn see(&mut self, seen: Watched) {
        match self.copy.see(seen) {
            None => {}
            Some(Notice::Erased(key)) => {
                // What is erased is not removed: removal is a record.
                tracing::warn!(%key, "a record of the desired state was erased");
            }
            Some(Notice::NotUnderstood { key, reason }) => {
                tracing::error!(%key, reason, "a record of the desired state is not understood");
            }
            Some(Notice::Away) => tracing::info!(
                "the store of the desired state is away; this host goes on with its copy"
            ),
        }
        self.is_behind = true;
    }

    /// Makes what runs here what is wanted here, as far as it is known.
    async fn reconcile(&mut self) {
        let known = self.known.borrow_and_update().clone();
        self.telling.tell_copy(&self.copy);
        self.is_behind = self.refill().await;
        if !self.may_act(known.freeze) {
            self.is_behind = true;
            return;
        }
        let view = &known.view;
        let plan = self
            .copy
            .with_input(view, &self.local_stores, placement::plan);
        self.settle(&plan).await;
        self.telling.tell_plan(view, &plan);
        self.leaving.retain(&plan.assignments);
        let snapshot = self.controller.snapshot();
        let mut wanted = Vec::new();
        for (app, record) in self.copy.apps() {
            let running = snapshot.apps.get(app.as_str());
            let share = match &**record {
                Record::Deployed(deployed) => {
                    if !fetch(&self.desired, &self.artifacts, deployed).await {
                        self.is_behind = true;
                        continue;
                    }
                    let runs = running.map(|it| (&it.deployed.app, &it.share));
                    let leaving = (&mut self.leaving, Instant::now());
                    share::of_app(deployed, &self.me, &plan.assignments, runs, view, leaving)
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
        if let Err(error) = self.controller.follow(wanted).await {
            tracing::debug!(error = chain(&error), "the host is stopping");
        }
    }

    /// Whether what is known may be acted upon. A host that hears nobody proves nothing about them, and half
    /// of a bucket is not what is wanted.
    fn may_act(&self, freeze: Option<Freeze>) -> bool {
        let is_free = match freeze {
            None => true,
            Some(Freeze::Unconnected) => self.started.elapsed() >= ALONE_AFTER,
            Some(Freeze::Joining | Freeze::Away | Freeze::Returning) => false,
        };
        is_free && !self.copy.is_reading()
    }

    /// Records the stores that this host is the first to have: they bind all later plans.
    async fn settle(&mut self, plan: &Plan) {
        if !self.copy.is_bucket_known() {
            return;
        }
        for (store, host) in &plan.homes {
            if *host == self.me && self.copy.take_home(store.clone(), host.clone()) {
                tracing::info!(%store, "this host is where a store is");
            }
        }
        self.is_behind |= self.refill().await;
    }

    /// Writes to the bucket what this host knows and the bucket has lost. Says whether something is left.
    async fn refill(&mut self) -> bool {
        let refills = self.copy.refills(REFILLS_MAX);
        let is_left = !refills.is_empty();
        for refill in refills {
            let (key, value) = (&refill.key, refill.value.clone());
            match self.desired.records.put(key, value, refill.expected).await {
                Ok(revision) => {
                    tracing::info!(%key, "wrote what the bucket of the desired state lacked");
                    self.copy.refilled(refill, revision);
                }
                // Another host was faster, or the store is away: the watch will tell.
                Err(error) => {
                    tracing::debug!(error = chain(&error), %key, "the bucket was not refilled");
                }
            }
        }
        is_left
    }
}

/// Sees to it that the bytes of an app's components are here. Says whether they are.
async fn fetch(desired: &Desired, artifacts: &Artifacts, deployed: &Deployed) -> bool {
    let mut is_complete = true;
    for digest in digests(&deployed.app) {
        if artifacts.contains(digest) {
            continue;
        }
        let fetched = match desired.objects.get(digest).await {
            Ok(bytes) => {
                let (artifacts, digest) = (artifacts.clone(), digest.clone());
                let kept = move || {
                    artifacts
                        .put(&digest, &bytes)
                        .map_err(|error| chain(&error))
                };
                let kept = tokio::task::spawn_blocking(kept).await;
                kept.unwrap_or_else(|_| Err("the host is stopping".to_owned()))
            }
            Err(error) => Err(chain(&error)),
        };
        if let Err(error) = fetched {
            let app = &deployed.app.metadata.name;
            tracing::warn!(%app, error, "the bytes of a component cannot be fetched yet");
            is_complete = false;
        }
    }
    is_complete
}

/// The digests of an app's components.
pub(super) fn digests(app: &App) -> impl Iterator<Item = &weft_lattice_config::Digest> {
    let components = app.spec.components.iter();
    components.filter_map(|component| match &component.source {
        Source::Digest(digest) => Some(digest),
        Source::File(_) => None,
    })
}
