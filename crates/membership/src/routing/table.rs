//! Which hosts have what ready: an immutable snapshot of a view, made anew when the view changes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::endpoint::{Peer, Probe};
use super::proximity::Level;
use super::retry_budget::Budget;
use crate::Moment;
use crate::message::{ComponentId, HostState, Readiness, Revision};
use crate::{HostId, HostView, Liveness, Standing, View};

/// Makes tables of views, and keeps what calls have learnt from one table to the next.
#[derive(Debug)]
pub struct Router {
    own: HostId,
    /// The hosts of the view.
    peers: BTreeMap<HostId, Known>,
    table: Arc<Table>,
    /// Of which revision of the view the table is.
    made_of: Option<u64>,
}

/// What is kept of a host.
#[derive(Debug)]
struct Known {
    /// Which of its lives it is: a new process begins with a clean slate.
    incarnation: u64,
    /// Of which heartbeat the load is.
    sequence: Option<u64>,
    peer: Arc<Peer>,
}

/// Which hosts have what ready, as one view has it.
#[derive(Debug, Default)]
pub struct Table {
    components: HashMap<ComponentId, Holders>,
}

/// The hosts that have a component ready.
#[derive(Debug)]
struct Holders {
    budget: Arc<Budget>,
    any: Arc<Candidates>,
    /// Those of one revision each, in ascending order.
    by_revision: Vec<(Revision, Arc<Candidates>)>,
}

/// The hosts that a call can be sent to, the nearest first.
#[derive(Debug)]
pub struct Candidates {
    /// In the order of groups.
    peers: Vec<Arc<Peer>>,
    /// Each group that anyone is in, in the order of preference.
    groups: Vec<Range<usize>>,
    budget: Arc<Budget>,
}

/// Whether a host is as good as others of its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    /// It is.
    Sound,
    /// It is suspected, damped or leaving: it gets calls if no sound one is left at any level.
    Doubtful,
}

/// Each tier has each level: a sound host far away is better than a doubtful one nearby.
const GROUPS: usize = 2 * Level::ALL.len();

// === impl Router ===

impl Router {
    /// A router for calls from this host, which knows nobody yet.
    #[must_use]
    pub fn new(own: HostId) -> Self {
        Self {
            own,
            peers: BTreeMap::new(),
            table: Arc::new(Table::default()),
            made_of: None,
        }
    }

    /// Brings loads up to date, and the table if the view has changed. Says whether there is a new table.
    /// Due after every tick.
    pub fn refresh(&mut self, view: &View) -> bool {
        let changed = self.made_of != Some(view.revision());
        if changed {
            self.refresh_peers(view);
        }
        for host in view.hosts() {
            if let Some(known) = self.peers.get_mut(&host.id) {
                known.set_load(host);
            }
        }
        if changed {
            self.table = Arc::new(self.make_table(view));
            self.made_of = Some(view.revision());
        }
        changed
    }

    /// The table, for calls to read. It stays as it is; a new one takes its place.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.table.clone()
    }

    /// The ejected hosts that are to be asked now whether they answer. Calls do that too, but only those that
    /// may be made twice; a host that serves no such calls would never come back.
    #[must_use]
    pub fn probes(&self, now: Moment) -> Vec<Probe> {
        let peers = self.peers.values().map(|known| &known.peer);
        peers.filter_map(|peer| Probe::begin(peer, now)).collect()
    }

    fn refresh_peers(&mut self, view: &View) {
        self.peers.retain(|host, _| view.host(*host).is_some());
        for host in view.hosts() {
            let known = self.peers.get(&host.id);
            if known.is_none_or(|known| known.incarnation != host.incarnation) {
                self.peers.insert(host.id, Known::new(host));
            }
        }
    }

    fn make_table(&self, view: &View) -> Table {
        let Some(own) = view.host(self.own) else {
            return Table::default();
        };
        let mut gathered: BTreeMap<&ComponentId, Gathered> = BTreeMap::new();
        for host in view.hosts() {
            let (Some(tier), Some(contents)) = (tier(host), &host.contents) else {
                continue;
            };
            let Some(known) = self.peers.get(&host.id) else {
                continue;
            };
            let entry = Placed {
                group: group(tier, Level::between(own, host)),
                peer: &known.peer,
            };
            let holdings = contents.components.iter();
            for holding in holdings.filter(|holding| holding.readiness == Readiness::Ready) {
                let of_component = gathered.entry(&holding.component).or_default();
                of_component.add(holding.revision, entry);
            }
        }
        let components = gathered.into_iter().map(|(component, gathered)| {
            let known = self.table.components.get(component);
            let budget = known.map(|holders| holders.budget.clone());
            let holders = gathered.holders(budget.unwrap_or_else(|| Arc::new(Budget::full())));
            (component.clone(), holders)
        });
        let components = components.collect();
        Table { components }
    }
}

// === impl Known ===

impl Known {
    fn new(host: &HostView) -> Self {
        Self {
            incarnation: host.incarnation,
            sequence: None,
            peer: Arc::new(Peer::new(host.id)),
        }
    }

    /// Each heartbeat is taken once: what calls have learnt since is newer.
    fn set_load(&mut self, host: &HostView) {
        if self.sequence != Some(host.sequence) {
            self.sequence = Some(host.sequence);
            self.peer.set_load(host.load);
        }
    }
}

// === impl Table ===

impl Table {
    /// The hosts that have a component ready, in whatever revision.
    #[must_use]
    pub fn any(&self, component: &ComponentId) -> Option<&Arc<Candidates>> {
        Some(&self.components.get(component)?.any)
    }

    /// The hosts that have one revision of a component ready.
    #[must_use]
    pub fn exactly(&self, component: &ComponentId, revision: Revision) -> Option<&Arc<Candidates>> {
        let revisions = &self.components.get(component)?.by_revision;
        let index = revisions.binary_search_by_key(&revision, |(known, _)| *known);
        index.ok().map(|index| &revisions[index].1)
    }
}

// === impl Candidates ===

impl Candidates {
    /// How many there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Who they are, the nearest first, those in doubt last.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = HostId> {
        self.peers.iter().map(|peer| peer.id())
    }

    pub(super) fn peer(&self, index: usize) -> &Arc<Peer> {
        &self.peers[index]
    }

    /// Where a peer is among them, in the life that it had when it was asked.
    pub(super) fn position(&self, peer: &Arc<Peer>) -> Option<usize> {
        self.peers.iter().position(|known| Arc::ptr_eq(known, peer))
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The groups in the order of preference that anyone is in, as ranges of indices.
    pub(super) fn groups(&self) -> impl Iterator<Item = Range<usize>> {
        self.groups.iter().cloned()
    }

    fn new(mut placed: Vec<Placed<'_>>, budget: Arc<Budget>) -> Self {
        // The order within a group does not matter, but has to be the same for the same view.
        placed.sort_by_key(|placed| (placed.group, placed.peer.id()));
        placed.dedup_by_key(|placed| placed.peer.id());
        let end = |group| placed.partition_point(|placed| placed.group <= group);
        let start = |group| placed.partition_point(|placed| placed.group < group);
        let groups = (0..GROUPS).map(|group| start(group)..end(group));
        Self {
            groups: groups.filter(|group| !group.is_empty()).collect(),
            peers: placed.iter().map(|placed| placed.peer.clone()).collect(),
            budget,
        }
    }
}

// === helpers ===

/// A host, and the group in which it is.
#[derive(Clone, Copy)]
struct Placed<'a> {
    group: usize,
    peer: &'a Arc<Peer>,
}

/// The hosts of one component.
#[derive(Default)]
struct Gathered<'a> {
    any: Vec<Placed<'a>>,
    by_revision: BTreeMap<Revision, Vec<Placed<'a>>>,
}

impl<'a> Gathered<'a> {
    fn add(&mut self, revision: Revision, placed: Placed<'a>) {
        self.any.push(placed);
        self.by_revision.entry(revision).or_default().push(placed);
    }

    fn holders(self, budget: Arc<Budget>) -> Holders {
        let candidates = |placed| Arc::new(Candidates::new(placed, budget.clone()));
        let any = candidates(self.any);
        // Mostly there is one revision, which is then all there is.
        let by_revision = if let [(revision, _)] = &self.by_revision.iter().collect::<Vec<_>>()[..]
        {
            vec![(**revision, any.clone())]
        } else {
            let revisions = self.by_revision.into_iter();
            revisions
                .map(|(revision, placed)| (revision, candidates(placed)))
                .collect()
        };
        Holders {
            any,
            by_revision,
            budget,
        }
    }
}

/// How good a host is for calls; nothing if it gets none.
fn tier(host: &HostView) -> Option<Tier> {
    match (host.liveness, host.state) {
        (Liveness::Dead, _) | (_, HostState::Left) => None,
        (Liveness::Suspected, _) | (_, HostState::Draining) => Some(Tier::Doubtful),
        (Liveness::Live, _) if host.standing == Standing::Steady => Some(Tier::Sound),
        (Liveness::Live, _) => Some(Tier::Doubtful),
    }
}

fn group(tier: Tier, level: Level) -> usize {
    tier as usize * Level::ALL.len() + level as usize
}
