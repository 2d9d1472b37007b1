//! The task that makes this host's share of the desired state what runs here.
//!
//! It knows what is wanted from the host's own copy and from the lattice's bucket, and who is there from
//! [`members`](super::members). From both it makes the plan that every other host makes too, and has its own
//! share of it run. The bucket is obeyed in what it says, never in what it does not: a record that is older
//! than the copy, or not there, is written anew from the copy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use weft_lattice::artifacts::Artifacts;
use weft_lattice::desired::{Key, Revision, Watch, Watched};
use weft_lattice::membership::{Freeze, HostView};
use weft_lattice::store::{Deployed, Record};
use weft_lattice_config::placement::{self, HostId, Input, Plan, StoreId};
use weft_lattice_config::{App, AppName, Labels, Source};

use super::desired::{Desired, Said, app_key, decode, encode, home_key};
use super::members::Known;
use super::share;
use crate::controller::{Controller, Wanted};
use crate::entry::chain;
use crate::linking::Share;

/// How often what could not be done is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How long a host that finds no bus waits before it serves alone from its own copy.
const ALONE_AFTER: Duration = Duration::from_secs(3);

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
    pub(super) local_stores: BTreeSet<String>,
}

pub(super) struct Following {
    desired: Desired,
    known: watch::Receiver<Arc<Known>>,
    me: HostId,
    controller: Controller,
    artifacts: Artifacts,
    started: Instant,
    wanted: BTreeMap<AppName, Record>,
    homes: BTreeMap<StoreId, HostId>,
    /// What the bucket has of each app.
    bucket: BTreeMap<AppName, (Revision, u64)>,
    /// Whether all of the bucket was heard since it was last away.
    is_bucket_known: bool,
    /// Whether something is to be done again.
    is_behind: bool,
    local_stores: BTreeSet<String>,
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
            wanted: parts.copy.into_iter().collect(),
            homes: BTreeMap::new(),
            bucket: BTreeMap::new(),
            is_bucket_known: false,
            is_behind: true,
            local_stores: parts.local_stores,
        }
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
        match seen {
            Watched::Begins => {
                self.bucket.clear();
                self.is_bucket_known = false;
            }
            Watched::Record { key, record } => self.take(&key, record.revision, &record.value),
            Watched::Erased { key } => {
                // What is erased is not removed: removal is a record. It is written anew.
                if let Some(app) = app_of(&key) {
                    self.bucket.remove(&app);
                }
                tracing::warn!(?key, "a record of the desired state was erased");
            }
            Watched::Complete => self.is_bucket_known = true,
            Watched::Away => {
                self.is_bucket_known = false;
                tracing::info!(
                    "the store of the desired state is away; this host goes on with its copy"
                );
            }
        }
        self.is_behind = true;
    }

    fn take(&mut self, key: &Key, revision: Revision, value: &[u8]) {
        match decode(key, value) {
            Said::App(app, record) => {
                self.bucket
                    .insert(app.clone(), (revision, record.revision()));
                let is_newer = self
                    .wanted
                    .get(&app)
                    .is_none_or(|known| known.revision() < record.revision());
                if is_newer {
                    self.wanted.insert(app, record);
                }
            }
            Said::Home(store, host) => drop(self.homes.insert(store, host)),
            Said::Unknown(reason) => {
                tracing::error!(reason, "a record of the desired state is not understood");
            }
        }
    }

    /// Makes what runs here what is wanted here, as far as it is known.
    async fn reconcile(&mut self) {
        let known = self.known.borrow_and_update().clone();
        self.refill().await;
        if !self.may_act(known.freeze) {
            return;
        }
        self.is_behind = false;
        let plan = self.plan(&known);
        self.settle(&plan).await;
        let snapshot = self.controller.snapshot();
        let mut wanted = Vec::new();
        for (app, record) in &self.wanted {
            let running = snapshot.apps.get(app.as_str());
            let share = match record {
                Record::Deployed(deployed) => {
                    if !fetch(&self.desired, &self.artifacts, deployed).await {
                        self.is_behind = true;
                        continue;
                    }
                    let runs = running.map(|running| running.share.clone());
                    let runs = runs.unwrap_or(Share::Part(BTreeSet::new()));
                    share::of_app(deployed, &self.me, &plan.assignments, &runs, &known.view)
                }
                Record::Removed { .. } => Share::Part(BTreeSet::new()),
            };
            wanted.push(Wanted {
                app: app.clone(),
                record: record.clone(),
                share,
            });
        }
        if let Err(error) = self.controller.follow(wanted).await {
            tracing::debug!(error = chain(&error), "the host is stopping");
        }
    }

    /// Whether what is known of others may be acted upon. A host that hears nobody proves nothing about them.
    fn may_act(&self, freeze: Option<Freeze>) -> bool {
        match freeze {
            None => true,
            Some(Freeze::Unconnected) => self.started.elapsed() >= ALONE_AFTER,
            Some(Freeze::Joining | Freeze::Away | Freeze::Returning) => false,
        }
    }

    fn plan(&self, known: &Known) -> Plan {
        let apps: Vec<_> = self
            .wanted
            .values()
            .filter_map(|record| match record {
                Record::Deployed(deployed) => Some(placement::Desired {
                    app: &deployed.app,
                    since: deployed.changed_at_ms,
                }),
                Record::Removed { .. } => None,
            })
            .collect();
        let hosts: Vec<_> = known.view.hosts().filter_map(host).collect();
        placement::plan(&Input {
            apps: &apps,
            hosts: &hosts,
            demand: &BTreeMap::new(),
            local_stores: &self.local_stores,
            homes: &self.homes,
        })
    }

    /// Records the stores that this host is the first to have: they bind all later plans.
    async fn settle(&mut self, plan: &Plan) {
        for (store, host) in &plan.homes {
            if *host != self.me || self.homes.contains_key(store) || !self.is_bucket_known {
                continue;
            }
            let Ok(key) = home_key(store) else { continue };
            let value = host.as_str().to_owned().into();
            let put = self.desired.records.put(&key, value, Revision::NONE).await;
            if let Err(error) = put {
                self.is_behind = true;
                tracing::debug!(error = chain(&error), %store, "where a store is was not recorded");
            }
        }
    }

    /// Writes to the bucket what this host knows and the bucket has lost.
    async fn refill(&mut self) {
        if !self.is_bucket_known {
            return;
        }
        for (app, record) in &self.wanted {
            let (revision, counted) = match self.bucket.get(app) {
                Some(known) => *known,
                None => (Revision::NONE, 0),
            };
            if counted >= record.revision() {
                continue;
            }
            let (Ok(key), Ok(value)) = (app_key(app), encode(record)) else {
                continue;
            };
            match self.desired.records.put(&key, value, revision).await {
                Ok(revision) => {
                    self.bucket
                        .insert(app.clone(), (revision, record.revision()));
                    tracing::warn!(%app, "the bucket had lost what is wanted; it was written anew");
                }
                // Another host was faster, or the store is away: the watch will tell.
                Err(error) => {
                    tracing::debug!(error = chain(&error), %app, "the bucket was not refilled");
                }
            }
        }
    }
}

/// A host as placement sees it; none for one that does not count.
fn host(host: &HostView) -> Option<placement::Host> {
    let state = if host.is_draining() {
        placement::HostState::Draining
    } else if host.is_placeable() {
        placement::HostState::Ready
    } else {
        return None;
    };
    let contents = host.contents.as_ref();
    let labels = contents.map(|contents| {
        let labels = contents.labels.iter();
        // What is no label of a manifest cannot be asked for by one.
        let labels =
            labels.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
        labels.collect::<Labels>()
    });
    Some(placement::Host {
        id: host.id.to_string().parse().ok()?,
        labels: labels.unwrap_or_default(),
        capacity: contents.and_then(|contents| contents.capacity),
        state,
    })
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

fn app_of(key: &Key) -> Option<AppName> {
    let names: Vec<_> = key.names().collect();
    match &names[..] {
        [_, app] if app_key(&app.parse().ok()?).ok()? == *key => app.parse().ok(),
        _ => None,
    }
}
