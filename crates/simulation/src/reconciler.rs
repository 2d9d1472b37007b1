//! The reconciler of a process: the replica of `weft-state`, driven like in the `reconciler` of
//! `weft-node`, without its tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt as _;
use weft_lattice_config::placement::{self, ComponentId, Input, Plan};
use weft_lattice_config::{App, AppName, ComponentName};
use weft_membership::message::{Holding, Readiness};
use weft_membership::{HostView, View};
use weft_state::desired::record_codec::{self, Said, app_key};
use weft_state::desired::{DesiredReplica, Key, Records, Watched};
use weft_state::store::{Deployed, Record};

use crate::mutations::Mutation;

/// The most records written to a damaged bucket per reconciliation; as in the `reconciler` of
/// `weft-node`.
const REFILLS_MAX: usize = 64;

/// The desired state as one process has it.
#[derive(Debug)]
pub(crate) struct Reconciler {
    pub(crate) replica: DesiredReplica,
    /// Something is left to do.
    pub(crate) is_behind: bool,
    /// The keys that the bucket has sent since it began, for [`Mutation::DeletesMissingRecords`].
    bucket_keys: BTreeSet<Key>,
}

/// The components of an app that a host is to run; empty for a removed app.
#[derive(Clone, Debug)]
pub(crate) struct AppStep {
    pub(crate) app: AppName,
    pub(crate) record: Arc<Record>,
    pub(crate) share: BTreeSet<ComponentName>,
}

impl Reconciler {
    /// A process with the records that its host has on disk.
    pub(crate) fn new(disk: &BTreeMap<AppName, Arc<Record>>) -> Self {
        let apps = disk.iter();
        let apps = apps.map(|(app, record)| (app.clone(), Record::clone(record)));
        Self {
            replica: DesiredReplica::new(apps, []),
            is_behind: true,
            bucket_keys: BTreeSet::new(),
        }
    }

    /// Applies an event of the watch of the bucket.
    pub(crate) fn observe(&mut self, event: Watched, mutation: Option<Mutation>) {
        match &event {
            Watched::Begins => self.bucket_keys.clear(),
            Watched::Record { key, .. } => drop(self.bucket_keys.insert(key.clone())),
            Watched::Complete if mutation == Some(Mutation::DeletesMissingRecords) => {
                let apps = self.replica.apps().iter();
                let is_in_bucket =
                    |app: &AppName| app_key(app).is_ok_and(|key| self.bucket_keys.contains(&key));
                let apps = apps.filter(|(app, _)| is_in_bucket(app));
                let apps: Vec<_> = apps
                    .map(|(app, record)| (app.clone(), Record::clone(record)))
                    .collect();
                self.replica = DesiredReplica::new(apps, []);
            }
            Watched::Complete | Watched::Erased { .. } | Watched::Away => {}
        }
        // The returned notice is for a log.
        let _ = self.replica.see(event);
        self.is_behind = true;
    }

    /// Writes the records that the bucket has lost, and returns their keys.
    pub(crate) fn refill(&mut self, records: &Records) -> Vec<Key> {
        let mut written = Vec::new();
        let refills = self.replica.refills(REFILLS_MAX);
        self.is_behind |= !refills.is_empty();
        for refill in refills {
            let put = records.put(&refill.key, refill.value.clone(), refill.expected);
            // In memory, the write completes at once. If it fails, the watch reports the reason.
            if let Some(Ok(revision)) = put.now_or_never() {
                written.push(refill.key.clone());
                self.replica.refilled(refill, revision);
            }
        }
        written
    }

    /// The plan of this host, and the hosts it was made for.
    pub(crate) fn plan(
        &self,
        view: &View,
        mutation: Option<Mutation>,
    ) -> (Plan, Vec<placement::Host>) {
        self.replica.with_input(view, &BTreeSet::new(), |input| {
            let plan = match mutation {
                Some(Mutation::IgnoresRequirements) => plan_without_requirements(input),
                _ => placement::plan(input),
            };
            (plan, input.hosts.to_vec())
        })
    }
}

fn plan_without_requirements(input: &Input<'_>) -> Plan {
    let apps = input.apps.iter().map(|desired| {
        let mut app = desired.app.clone();
        for component in &mut app.spec.components {
            component.placement.require.clear();
        }
        (app, desired.since)
    });
    let apps: Vec<(App, u64)> = apps.collect();
    let apps = apps.iter();
    let apps: Vec<_> = apps
        .map(|(app, since)| placement::Desired { app, since: *since })
        .collect();
    placement::plan(&Input {
        apps: &apps,
        ..*input
    })
}

// === records and views ===

/// The deployed app of a record; `None` for a removal.
pub(crate) fn deployed(record: &Record) -> Option<&Deployed> {
    match record {
        Record::Deployed(deployed) => Some(deployed),
        Record::Removed { .. } => None,
    }
}

/// Returns whether a host is alive in the view and has a component ready, at this revision or a
/// later one.
pub(crate) fn has_ready(host: &HostView, id: &ComponentId, revision: u64) -> bool {
    let is_ready_holding = |holding: &Holding| {
        holding.component == *id
            && holding.revision.0 >= revision
            && holding.readiness == Readiness::Ready
    };
    let contents = host.contents.as_ref();
    host.is_alive()
        && contents.is_some_and(|contents| contents.components.iter().any(is_ready_holding))
}

pub(crate) fn component_id(app: &App, component: &ComponentName) -> ComponentId {
    ComponentId {
        app: app.metadata.name.clone(),
        component: component.clone(),
    }
}

/// The app's record in a record of the bucket.
pub(crate) fn app_record(key: &Key, value: &[u8]) -> Option<Record> {
    match record_codec::decode(key, value) {
        Said::App(_, record) => Some(record),
        Said::Home(..) | Said::Unknown(_) => None,
    }
}
