//! What a host knows of the desired state, and its share of it: what `host::mesh::following` does, without its
//! tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use weft_lattice::desired::{Key, Records, Revision, Watched};
use weft_lattice::membership::message::{Holding, Readiness};
use weft_lattice::membership::{HostView, View};
use weft_lattice::store::Record;
use weft_lattice_config::placement::{self, ComponentId, Input, Plan};
use weft_lattice_config::{App, AppName, ComponentName, Labels};

use crate::rule::BrokenRule;

/// What is wanted of an app, by its name: as in the bucket of a lattice.
const APPS: &str = "apps";

/// The desired state as one process has it.
#[derive(Debug)]
pub(crate) struct Following {
    pub(crate) wanted: BTreeMap<AppName, Arc<Record>>,
    /// What the bucket has of each app.
    bucket: BTreeMap<AppName, (Revision, u64)>,
    /// Whether all of the bucket was heard since it was last away.
    is_bucket_known: bool,
    /// Whether something is to be done again.
    pub(crate) is_behind: bool,
}

/// What a host is to run of an app, and of what else it knows.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) app: AppName,
    pub(crate) record: Arc<Record>,
    pub(crate) share: BTreeSet<ComponentName>,
}

impl Following {
    /// A process that has what its host has on disk.
    pub(crate) fn new(copy: BTreeMap<AppName, Arc<Record>>) -> Self {
        Self {
            wanted: copy,
            bucket: BTreeMap::new(),
            is_bucket_known: false,
            is_behind: true,
        }
    }

    /// Takes what a watch of the bucket saw.
    pub(crate) fn see(&mut self, seen: Watched, broken: Option<BrokenRule>) {
        match seen {
            Watched::Begins => {
                self.bucket.clear();
                self.is_bucket_known = false;
            }
            Watched::Record { key, record } => self.take(&key, record.revision, &record.value),
            Watched::Erased { key } => {
                if let Some(app) = app_of(&key) {
                    self.bucket.remove(&app);
                }
            }
            Watched::Complete => {
                self.is_bucket_known = true;
                if broken == Some(BrokenRule::ObeysEmptyBucket) {
                    self.wanted.retain(|app, _| self.bucket.contains_key(app));
                }
            }
            Watched::Away => self.is_bucket_known = false,
        }
        self.is_behind = true;
    }

    fn take(&mut self, key: &Key, revision: Revision, value: &[u8]) {
        let (Some(app), Some(record)) = (app_of(key), decode(value)) else {
            return;
        };
        self.bucket
            .insert(app.clone(), (revision, record.revision()));
        let known = self.wanted.get(&app);
        if known.is_none_or(|known| known.revision() < record.revision()) {
            self.wanted.insert(app, Arc::new(record));
        }
    }

    /// Writes to the bucket what this host knows and the bucket has lost, and returns what it wrote.
    pub(crate) fn refill(&mut self, records: &Records) -> Vec<AppName> {
        let mut written = Vec::new();
        if !self.is_bucket_known {
            return written;
        }
        for (app, record) in &self.wanted {
            let known = self.bucket.get(app).copied();
            let (revision, counted) = known.unwrap_or((Revision::NONE, 0));
            if counted >= record.revision() {
                continue;
            }
            let (Some(key), Some(value)) = (app_key(app), encode(record)) else {
                continue;
            };
            // In memory, the store answers at once. Where it does not take it, the watch will tell why.
            if let Some(Ok(revision)) = records.put(&key, value, revision).now_or_never() {
                self.bucket
                    .insert(app.clone(), (revision, record.revision()));
                written.push(app.clone());
            }
        }
        written
    }
}

// === the plan, and a host's share of it ===

/// Where everything runs that is wanted, by one view of the hosts.
pub(crate) fn plan<'a>(
    wanted: impl Iterator<Item = &'a Record>,
    hosts: &[placement::Host],
    broken: Option<BrokenRule>,
) -> Plan {
    let deployed: Vec<_> = wanted
        .filter_map(|record| match record {
            Record::Deployed(deployed) if broken == Some(BrokenRule::IgnoresRequirements) => {
                let mut deployed = deployed.clone();
                let components = &mut deployed.app.spec.components;
                components.iter_mut().for_each(|component| component.placement.require.clear());
                Some(std::borrow::Cow::Owned(deployed))
            }
            Record::Deployed(deployed) => Some(std::borrow::Cow::Borrowed(deployed)),
            Record::Removed { .. } => None,
        })
        .collect();
    let apps = deployed.iter().map(|deployed| placement::Desired {
        app: &deployed.app,
        since: deployed.changed_at_ms,
    });
    placement::plan(&Input {
        apps: &apps.collect::<Vec<_>>(),
        hosts,
        demand: &BTreeMap::new(),
        local_stores: &BTreeSet::new(),
        homes: &BTreeMap::new(),
    })
}

/// A host as placement sees it; none for one that does not count.
pub(crate) fn host(host: &HostView, id: &placement::HostId) -> Option<placement::Host> {
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
        let labels =
            labels.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
        labels.collect::<Labels>()
    });
    Some(placement::Host {
        id: id.clone(),
        labels: labels.unwrap_or_default(),
        capacity: contents.and_then(|contents| contents.capacity),
        state,
    })
}

/// Whether a host is seen to live and to have a component ready, in this revision or a later one.
pub(crate) fn has_ready(host: &HostView, id: &ComponentId, revision: u64) -> bool {
    let is_it = |holding: &Holding| {
        (&holding.component.app, &holding.component.component) == (&id.app, &id.component)
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

/// The hosts of a view that placement counts on.
pub(crate) fn placeable(
    view: &View,
    name_of: impl Fn(&HostView) -> Option<placement::HostId>,
) -> Vec<placement::Host> {
    let hosts = view.hosts();
    hosts.filter_map(|view| host(view, &name_of(view)?)).collect()
}

// === records as bytes ===

pub(crate) fn app_key(app: &AppName) -> Option<Key> {
    Key::new(&[APPS, app.as_str()]).ok()
}

pub(crate) fn encode(record: &Record) -> Option<Bytes> {
    serde_json::to_vec(record).ok().map(Bytes::from)
}

pub(crate) fn decode(value: &[u8]) -> Option<Record> {
    serde_json::from_slice(value).ok()
}

fn app_of(key: &Key) -> Option<AppName> {
    let names: Vec<_> = key.names().collect();
    match &names[..] {
        [kind, app] if kind == APPS => app.parse().ok(),
        _ => None,
    }
}
