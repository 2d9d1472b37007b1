//! The order in which a group of linked components likes hosts.
//!
//! The rank of a host for a group is the lowest of its ranks for the members. So a group ranks hosts as
//! randomly as one component does, and when a component joins it, it seldom changes its mind: of a group of
//! n + 1, the newcomer decides once in n + 1 times.

use super::hash::rank;
use super::hosts::{HostNumber, Hosts};

/// About so many of the best are kept for each group: most components need no more, and all ranks of all
/// groups would be a hundred megabytes in a large lattice.
const HEAD_LENGTH: u64 = 48;

/// The low bits of an entry of a ranking, which hold the number of the host; the others are of its rank.
const NUMBER_BITS: u64 = 0xffff;

/// Components that rank hosts alike.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The seeds of the members.
    pub(super) seeds: Vec<u64>,
    /// The host that comes first whatever its rank: the one with the store of a member.
    pub(super) lead: Option<HostNumber>,
}

#[derive(Debug)]
pub(super) struct Rankings {
    groups: Vec<Group>,
    /// The best hosts of each group, once somebody asked for them.
    heads: Vec<Option<Box<[u64]>>>,
    /// All hosts of the one group that was last asked for more.
    full: (Option<usize>, Vec<u64>),
    /// By host: whether it is in the head that is made.
    is_in_head: Vec<bool>,
}

impl Rankings {
    pub(super) fn new(groups: Vec<Group>, hosts: usize) -> Rankings {
        Rankings {
            heads: (0..groups.len()).map(|_| None).collect(),
            groups,
            full: (None, Vec::new()),
            is_in_head: vec![false; hosts],
        }
    }

    /// The hosts from a place in the ranking of a group on: some of them, and none only if there are none.
    pub(super) fn from(
        &mut self,
        hosts: &Hosts<'_>,
        group: usize,
        place: usize,
    ) -> impl Iterator<Item = HostNumber> {
        if self.heads[group].is_none() {
            self.heads[group] = Some(self.head(hosts, group));
        }
        let head = self.heads[group].as_deref().unwrap_or_default();
        let entries = if place < head.len() || place >= hosts.len() {
            head.get(place..)
        } else {
            if self.full.0 != Some(group) {
                self.full.0 = Some(group);
                fill(&mut self.full.1, hosts, &self.groups[group]);
            }
            self.full.1.get(place..)
        };
        entries
            .unwrap_or_default()
            .iter()
            .map(|entry| number(*entry))
    }

    /// The hosts with a rank below a threshold, which needs no list of all ranks: the first of the ranking,
    /// however many they are.
    fn head(&mut self, hosts: &Hosts<'_>, group: usize) -> Box<[u64]> {
        let Group { seeds, lead } = &self.groups[group];
        let ranks = (seeds.len() as u64) * (hosts.len() as u64);
        let threshold = if ranks <= HEAD_LENGTH {
            u64::MAX
        } else {
            u64::MAX / ranks * HEAD_LENGTH
        };
        let mut head = Vec::with_capacity(2 * HEAD_LENGTH as usize);
        head.extend(lead.map(u64::from));
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
        for entry in &head {
            is_in_head[number(*entry) as usize] = false;
        }
        head.into_boxed_slice()
    }
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
    if let Some(lead) = group.lead {
        ranks[lead as usize] = u64::from(lead);
    }
    ranks.sort_unstable();
}

/// The rank of a host, with the host's number in its low bits: two hosts whose ranks are equal without those
/// are in the order of their ids.
fn entry(rank: u64, host: u64) -> u64 {
    (rank & !NUMBER_BITS) | host
}

fn number(entry: u64) -> HostNumber {
    (entry & NUMBER_BITS) as HostNumber
}
