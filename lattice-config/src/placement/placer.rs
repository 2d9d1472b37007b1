//! Puts units on hosts, one after another, and keeps what is left of each host's capacity.

use super::Input;
use super::host::{Host, HostState};
use super::host_choice::{HostCriteria, HostPicker, Occupancy};
use super::hosts::{HostNumber, Hosts};
use super::id::HostId;
use super::ranking::Rankings;
use super::units::{Unit, Units};

/// What is left of a host that declares no capacity: more than all replicas of a lattice weigh.
const UNLIMITED: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Placer<'a> {
    pub(super) hosts: Hosts<'a>,
    pub(super) units: Units<'a>,
    /// By unit: the hosts of its replicas, in the order in which they were placed.
    pub(super) placed: Vec<Vec<HostNumber>>,
    /// By store.
    pub(super) homes: Vec<Option<Home>>,
    /// By host: the capacity that is left.
    pub(super) free: Vec<u64>,
    /// No host has more capacity left than this.
    free_max: u64,
    rankings: Rankings,
    occupancy: Occupancy,
}

/// The host of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// The store is there.
    Existing(HostNumber),
    /// The store will be there: it does not exist yet, and a unit with it was placed there.
    Chosen(HostNumber),
    /// The store is on a host that does not live.
    Unavailable(HostId),
}

/// Where the stores of a unit let it run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AllowedHosts {
    /// On any host.
    Any,
    /// On this one.
    Only(HostNumber),
    /// On none: a store is away, or two are on different hosts.
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
            // What is linked to a component that is bound to a host wants to be there, too.
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
            rankings,
            occupancy: Occupancy::new(hosts.len()),
            placed: vec![Vec::new(); units.all.len()],
            homes,
            units,
            hosts,
        }
    }

    /// First one replica of everything, then the others: where capacity is short, all of the apps are served
    /// by less rather than some of them by nobody.
    pub(super) fn place_all(&mut self) {
        let mut order = self.units.order();
        for number in &order {
            self.place(*number, 1, None);
        }
        // What found no host at first will find none: there only is less room now.
        order.retain(|number| {
            let placed = self.placed[*number].len();
            placed > 0 && placed < self.units.all[*number].replicas as usize
        });
        for number in order {
            self.place(number, self.units.all[number].replicas, None);
        }
    }

    /// The hosts of a unit if one host, of those it runs on, left; all others stay as they are.
    pub(super) fn without(&mut self, number: usize, lost: HostNumber) -> Vec<HostNumber> {
        let before = std::mem::take(&mut self.placed[number]);
        let weight = self.units.all[number].weight;
        let release = |free: &mut [u64], hosts: &[HostNumber]| {
            for host in hosts {
                free[*host as usize] += weight;
            }
        };
        release(&mut self.free, &before);
        self.free_max = UNLIMITED;
        self.place(number, self.units.all[number].replicas, Some(lost));
        let after = std::mem::replace(&mut self.placed[number], before);
        release(&mut self.free, &after);
        for host in &self.placed[number] {
            self.free[*host as usize] -= weight;
        }
        after
    }

    pub(super) fn allowed_hosts(&self, number: usize) -> AllowedHosts {
        allowed_hosts(&self.units.all[number], &self.homes)
    }

    /// Places replicas of a unit until it has so many or nothing fits.
    fn place(&mut self, number: usize, replicas: u32, lost: Option<HostNumber>) {
        let unit = &self.units.all[number];
        if unit.weight > self.free_max {
            return;
        }
        let Some(criteria) = HostCriteria::new(unit, &self.hosts) else {
            return;
        };
        let (occupancy, free) = (&mut self.occupancy, &mut self.free);
        occupancy.start(&criteria, &self.placed[number]);
        count_conflicts(unit, &self.placed, &mut occupancy.conflicts, |count| {
            *count += 1
        });
        let mut picker = HostPicker::new(&criteria, occupancy);
        let placed = &mut self.placed[number];
        while placed.len() < replicas as usize {
            let fits = |host| Some(host) != lost && criteria.fits(host, occupancy, free);
            let picked = match allowed_hosts(unit, &self.homes) {
                AllowedHosts::None => None,
                AllowedHosts::Only(host) => Some(host).filter(|host| fits(*host)),
                AllowedHosts::Any => picker.next(&criteria, occupancy, &mut self.rankings, fits),
            };
            let Some(host) = picked else {
                // Where all are full, nobody has to look at each host again to know.
                self.free_max = free.iter().max().copied().unwrap_or_default();
                break;
            };
            placed.push(host);
            free[host as usize] -= unit.weight;
            occupancy.add(&criteria, host);
            picker.placed(&criteria, occupancy, host);
            for store in &unit.stores {
                self.homes[*store].get_or_insert(Home::Chosen(host));
            }
            if !unit.stores.is_empty() {
                // Units with stores are placed before the others of their group, which find the host leading
                // as they will when the store exists: to make it moves nothing.
                self.rankings.rank_first(unit.group, host);
            }
        }
        occupancy.end(placed);
        count_conflicts(unit, &self.placed, &mut occupancy.conflicts, |count| {
            *count -= 1
        });
    }
}

/// Changes the occupancy of the hosts of all units that this one must not meet.
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
