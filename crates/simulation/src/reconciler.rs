//! What a process knows of the desired state: `weft_lattice`'s own copy, and what `host::mesh::following` does with
//! it, without its tasks.

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

/// How many records are written to a bucket that lost them before it is listened to again; as in
/// `host::mesh::following`.
const REFILLS_MAX: usize = 64;

/// The desired state as one process has it.
#[derive(Debug)]
pub(crate) struct Reconciler {
    pub(crate) copy: DesiredReplica,
    /// Whether something is to be done again.
    pub(crate) is_behind: bool,
    /// What the bucket has said since it began, for who obeys it too much.
    said: BTreeSet<Key>,
}

/// What a host is to run of an app, and of what else it knows.
#[derive(Clone, Debug)]
pub(crate) struct AppStep {
    pub(crate) app: AppName,
    pub(crate) record: Arc<Record>,
    pub(crate) share: BTreeSet<ComponentName>,
}

impl Reconciler {
    /// A process that has what its host has on disk.
    pub(crate) fn new(disk: &BTreeMap<AppName, Arc<Record>>) -> Self {
        let apps = disk.iter();
        let apps = apps.map(|(app, record)| (app.clone(), Record::clone(record)));
        Self {
            copy: DesiredReplica::new(apps, []),
            is_behind: true,
            said: BTreeSet::new(),
        }
    }

    /// Takes what a watch of the bucket saw.
    pub(crate) fn see(&mut self, seen: Watched, mutation: Option<Mutation>) {
        match &seen {
            Watched::Begins => self.said.clear(),
            Watched::Record { key, .. } => drop(self.said.insert(key.clone())),
            Watched::Complete if mutation == Some(Mutation::DeletesMissingRecords) => {
                let apps = self.copy.apps().iter();
                let is_said =
                    |app: &AppName| app_key(app).is_ok_and(|key| self.said.contains(&key));
                let apps = apps.filter(|(app, _)| is_said(app));
                let apps: Vec<_> = apps
                    .map(|(app, record)| (app.clone(), Record::clone(record)))
                    .collect();
                self.copy = DesiredReplica::new(apps, []);
            }
            Watched::Complete | Watched::Erased { .. } | Watched::Away => {}
        }
        // What it notices is for a log.
        let _ = self.copy.see(seen);
        self.is_behind = true;
    }

    /// Writes to the bucket what this host knows and the bucket has lost, and returns what it wrote.
    pub(crate) fn refill(&mut self, records: &Records) -> Vec<Key> {
        let mut written = Vec::new();
        let refills = self.copy.refills(REFILLS_MAX);
        self.is_behind |= !refills.is_empty();
        for refill in refills {
            let put = records.put(&refill.key, refill.value.clone(), refill.expected);
            // In memory, the store answers at once. Where it does not take it, the watch will tell why.
            if let Some(Ok(revision)) = put.now_or_never() {
                written.push(refill.key.clone());
                self.copy.refilled(refill, revision);
            }
        }
        written
    }

    /// The plan by what this host knows, and the hosts that it was made for.
    pub(crate) fn plan(
        &self,
        view: &View,
        mutation: Option<Mutation>,
    ) -> (Plan, Vec<placement::Host>) {
        self.copy.with_input(view, &BTreeSet::new(), |input| {
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

// === records and views, as they are looked at ===

/// What is wanted of an app, if it is.
pub(crate) fn deployed(record: &Record) -> Option<&Deployed> {
    match record {
        Record::Deployed(deployed) => Some(deployed),
        Record::Removed { .. } => None,
    }
}

/// Whether a host is seen to live and to have a component ready, in this revision or a later one.
pub(crate) fn has_ready(host: &HostView, id: &ComponentId, revision: u64) -> bool {
    let is_it = |holding: &Holding| {
        holding.component == *id
            && holding.revision.0 >= revision
            && holding.readiness == Readiness::Ready
    };
    let contents = host.contents.as_ref();
    host.is_alive() && contents.is_some_and(|contents| contents.components.iter().any(is_it))
}

pub(crate) fn component_id(app: &App, component: &ComponentName) -> ComponentId {
    ComponentId {
        app: app.metadata.name.clone(),
        component: component.clone(),
    }
}

/// What a record of the bucket says of an app.
pub(crate) fn app_record(key: &Key, value: &[u8]) -> Option<Record> {
    match record_codec::decode(key, value) {
        Said::App(_, record) => Some(record),
        Said::Home(..) | Said::Unknown(_) => None,
    }
}
