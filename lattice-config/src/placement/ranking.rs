//! The order in which a group of linked components likes hosts.
//!
//! The rank of a host for a group is the lowest of its ranks for the members. So a group ranks hosts as
//! randomly as one component does, and when a component joins it, it seldom changes its mind: of a group of
//! n + 1, the newcomer decides once in n + 1 times.

use std::collections::BTreeSet;

use super::hash::rank;
use super::hosts::{HostNumber, Hosts};

/// About so many of the best are found for each group at first: most components need no more, and to sort
/// all hosts takes longer than to rank them.
const HEAD_LENGTH: u64 = 32;

/// So many places of rankings of all hosts are kept, in 64 MiB: all of them for a thousand hosts and thirty
/// thousand groups. Beyond that they are made anew when they are needed.
const CACHED_PLACES_MAX: usize = 32 << 20;

/// The low bits of an entry that is sorted, which hold the number of the host; the others are of its rank.
const NUMBER_BITS: u64 = 0xffff;

/// Components that rank hosts alike.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The seeds of the members.
    pub(super) seeds: Vec<u64>,
    /// The hosts that come first whatever their ranks: those with the stores of members.
    pub(super) first: BTreeSet<HostNumber>,
}

#[derive(Debug)]
pub(super) struct Rankings {
    groups: Vec<Group>,
    /// By group: the best hosts, or all of them, once somebody asked for so many. Host numbers have 16 bits.
    orders: Vec<Box<[u16]>>,
    /// The places in those orders that have all hosts.
    cached_places: usize,
    scratch: Vec<u64>,
    /// By host: whether it is in the head that is made.
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

    /// Puts a host before all others that do not host as well.
    pub(super) fn rank_first(&mut self, group: usize, host: HostNumber) {
        if self.groups[group].first.insert(host) {
            self.orders[group] = Box::default();
        }
    }

    /// The hosts from a place in the ranking of a group on: some of them, and none only if there are none.
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

    /// The hosts with a rank below a threshold, which needs no list of all ranks: the first of the ranking,
    /// however many they are.
    fn head(&mut self, hosts: &Hosts<'_>, group: usize) -> Box<[u16]> {
        let Group { seeds, first } = &self.groups[group];
        let ranks = (seeds.len() as u64) * (hosts.len() as u64);
        let threshold = if ranks <= HEAD_LENGTH {
            u64::MAX
        } else {
            // Whatever is above is above without the low bits, too, which entries do not have.
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
        // The lowest of the ranks of a host counts.
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

/// Lists one entry for each host, the best first.
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

/// The rank of a host, with the host's number in its low bits: two hosts whose ranks are equal without those
/// are in the order of their ids.
fn entry(rank: u64, host: u64) -> u64 {
    (rank & !NUMBER_BITS) | host
}

fn number(entry: u64) -> u16 {
    (entry & NUMBER_BITS) as u16
}
