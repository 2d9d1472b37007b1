//! The task that compiles for failover: the components that would move here if any one other host
//! left, or all hosts of any one cloud. Then taking over costs no compilation.
//!
//! An app is compiled as if all of that happened at once. If only some of its components come, they
//! are linked differently, and code that is missing in the cache is compiled then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use weft_lattice_config::placement::{self, ComponentId, HostId};
use weft_lattice_config::{AppName, ComponentName, Digest, LabelName};
use weft_link::LocalComponents;
use weft_state::artifacts::Artifacts;
use weft_state::blocking;
use weft_state::desired::DesiredReplica;
use weft_state::store::{Deployed, Record};
use weft_telemetry::chain;

use crate::artifact_fetcher::LocalArtifacts;
use crate::controller::{Controller, Snapshot};
use crate::membership_task::MembershipSnapshot;
use crate::runtime::{Purpose, Runtime};

/// The label whose hosts may be lost together.
const FAILURE_DOMAIN_LABEL: &str = "cloud";

/// The pause after a change: changes that come together are planned once.
const QUIET_PERIOD: Duration = Duration::from_secs(1);

/// The most components that are compiled for failover. Beyond it the loss of a host costs
/// compilations, but preparing for it does not cost the whole machine.
const COMPONENTS_MAX: usize = 256;

/// The most bytes of artifacts that are compiled for failover; machine code is some four times as
/// large.
const BYTES_MAX: u64 = 256 << 20;

pub(super) struct Precompiler {
    pub(super) me: HostId,
    pub(super) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    pub(super) replica: watch::Receiver<Arc<DesiredReplica>>,
    pub(super) local_artifacts: watch::Receiver<LocalArtifacts>,
    pub(super) controller: Controller,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) artifacts: Artifacts,
    pub(super) local_stores: Arc<BTreeSet<String>>,
}

/// A share of an app to compile.
struct PrecompileTask {
    deployed: Deployed,
    share: LocalComponents,
}

/// A revision and share.
type Target = (u64, LocalComponents);

/// The shares that were compiled, and that are being compiled: all at once, because the runtime
/// orders them, and one that takes long must not hold up the others.
#[derive(Default)]
struct Progress {
    /// By app, even if the compilation failed.
    done: BTreeMap<AppName, Target>,
    compiling: BTreeMap<AppName, (Target, CancellationToken)>,
    /// The compilations; each ends with its app, and `None` if it was superseded.
    ends: FuturesUnordered<BoxFuture<'static, Option<(AppName, Target)>>>,
}

impl Precompiler {
    /// Compiles until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut progress = Progress::default();
        let mut due: Option<Instant> = None;
        loop {
            let next_round = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let is_changed = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = next_round => {
                    due = None;
                    self.round(&mut progress).await;
                    false
                }
                Some(end) = progress.ends.next() => {
                    progress.end(end);
                    false
                }
                Ok(()) = self.membership.changed() => true,
                Ok(()) = self.replica.changed() => true,
                Ok(()) = self.local_artifacts.changed() => true,
            };
            if is_changed {
                due.get_or_insert_with(|| Instant::now() + QUIET_PERIOD);
            }
        }
    }

    /// Begins what is to be compiled, and drops what is not any more.
    async fn round(&mut self, progress: &mut Progress) {
        let membership = self.membership.borrow_and_update().clone();
        let replica = self.replica.borrow_and_update().clone();
        // Without a view of other hosts their loss cannot be planned for.
        if membership.pause.is_some() {
            return;
        }
        let (me, local_stores) = (self.me.clone(), self.local_stores.clone());
        let snapshot = self.controller.snapshot();
        let local_artifacts = self.local_artifacts.borrow_and_update().digests.clone();
        let artifacts = self.artifacts.clone();
        let planned = blocking::run(move || {
            let components = components(&replica, &membership, &local_stores, &me);
            within_limits(
                tasks(&replica, &components, &snapshot, &local_artifacts),
                &artifacts,
            )
        });
        let Ok(tasks) = planned.await else { return };
        progress.retain(&tasks);
        for task in tasks {
            progress.begin(task, &self.runtime);
        }
    }
}

impl Progress {
    /// Drops the compilations of other shares than these.
    fn retain(&mut self, tasks: &[PrecompileTask]) {
        self.compiling.retain(|app, (target, superseded)| {
            let mut tasks = tasks.iter();
            let is_planned = tasks.any(|task| task.app() == app && task.target() == *target);
            if !is_planned {
                superseded.cancel();
            }
            is_planned
        });
    }

    /// Begins to compile a share, unless it is compiled already.
    fn begin(&mut self, task: PrecompileTask, runtime: &Arc<dyn Runtime>) {
        let (app, target) = (task.app().clone(), task.target());
        if self.done.get(&app) == Some(&target) || self.compiling.contains_key(&app) {
            return;
        }
        let superseded = CancellationToken::new();
        let compiling = (target.clone(), superseded.clone());
        self.compiling.insert(app.clone(), compiling);
        let runtime = runtime.clone();
        self.ends.push(Box::pin(async move {
            let PrecompileTask { deployed, share } = task;
            let preparing = runtime.prepare(&deployed.app, &share, Purpose::Ahead);
            let prepared = superseded.run_until_cancelled(preparing).await?;
            match prepared.map(drop) {
                Ok(()) => tracing::debug!(%app, "compiled an app for failover"),
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(%app, error, "cannot compile an app for failover");
                }
            }
            Some((app, target))
        }));
    }

    fn end(&mut self, end: Option<(AppName, Target)>) {
        let Some((app, target)) = end else { return };
        let compiling = self.compiling.get(&app);
        if compiling.is_some_and(|(compiling, _)| *compiling == target) {
            self.compiling.remove(&app);
        }
        self.done.insert(app, target);
    }
}

impl PrecompileTask {
    fn app(&self) -> &AppName {
        &self.deployed.app.metadata.name
    }

    fn target(&self) -> Target {
        (self.deployed.revision, self.share.clone())
    }
}

fn components(
    replica: &DesiredReplica,
    membership: &MembershipSnapshot,
    local_stores: &BTreeSet<String>,
    me: &HostId,
) -> BTreeSet<ComponentId> {
    let Ok(label) = FAILURE_DOMAIN_LABEL.parse::<LabelName>() else {
        return BTreeSet::new();
    };
    replica.with_input(&membership.view, local_stores, |input| {
        placement::standby_components(input, me, &label)
    })
}

/// The shares to compile, with the components that run here now, for apps whose artifacts are all
/// on disk.
fn tasks(
    replica: &DesiredReplica,
    components: &BTreeSet<ComponentId>,
    snapshot: &Snapshot,
    local_artifacts: &BTreeSet<Digest>,
) -> Vec<PrecompileTask> {
    let apps: BTreeSet<_> = components.iter().map(|component| &component.app).collect();
    let tasks = apps.into_iter().filter_map(|app| {
        let Record::Deployed(deployed) = &**replica.apps().get(app)? else {
            return None;
        };
        let is_complete = deployed
            .app
            .digests()
            .all(|digest| local_artifacts.contains(digest));
        is_complete.then_some(())?;
        // A manifest may list its components in another order than the revision before it.
        let runs = snapshot.apps.get(app.as_str());
        let runs = |name: &ComponentName| {
            runs.is_some_and(|runs| {
                let mut specs = runs.deployed.app.spec.components.iter();
                let index = specs.position(|spec| spec.name == *name);
                index.is_some_and(|index| runs.share.has(index))
            })
        };
        let specs = deployed.app.spec.components.iter().enumerate();
        let share = specs.filter(|(_, spec)| {
            let id = ComponentId {
                app: app.clone(),
                component: spec.name.clone(),
            };
            components.contains(&id) || runs(&spec.name)
        });
        Some(PrecompileTask {
            share: LocalComponents::Part(share.map(|(index, _)| index).collect()),
            deployed: deployed.clone(),
        })
    });
    tasks.collect()
}

/// The first tasks, up to the limits.
fn within_limits(tasks: Vec<PrecompileTask>, artifacts: &Artifacts) -> Vec<PrecompileTask> {
    let (mut components, mut bytes) = (0, 0);
    let mut fits = |task: &PrecompileTask| {
        components += task.deployed.app.spec.components.len();
        let digests = task.deployed.app.digests();
        let sizes = digests.filter_map(|digest| artifacts.part(digest, 0, 0).ok().flatten());
        bytes += sizes.map(|(size, _)| size).sum::<u64>();
        components <= COMPONENTS_MAX && bytes <= BYTES_MAX
    };
    tasks.into_iter().take_while(|task| fits(task)).collect()
}
