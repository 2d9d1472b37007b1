//! The order in which a group of linked components ranks hosts.
//!
//! The rank of a host for a group is the lowest of its ranks for the members. So a group ranks
//! hosts as randomly as a single component, and a new member seldom changes the first host: in a
//! group of n + 1 members, the new one determines it with a probability of 1 / (n + 1).

use std::collections::BTreeSet;

use super::hash::rank;
use super::hosts::{HostNumber, Hosts};

/// Approximate number of best hosts that are found for each group at first. Most components need no
/// more, and sorting all hosts takes longer than ranking them.
const HEAD_LENGTH: u64 = 32;

/// Maximum number of cached places of complete rankings, in 64 MiB: enough for a thousand hosts and
/// thirty thousand groups. Beyond that, rankings are computed again when needed.
const CACHED_PLACES_MAX: usize = 32 << 20;

/// The low bits of a sorted entry, which hold the host number. The high bits hold the rank.
const NUMBER_BITS: u64 = 0xffff;

/// Components that rank hosts alike.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The seeds of the members.
    pub(super) seeds: Vec<u64>,
    /// The hosts with stores of members, which come first whatever their ranks.
    pub(super) first: BTreeSet<HostNumber>,
}

#[derive(Debug)]
pub(super) struct Rankings {
    groups: Vec<Group>,
    /// By group: the best hosts, or all of them once so many were needed. Host numbers have 16
    /// bits.
    orders: Vec<Box<[u16]>>,
    /// Number of places in complete orders.
    cached_places: usize,
    scratch: Vec<u64>,
    /// By host: whether the head under construction contains the host.
    is_in_head: Vec<bool>,
}

impl Rankings {
    pub(super) fn new(groups: Vec<Group>, hosts: usize) -> Rankings {
        Rankings {
            orders: vec![Box::default(); groups.len()],
            groups,
            cached_places: 0,
            scratch: Vec::new(),
            is_in_head: vec![false; hosts],
        }
    }

    /// The components of a group, and the hosts that come first.
    pub(super) fn group(&self, group: usize) -> &Group {
        &self.groups[group]
    }

    /// Ranks a host before all hosts that were not passed to this function.
    pub(super) fn rank_first(&mut self, group: usize, host: HostNumber) {
        if self.groups[group].first.insert(host) {
            self.orders[group] = Box::default();
        }
    }

    /// Returns some of the hosts from a place in the ranking of a group on; empty only at the end
    /// of the ranking.
    pub(super) fn hosts_from(
        &mut self,
        hosts: &Hosts<'_>,
        group: usize,
        place: usize,
    ) -> impl Iterator<Item = HostNumber> {
        if self.orders[group].is_empty() {
            self.orders[group] = self.head(hosts, group);
        }
        if place >= self.orders[group].len() && place < hosts.len() {
            self.rank_all(hosts, group);
        }
        let order = self.orders[group].get(place..).unwrap_or_default();
        order.iter().map(|number| HostNumber::from(*number))
    }

    /// Finds the first hosts of the ranking: all with a rank below a threshold, which does not need
    /// a list of all ranks. Their number varies.
    fn head(&mut self, hosts: &Hosts<'_>, group: usize) -> Box<[u16]> {
        let Group { seeds, first } = &self.groups[group];
        let ranks = (seeds.len() as u64) * (hosts.len() as u64);
        let threshold = if ranks <= HEAD_LENGTH {
            u64::MAX
        } else {
            // With all low bits set, the comparison depends on the high bits alone, as do entries.
            (u64::MAX / ranks * HEAD_LENGTH) | NUMBER_BITS
        };
        let head = &mut self.scratch;
        head.clear();
        head.extend(first.iter().map(|host| u64::from(*host)));
        for seed in seeds {
            for (host_seed, number) in hosts.seeds.iter().zip(0..) {
                let rank = rank(*seed, *host_seed);
                if rank <= threshold {
                    head.push(entry(rank, number));
                }
            }
        }
        head.sort_unstable();
        let is_in_head = &mut self.is_in_head;
        // Of several entries of a host, the lowest one comes first and stays.
        head.retain(|entry| !std::mem::replace(&mut is_in_head[number(*entry) as usize], true));
        for entry in head.iter() {
            is_in_head[number(*entry) as usize] = false;
        }
        order(head)
    }

    /// Ranks all hosts.
    fn rank_all(&mut self, hosts: &Hosts<'_>, group: usize) {
        if self.cached_places > CACHED_PLACES_MAX {
            let full = self
                .orders
                .iter_mut()
                .filter(|order| order.len() == hosts.len());
            full.for_each(|order| *order = Box::default());
            self.cached_places = 0;
        }
        fill(&mut self.scratch, hosts, &self.groups[group]);
        self.orders[group] = order(&self.scratch);
        self.cached_places += hosts.len();
    }
}

fn order(entries: &[u64]) -> Box<[u16]> {
    entries.iter().map(|entry| number(*entry)).collect()
}

/// Fills `ranks` with one entry for each host, the best first.
fn fill(ranks: &mut Vec<u64>, hosts: &Hosts<'_>, group: &Group) {
    ranks.clear();
    ranks.resize(hosts.len(), u64::MAX);
    for seed in &group.seeds {
        for (best, host_seed) in ranks.iter_mut().zip(&hosts.seeds) {
            *best = rank(*seed, *host_seed).min(*best);
        }
    }
    for (entry, number) in ranks.iter_mut().zip(0..) {
        *entry = self::entry(*entry, number);
    }
    for host in &group.first {
        ranks[*host as usize] = u64::from(*host);
    }
    ranks.sort_unstable();
}

/// The rank of a host with the host number in the low bits, so that hosts with equal high bits are
/// in the order of their ids.
fn entry(rank: u64, host: u64) -> u64 {
    (rank & !NUMBER_BITS) | host
}

fn number(entry: u64) -> u16 {
    (entry & NUMBER_BITS) as u16
}
