//! The choice of a host for the next replica of a unit.

use super::host::HostState;
use super::hosts::{Column, HostNumber, Hosts, LabelMatch};
use super::id::ComponentId;
use super::ranking::Rankings;
use super::units::Unit;

/// The requirements and preferences of a unit, resolved to the table of hosts.
#[derive(Debug)]
pub(super) struct HostCriteria<'h> {
    pub(super) hosts: &'h Hosts<'h>,
    pub(super) require: Vec<LabelMatch<'h>>,
    prefer: Vec<LabelMatch<'h>>,
    spread: Option<&'h Column<'h>>,
    /// The components of the unit; empty if no host is frozen, because only those hosts need them.
    ids: Vec<ComponentId>,
    group: usize,
    weight: u64,
    one_per_host: bool,
}

/// The cost of placing the next replica on a host; lower is better. Each part only grows while
/// replicas of the unit are placed, and [`HostPicker`] relies on that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    /// Replicas on hosts with the same value of the spread label.
    same_value: u32,
    /// Replicas on the host.
    same_host: u32,
    /// Preferences that the host does not meet.
    unmet: u32,
}

/// The replicas on the hosts, as far as they matter to the current unit.
#[derive(Debug)]
pub(super) struct Occupancy {
    /// By host: the replicas of the unit.
    pub(super) on_host: Vec<u32>,
    /// By host: the replicas there of units with an anti-affinity to the unit.
    pub(super) conflicts: Vec<u32>,
    /// By value of the spread label: the replicas of the unit.
    of_value: Vec<u32>,
}

/// Picks hosts for one unit, one after another.
///
/// The best host is the first of the ranking among those with the lowest cost. The bound is a lower
/// bound of all costs. So the first host at the bound is the best one, and since costs only grow,
/// the hosts before it need not be checked again until the bound rises.
#[derive(Debug)]
pub(super) struct HostPicker {
    bound: Cost,
    place: usize,
    /// Number of values of the spread label, among hosts that are not draining, with which a host
    /// may still be at the bound.
    open_values: usize,
}

impl<'h> HostCriteria<'h> {
    /// Returns `None` if no host has the required labels.
    pub(super) fn new(unit: &Unit<'_>, hosts: &'h Hosts<'h>) -> Option<HostCriteria<'h>> {
        let require = unit.require.iter();
        let require: Option<Vec<_>> = require
            .map(|(name, values)| hosts.matching(name, values))
            .collect();
        let prefer = unit.prefer.iter();
        Some(HostCriteria {
            hosts,
            require: require?,
            // A preference that no host meets adds the same cost to all hosts.
            prefer: prefer
                .filter_map(|(name, values)| hosts.matching(name, values))
                .collect(),
            spread: unit.spread.and_then(|name| hosts.column(name)),
            ids: if hosts.has_frozen() {
                unit.ids().collect()
            } else {
                Vec::new()
            },
            group: unit.group,
            weight: unit.weight,
            one_per_host: unit.one_per_host,
        })
    }

    /// Returns whether the state and the labels of a host allow a replica.
    pub(super) fn allows(&self, host: HostNumber) -> bool {
        let is_open = match &self.hosts.all[host as usize].state {
            HostState::Ready => true,
            HostState::Frozen { runs } => self.ids.iter().all(|id| runs.contains(id)),
            HostState::Draining => false,
        };
        is_open && self.require.iter().all(|label| label.matches(host))
    }

    /// Returns whether one more replica fits on a host.
    pub(super) fn fits(&self, host: HostNumber, occupancy: &Occupancy, free: &[u64]) -> bool {
        let number = host as usize;
        free[number] >= self.weight
            && occupancy.conflicts[number] == 0
            && !(self.one_per_host && occupancy.on_host[number] > 0)
            && self.allows(host)
    }

    fn cost(&self, host: HostNumber, occupancy: &Occupancy) -> Cost {
        let same_value = self.spread.map_or(0, |column| {
            let value = column.of_host[host as usize];
            occupancy.of_value[value as usize]
        });
        let unmet = self
            .prefer
            .iter()
            .map(|label| u32::from(!label.matches(host)));
        Cost {
            same_value,
            same_host: occupancy.on_host[host as usize],
            unmet: unmet.sum(),
        }
    }
}

impl Occupancy {
    pub(super) fn new(hosts: usize) -> Occupancy {
        Occupancy {
            on_host: vec![0; hosts],
            conflicts: vec![0; hosts],
            of_value: Vec::new(),
        }
    }

    /// Starts with a unit that has replicas on the hosts `placed`.
    pub(super) fn start(&mut self, criteria: &HostCriteria<'_>, placed: &[HostNumber]) {
        self.of_value.clear();
        let values = criteria.spread.map_or(0, Column::values_count);
        self.of_value.resize(values, 0);
        for host in placed {
            self.add(criteria, *host);
        }
    }

    pub(super) fn add(&mut self, criteria: &HostCriteria<'_>, host: HostNumber) {
        self.on_host[host as usize] += 1;
        if let Some(column) = criteria.spread {
            self.of_value[column.of_host[host as usize] as usize] += 1;
        }
    }

    /// Clears the counts of the unit.
    pub(super) fn end(&mut self, placed: &[HostNumber]) {
        for host in placed {
            self.on_host[*host as usize] = 0;
        }
    }
}

impl HostPicker {
    pub(super) fn new(criteria: &HostCriteria<'_>, occupancy: &Occupancy) -> HostPicker {
        let mut picker = HostPicker {
            bound: Cost::default(),
            place: 0,
            open_values: 0,
        };
        picker.count_open_values(criteria, occupancy);
        picker
    }

    /// Returns the best host for one more replica, among those that `fits` accepts.
    pub(super) fn next(
        &mut self,
        criteria: &HostCriteria<'_>,
        occupancy: &Occupancy,
        rankings: &mut Rankings,
        fits: impl Fn(HostNumber) -> bool,
    ) -> Option<HostNumber> {
        loop {
            let mut passed = 0;
            for host in rankings.hosts_from(criteria.hosts, criteria.group, self.place) {
                passed += 1;
                if fits(host) && criteria.cost(host, occupancy) <= self.bound {
                    self.place += passed;
                    return Some(host);
                }
            }
            if passed == 0 {
                break;
            }
            self.place += passed;
        }
        // No host is at the bound any more. The lowest cost of all hosts becomes the bound.
        let (cost, place, host) = lowest(criteria, occupancy, rankings, fits)?;
        self.bound = cost;
        self.place = place + 1;
        self.count_open_values(criteria, occupancy);
        Some(host)
    }

    /// Raises the bound if possible, after a replica was placed on `host` and counted.
    pub(super) fn placed(
        &mut self,
        criteria: &HostCriteria<'_>,
        occupancy: &Occupancy,
        host: HostNumber,
    ) {
        let Some(column) = criteria.spread else {
            return;
        };
        let value = column.of_host[host as usize] as usize;
        if occupancy.of_value[value] != self.bound.same_value + 1 {
            return;
        }
        self.open_values = self.open_values.saturating_sub(1);
        if self.open_values == 0 {
            // Every value is above the bound, so every host is: the search for the lowest cost over
            // all hosts can be skipped.
            self.bound = Cost {
                same_value: self.bound.same_value + 1,
                ..Cost::default()
            };
            self.place = 0;
            self.count_open_values(criteria, occupancy);
        }
    }

    fn count_open_values(&mut self, criteria: &HostCriteria<'_>, occupancy: &Occupancy) {
        let Some(column) = criteria.spread else {
            return;
        };
        let values = column.open.iter();
        let open_values =
            values.filter(|value| occupancy.of_value[**value as usize] <= self.bound.same_value);
        self.open_values = open_values.count();
    }
}

/// Finds the first host of the ranking among those with the lowest cost, with its cost and place.
fn lowest(
    criteria: &HostCriteria<'_>,
    occupancy: &Occupancy,
    rankings: &mut Rankings,
    fits: impl Fn(HostNumber) -> bool,
) -> Option<(Cost, usize, HostNumber)> {
    let mut lowest: Option<(Cost, usize, HostNumber)> = None;
    let mut place = 0;
    loop {
        let start = place;
        for host in rankings.hosts_from(criteria.hosts, criteria.group, start) {
            if fits(host) {
                let cost = criteria.cost(host, occupancy);
                if lowest.is_none_or(|(lowest, ..)| cost < lowest) {
                    lowest = Some((cost, place, host));
                }
            }
            place += 1;
        }
        if place == start {
            return lowest;
        }
    }
}
