//! Plans and the moves from one plan to another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::id::{ComponentId, HostId, StoreId};
use super::placer::{Home, Placer};
use super::unplaced::{Unplaced, reasons};

/// The hosts of the replicas of every desired component, in the order of host ids. A host with two
/// replicas is listed twice.
pub type Assignments = BTreeMap<ComponentId, Vec<HostId>>;

/// The assignment of components to hosts, with the reasons for missing replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// The hosts of each component.
    pub assignments: Assignments,
    /// The components with fewer replicas than desired, in the order of their ids.
    pub unplaced: Vec<Unplaced>,
    /// The components that can run on only one host, because of a store there.
    pub pins: BTreeMap<ComponentId, Vec<Pin>>,
    /// The host of each linked host-local store, existing or to be created. A caller that applies
    /// the plan has to record new entries, because they bind all later plans.
    pub homes: BTreeMap<StoreId, HostId>,
}

/// Binds a component to a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pin {
    /// The store that the component is linked to.
    pub store: StoreId,
    /// The host of the store, existing or to be created.
    pub host: HostId,
}

/// One difference between two plans, displayed as a line such as `+ shop/orders on h1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Move {
    /// The component.
    pub component: ComponentId,
    /// The host.
    pub host: HostId,
    /// The direction: the host starts or stops replicas.
    pub kind: MoveKind,
    /// Number of replicas that the host starts or stops.
    pub replicas: usize,
}

/// The direction of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveKind {
    /// The host runs more replicas.
    Starts,
    /// The host runs fewer replicas.
    Stops,
}

/// Lists the moves from one plan to another, by component and then host.
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
    /// Returns the components of one host with their number of replicas there.
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
        // Cannot fail: at most `unit.replicas` are placed, which is a `u32`.
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
