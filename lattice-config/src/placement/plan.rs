//! What a plan says, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::id::{ComponentId, HostId, StoreId};
use super::placer::{Home, Placer};
use super::unplaced::{Reason, reasons};

/// For every component that is wanted, the hosts of its replicas in the order of their ids; a host with
/// two replicas is there twice.
pub type Assignments = BTreeMap<ComponentId, Vec<HostId>>;

/// Which host runs which component, and why not where one does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// Which host runs what.
    pub assignments: Assignments,
    /// The components with fewer replicas than wanted, in the order of their ids.
    pub unplaced: Vec<Unplaced>,
    /// The components that may run on one host alone, because of a store there.
    pub pins: BTreeMap<ComponentId, Vec<Pin>>,
    /// The host of each host-local store that is linked to: where it is, or where it will be made. Who
    /// acts on a plan records those that are new, for they bind all later plans.
    pub homes: BTreeMap<StoreId, HostId>,
}

/// A component with fewer replicas than wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Unplaced {
    /// The component.
    pub component: ComponentId,
    /// How many replicas are wanted.
    pub wanted: u32,
    /// How many have a host.
    pub placed: u32,
    /// Why no host takes one more; each host counts for one reason.
    pub reasons: Vec<Reason>,
}

/// Binds a component to a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pin {
    /// The store that the component is linked to.
    pub store: StoreId,
    /// The host that has it, or will.
    pub host: HostId,
}

/// One difference between two plans. Its `Display` is a line such as `+ shop/orders on h1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Move {
    /// The component.
    pub component: ComponentId,
    /// The host.
    pub host: HostId,
    /// What the host does.
    pub kind: MoveKind,
    /// With how many replicas.
    pub replicas: usize,
}

/// What a host does differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveKind {
    /// It runs more replicas.
    Starts,
    /// It runs fewer.
    Stops,
}

/// What hosts do differently after a change of plan, by component and then host.
#[must_use]
pub fn moves(before: &Assignments, after: &Assignments) -> Vec<Move> {
    let components: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut moves = Vec::new();
    for component in components {
        let hosts = |plan: &Assignments| plan.get(component).map_or(Vec::new(), Clone::clone);
        let (before, after) = (hosts(before), hosts(after));
        let all: BTreeSet<_> = before.iter().chain(&after).collect();
        for host in all {
            let count = |hosts: &[HostId]| hosts.iter().filter(|it| *it == host).count();
            let (before, after) = (count(&before), count(&after));
            if before == after {
                continue;
            }
            let kind = if before < after {
                MoveKind::Starts
            } else {
                MoveKind::Stops
            };
            moves.push(Move {
                component: component.clone(),
                host: host.clone(),
                kind,
                replicas: before.abs_diff(after),
            });
        }
    }
    moves
}

impl Plan {
    /// What one host runs, with how many replicas.
    #[must_use]
    pub fn share_of(&self, host: &HostId) -> BTreeMap<ComponentId, usize> {
        let shares = self.assignments.iter().map(|(component, hosts)| {
            let count = hosts.iter().filter(|it| *it == host).count();
            (component.clone(), count)
        });
        shares.filter(|(_, count)| *count > 0).collect()
    }
}

impl Placer<'_> {
    pub(super) fn into_plan(self) -> Plan {
        let mut plan = Plan::default();
        let mut assignments = Vec::with_capacity(self.units.all.len());
        for (number, unit) in self.units.all.iter().enumerate() {
            let mut placed = self.placed[number].clone();
            placed.sort_unstable();
            let hosts = placed.iter().map(|host| self.hosts.all[*host as usize]);
            let hosts: Vec<_> = hosts.map(|host| host.id.clone()).collect();
            assignments.extend(unit.ids().map(|id| (id, hosts.clone())));
            self.explain(number, &mut plan);
        }
        plan.assignments = assignments.into_iter().collect();
        plan.unplaced
            .sort_by(|left, right| left.component.cmp(&right.component));
        let stores = self.units.stores.iter().zip(&self.homes);
        let homes = stores.filter_map(|(store, home)| {
            let home = self.home_id(home.as_ref()?);
            Some((store.clone(), home))
        });
        plan.homes = homes.collect();
        plan
    }

    fn explain(&self, number: usize, plan: &mut Plan) {
        let unit = &self.units.all[number];
        let stores = unit.stores.iter();
        let pins = stores.filter_map(|store| {
            let host = self.home_id(self.homes[*store].as_ref()?);
            let store = self.units.stores[*store].clone();
            Some(Pin { store, host })
        });
        let pins: Vec<_> = pins.collect();
        if !pins.is_empty() {
            plan.pins.extend(unit.ids().map(|id| (id, pins.clone())));
        }
        // No more are placed than wanted, and that is a number of 32 bits.
        let placed = u32::try_from(self.placed[number].len()).unwrap_or(u32::MAX);
        if placed < unit.replicas {
            let reasons = reasons(self, number);
            plan.unplaced.extend(unit.ids().map(|component| Unplaced {
                component,
                wanted: unit.replicas,
                placed,
                reasons: reasons.clone(),
            }));
        }
    }

    pub(super) fn home_id(&self, home: &Home) -> HostId {
        match home {
            Home::Existing(host) | Home::Chosen(host) => self.hosts.all[*host as usize].id.clone(),
            Home::Unavailable(id) => id.clone(),
        }
    }
}

impl fmt::Display for Move {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            MoveKind::Starts => '+',
            MoveKind::Stops => '-',
        };
        write!(formatter, "{sign} {} on {}", self.component, self.host)?;
        if self.replicas > 1 {
            write!(formatter, " ({} replicas)", self.replicas)?;
        }
        Ok(())
    }
}
