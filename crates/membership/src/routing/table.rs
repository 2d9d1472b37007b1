//! Routing table: an immutable snapshot of the ready components in a view.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::endpoint::{Endpoint, Probe};
use super::proximity::Proximity;
use super::retry_budget::RetryBudget;
use crate::Moment;
use crate::message::{ComponentId, HostState, Readiness, Revision};
use crate::{HostId, HostView, Liveness, Standing, View};

/// Builds tables from views, and keeps the observations of calls from one table to the next.
#[derive(Debug)]
pub struct Router {
    own: HostId,
    /// The hosts of the view.
    endpoints: BTreeMap<HostId, TrackedHost>,
    table: Arc<Table>,
    /// The revision of the view from which the table was built.
    view_revision: Option<u64>,
}

/// A host across views.
#[derive(Debug)]
struct TrackedHost {
    /// Start counter of the process: a restarted host begins with a clean record.
    incarnation: u64,
    /// Number of the heartbeat from which the load was taken.
    sequence: Option<u64>,
    endpoint: Arc<Endpoint>,
}

/// The hosts of each ready component in one view.
#[derive(Debug, Default)]
pub struct Table {
    components: HashMap<ComponentId, Replicas>,
}

/// The hosts with a component ready.
#[derive(Debug)]
struct Replicas {
    budget: Arc<RetryBudget>,
    any: Arc<Candidates>,
    /// Candidates by revision, sorted.
    by_revision: Vec<(Revision, Arc<Candidates>)>,
}

/// The hosts that a call can be sent to, the nearest first.
#[derive(Debug)]
pub struct Candidates {
    /// Ordered by group.
    endpoints: Vec<Arc<Endpoint>>,
    /// The non-empty groups in the order of preference.
    groups: Vec<Range<usize>>,
    budget: Arc<RetryBudget>,
}

/// Condition of a host, which takes precedence over proximity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Healthy,
    /// Suspected, damped or leaving: gets calls if no healthy host is left at any distance.
    Degraded,
}

/// Each tier has all proximities: a distant healthy host is better than a degraded one nearby.
const GROUPS: usize = 2 * Proximity::ALL.len();

// === impl Router ===

impl Router {
    /// Creates a router for calls from this host, with an empty table.
    #[must_use]
    pub fn new(own: HostId) -> Self {
        Self {
            own,
            endpoints: BTreeMap::new(),
            table: Arc::new(Table::default()),
            view_revision: None,
        }
    }

    /// Updates the loads, and rebuilds the table if the view has changed; returns whether it has.
    /// Due after every tick.
    pub fn refresh(&mut self, view: &View) -> bool {
        let changed = self.view_revision != Some(view.revision());
        if changed {
            self.refresh_endpoints(view);
        }
        for host in view.hosts() {
            if let Some(tracked) = self.endpoints.get_mut(&host.id) {
                tracked.set_load(host);
            }
        }
        if changed {
            self.table = Arc::new(self.build_table(view));
            self.view_revision = Some(view.revision());
        }
        changed
    }

    /// The current table, for calls to read.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.table.clone()
    }

    /// Begins the due probes of ejected hosts. Idempotent calls serve as probes too, but a host
    /// without such calls would never return.
    #[must_use]
    pub fn probes(&self, now: Moment) -> Vec<Probe> {
        let endpoints = self.endpoints.values().map(|tracked| &tracked.endpoint);
        endpoints
            .filter_map(|endpoint| Probe::begin(endpoint, now))
            .collect()
    }

    fn refresh_endpoints(&mut self, view: &View) {
        self.endpoints.retain(|host, _| view.host(*host).is_some());
        for host in view.hosts() {
            let tracked = self.endpoints.get(&host.id);
            if tracked.is_none_or(|tracked| tracked.incarnation != host.incarnation) {
                self.endpoints.insert(host.id, TrackedHost::new(host));
            }
        }
    }

    fn build_table(&self, view: &View) -> Table {
        let Some(own) = view.host(self.own) else {
            return Table::default();
        };
        let mut builders: BTreeMap<&ComponentId, ReplicasBuilder> = BTreeMap::new();
        for host in view.hosts() {
            let (Some(tier), Some(contents)) = (tier(host), &host.contents) else {
                continue;
            };
            let Some(tracked) = self.endpoints.get(&host.id) else {
                continue;
            };
            let grouped = GroupedEndpoint {
                group: group(tier, Proximity::between(own, host)),
                endpoint: &tracked.endpoint,
            };
            let hosted_components = contents.components.iter();
            for hosted in hosted_components.filter(|hosted| hosted.readiness == Readiness::Ready) {
                let builder = builders.entry(&hosted.component).or_default();
                builder.add(hosted.revision, grouped);
            }
        }
        let components = builders.into_iter().map(|(component, builder)| {
            let tracked = self.table.components.get(component);
            let budget = tracked.map(|replicas| replicas.budget.clone());
            let replicas = builder.build(budget.unwrap_or_else(|| Arc::new(RetryBudget::full())));
            (component.clone(), replicas)
        });
        let components = components.collect();
        Table { components }
    }
}

// === impl TrackedHost ===

impl TrackedHost {
    fn new(host: &HostView) -> Self {
        Self {
            incarnation: host.incarnation,
            sequence: None,
            endpoint: Arc::new(Endpoint::new(host.id)),
        }
    }

    /// Applies each heartbeat once, because observations of calls after it are newer.
    fn set_load(&mut self, host: &HostView) {
        if self.sequence != Some(host.sequence) {
            self.sequence = Some(host.sequence);
            self.endpoint.set_load(host.load);
        }
    }
}

// === impl Table ===

impl Table {
    /// The hosts with a component ready, in any revision.
    #[must_use]
    pub fn any(&self, component: &ComponentId) -> Option<&Arc<Candidates>> {
        Some(&self.components.get(component)?.any)
    }

    /// The hosts with one revision of a component ready.
    #[must_use]
    pub fn exactly(&self, component: &ComponentId, revision: Revision) -> Option<&Arc<Candidates>> {
        let revisions = &self.components.get(component)?.by_revision;
        let index = revisions.binary_search_by_key(&revision, |(found, _)| *found);
        index.ok().map(|index| &revisions[index].1)
    }
}

// === impl Candidates ===

impl Candidates {
    /// Number of candidates; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "candidates are never empty")]
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// The hosts, the nearest first, degraded ones last.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = HostId> {
        self.endpoints.iter().map(|endpoint| endpoint.id())
    }

    pub(super) fn endpoint(&self, index: usize) -> &Arc<Endpoint> {
        &self.endpoints[index]
    }

    /// The index of an endpoint; `None` after a restart of its host, which gets a new endpoint.
    pub(super) fn position(&self, endpoint: &Arc<Endpoint>) -> Option<usize> {
        self.endpoints
            .iter()
            .position(|found| Arc::ptr_eq(found, endpoint))
    }

    pub(super) fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// The non-empty groups in the order of preference, as ranges of indices.
    pub(super) fn groups(&self) -> impl Iterator<Item = Range<usize>> {
        self.groups.iter().cloned()
    }

    fn new(mut grouped: Vec<GroupedEndpoint<'_>>, budget: Arc<RetryBudget>) -> Self {
        // The order within a group is arbitrary, but has to be the same for the same view.
        grouped.sort_by_key(|grouped| (grouped.group, grouped.endpoint.id()));
        grouped.dedup_by_key(|grouped| grouped.endpoint.id());
        let end = |group| grouped.partition_point(|grouped| grouped.group <= group);
        let start = |group| grouped.partition_point(|grouped| grouped.group < group);
        let groups = (0..GROUPS).map(|group| start(group)..end(group));
        Self {
            groups: groups.filter(|group| !group.is_empty()).collect(),
            endpoints: grouped
                .iter()
                .map(|grouped| grouped.endpoint.clone())
                .collect(),
            budget,
        }
    }
}

// === helpers ===

/// An endpoint with the number of its group.
#[derive(Clone, Copy)]
struct GroupedEndpoint<'a> {
    group: usize,
    endpoint: &'a Arc<Endpoint>,
}

/// Collects the hosts of one component.
#[derive(Default)]
struct ReplicasBuilder<'a> {
    any: Vec<GroupedEndpoint<'a>>,
    by_revision: BTreeMap<Revision, Vec<GroupedEndpoint<'a>>>,
}

impl<'a> ReplicasBuilder<'a> {
    fn add(&mut self, revision: Revision, grouped: GroupedEndpoint<'a>) {
        self.any.push(grouped);
        self.by_revision.entry(revision).or_default().push(grouped);
    }

    fn build(self, budget: Arc<RetryBudget>) -> Replicas {
        let candidates = |grouped| Arc::new(Candidates::new(grouped, budget.clone()));
        let any = candidates(self.any);
        // Usually there is one revision, which shares its candidates with `any`.
        let by_revision = if let [(revision, _)] = &self.by_revision.iter().collect::<Vec<_>>()[..]
        {
            vec![(**revision, any.clone())]
        } else {
            let revisions = self.by_revision.into_iter();
            revisions
                .map(|(revision, grouped)| (revision, candidates(grouped)))
                .collect()
        };
        Replicas {
            any,
            by_revision,
            budget,
        }
    }
}

/// The tier of a host; `None` if it gets no calls.
fn tier(host: &HostView) -> Option<Tier> {
    match (host.liveness, host.state) {
        (Liveness::Dead, _) | (_, HostState::Left) => None,
        (Liveness::Suspected, _) | (_, HostState::Draining) => Some(Tier::Degraded),
        (Liveness::Live, _) if host.standing == Standing::Steady => Some(Tier::Healthy),
        (Liveness::Live, _) => Some(Tier::Degraded),
    }
}

fn group(tier: Tier, proximity: Proximity) -> usize {
    tier as usize * Proximity::ALL.len() + proximity as usize
}
