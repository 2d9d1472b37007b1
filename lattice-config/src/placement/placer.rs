//! Places units on hosts, one after another, and tracks the free capacity of each host.

use super::Input;
use super::host::{COMPONENTS_MAX, Host, HostState};
use super::host_choice::{HostCriteria, HostPicker, Occupancy};
use super::hosts::{HostNumber, Hosts};
use super::id::HostId;
use super::ranking::Rankings;
use super::units::{Unit, Units};

/// The free capacity of a host that declares none: more than the total weight of a lattice.
const UNLIMITED: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Placer<'a> {
    pub(super) hosts: Hosts<'a>,
    pub(super) units: Units<'a>,
    /// By unit: the hosts of its replicas, in the order in which they were placed.
    pub(super) placed: Vec<Vec<HostNumber>>,
    /// By store.
    pub(super) homes: Vec<Option<Home>>,
    /// By host: the free capacity.
    pub(super) free: Vec<u64>,
    /// Upper bound of the free capacity of all hosts.
    free_max: u64,
    /// By host: the number of further components that it may have.
    pub(super) vacancies: Vec<usize>,
    pub(super) rankings: Rankings,
    occupancy: Occupancy,
}

/// The host of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// The store exists on this host.
    Existing(HostNumber),
    /// The store does not exist yet. It will be created on this host, where a unit that uses it was
    /// placed.
    Chosen(HostNumber),
    /// The store exists on a host that is not alive.
    Unavailable(HostId),
}

/// The hosts on which the stores of a unit allow it to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AllowedHosts {
    /// Any host: the unit does not use a store that has a host.
    Any,
    /// The host of its stores.
    Only(HostNumber),
    /// No host: a store is unavailable, or two stores are on different hosts.
    None,
}

impl<'a> Placer<'a> {
    pub(super) fn new(input: &Input<'a>, hosts: impl Iterator<Item = &'a Host>) -> Placer<'a> {
        let hosts = Hosts::new(hosts);
        let mut units = Units::new(input);
        let homes: Vec<_> = units
            .stores
            .iter()
            .map(|store| {
                let home = input.homes.get(store)?;
                let number = hosts.number(home).map(Home::Existing);
                Some(number.unwrap_or_else(|| Home::Unavailable(home.clone())))
            })
            .collect();
        let mut rankings = Rankings::new(std::mem::take(&mut units.groups), hosts.len());
        for unit in &units.all {
            // Units that are linked to a unit with a store rank the host of the store first, too.
            if let AllowedHosts::Only(host) = allowed_hosts(unit, &homes) {
                rankings.rank_first(unit.group, host);
            }
        }
        let free = hosts.all.iter().map(|host| match host.state {
            HostState::Draining => 0,
            HostState::Ready | HostState::Frozen { .. } => host.capacity.unwrap_or(UNLIMITED),
        });
        Placer {
            free: free.collect(),
            free_max: UNLIMITED,
            vacancies: vec![COMPONENTS_MAX; hosts.len()],
            rankings,
            occupancy: Occupancy::new(hosts.len()),
            placed: vec![Vec::new(); units.all.len()],
            homes,
            units,
            hosts,
        }
    }

    /// Places the first replica of every unit, then the others: if capacity is short, every app
    /// runs with fewer replicas before any app runs without one.
    pub(super) fn place_all(&mut self) {
        let mut order = self.units.order();
        for number in &order {
            self.place(*number, 1, None);
        }
        // A unit without a first replica cannot get one now, because free capacity only shrinks.
        order.retain(|number| {
            let placed = self.placed[*number].len();
            placed > 0 && placed < self.units.all[*number].replicas as usize
        });
        for number in order {
            self.place(number, self.units.all[number].replicas, None);
        }
    }

    /// Returns the hosts of a unit if one of its hosts left and no other unit moved.
    pub(super) fn without(&mut self, number: usize, lost: HostNumber) -> Vec<HostNumber> {
        let before = std::mem::take(&mut self.placed[number]);
        self.release(number, &before);
        self.free_max = UNLIMITED;
        self.place(number, self.units.all[number].replicas, Some(lost));
        let after = std::mem::replace(&mut self.placed[number], before);
        self.release(number, &after);
        let (weight, components) = self.size(number);
        for (index, host) in self.placed[number].iter().enumerate() {
            self.free[*host as usize] -= weight;
            if !self.placed[number][..index].contains(host) {
                self.vacancies[*host as usize] -= components;
            }
        }
        after
    }

    /// Takes the replicas of a unit from the hosts that have them.
    fn release(&mut self, number: usize, hosts: &[HostNumber]) {
        let (weight, components) = self.size(number);
        for (index, host) in hosts.iter().enumerate() {
            self.free[*host as usize] += weight;
            if !hosts[..index].contains(host) {
                self.vacancies[*host as usize] += components;
            }
        }
    }

    /// The weight of a replica of a unit, and the number of its components.
    fn size(&self, number: usize) -> (u64, usize) {
        let unit = &self.units.all[number];
        (unit.weight, unit.components.len())
    }

    pub(super) fn allowed_hosts(&self, number: usize) -> AllowedHosts {
        allowed_hosts(&self.units.all[number], &self.homes)
    }

    /// Places replicas of a unit until it has `replicas` of them or no host fits. The host `lost`
    /// is excluded.
    fn place(&mut self, number: usize, replicas: u32, lost: Option<HostNumber>) {
        let unit = &self.units.all[number];
        if unit.weight > self.free_max {
            return;
        }
        let Some(criteria) = HostCriteria::new(unit, &self.hosts) else {
            return;
        };
        let (occupancy, free) = (&mut self.occupancy, &mut self.free);
        let (vacancies, components) = (&mut self.vacancies, unit.components.len());
        occupancy.start(&criteria, &self.placed[number]);
        count_conflicts(unit, &self.placed, &mut occupancy.conflicts, |count| {
            *count += 1
        });
        let mut picker = HostPicker::new(&criteria, occupancy);
        let placed = &mut self.placed[number];
        while placed.len() < replicas as usize {
            let fits = |host| {
                let is_known = occupancy.on_host[host as usize] > 0;
                let has_room = is_known || vacancies[host as usize] >= components;
                Some(host) != lost && has_room && criteria.fits(host, occupancy, free)
            };
            let picked = match allowed_hosts(unit, &self.homes) {
                AllowedHosts::None => None,
                AllowedHosts::Only(host) => Some(host).filter(|host| fits(*host)),
                AllowedHosts::Any => picker.next(&criteria, occupancy, &mut self.rankings, fits),
            };
            let Some(host) = picked else {
                // With the bound updated, further units that are too heavy return without a search.
                self.free_max = free.iter().max().copied().unwrap_or_default();
                break;
            };
            placed.push(host);
            free[host as usize] -= unit.weight;
            if occupancy.on_host[host as usize] == 0 {
                vacancies[host as usize] -= components;
            }
            occupancy.add(&criteria, host);
            picker.placed(&criteria, occupancy, host);
            for store in &unit.stores {
                self.homes[*store].get_or_insert(Home::Chosen(host));
            }
            // Units with stores are placed before the other units of their group. From now on the
            // groups of all units with these stores rank the host first, as they will once the
            // stores exist, placed or not. So creating the stores moves no unit.
            for other in self
                .units
                .all
                .iter()
                .filter(|other| shares_store(other, unit))
            {
                if allowed_hosts(other, &self.homes) == AllowedHosts::Only(host) {
                    self.rankings.rank_first(other.group, host);
                }
            }
        }
        occupancy.end(placed);
        count_conflicts(unit, &self.placed, &mut occupancy.conflicts, |count| {
            *count -= 1
        });
    }
}

/// True if a unit has a store of `unit`; `unit` itself does if it has one.
fn shares_store(other: &Unit<'_>, unit: &Unit<'_>) -> bool {
    unit.stores.iter().any(|store| other.stores.contains(store))
}

/// Changes the conflict counts of the hosts of all units with an anti-affinity to `unit`.
fn count_conflicts(
    unit: &Unit<'_>,
    placed: &[Vec<HostNumber>],
    conflicts: &mut [u32],
    change: impl Fn(&mut u32),
) {
    for host in unit.anti_affinity.iter().flat_map(|other| &placed[*other]) {
        change(&mut conflicts[*host as usize]);
    }
}

fn allowed_hosts(unit: &Unit<'_>, homes: &[Option<Home>]) -> AllowedHosts {
    let mut allowed = AllowedHosts::Any;
    for home in unit
        .stores
        .iter()
        .filter_map(|store| homes[*store].as_ref())
    {
        allowed = match (home, allowed) {
            (Home::Unavailable(_), _) => return AllowedHosts::None,
            (Home::Existing(host) | Home::Chosen(host), AllowedHosts::Any) => {
                AllowedHosts::Only(*host)
            }
            (Home::Existing(host) | Home::Chosen(host), allowed)
                if allowed == AllowedHosts::Only(*host) =>
            {
                allowed
            }
            (Home::Existing(_) | Home::Chosen(_), _) => return AllowedHosts::None,
        };
    }
    allowed
}
