//! The table of hosts: numbered in the order of their ids, with a column for each label.

use std::collections::BTreeMap;

use super::hash::host_seed;
use super::host::{HOSTS_MAX, Host, HostState};
use super::id::HostId;
use crate::label::{LabelName, LabelValue, LabelValues};

/// The number of a host, in the order of ids.
pub(super) type HostNumber = u32;
/// The number of a label value; 0 stands for hosts without the label.
pub(super) type ValueNumber = u32;

#[derive(Debug)]
pub(super) struct Hosts<'a> {
    pub(super) all: Vec<&'a Host>,
    pub(super) seeds: Vec<u64>,
    columns: BTreeMap<&'a LabelName, Column<'a>>,
    has_frozen: bool,
}

/// The values of one label, for all hosts.
#[derive(Debug)]
pub(super) struct Column<'a> {
    numbers: BTreeMap<&'a LabelValue, ValueNumber>,
    /// By host number.
    pub(super) of_host: Vec<ValueNumber>,
    /// The values of hosts that are not draining, each once.
    pub(super) open: Vec<ValueNumber>,
}

impl<'a> Hosts<'a> {
    pub(super) fn new(hosts: impl Iterator<Item = &'a Host>) -> Hosts<'a> {
        let mut all: Vec<_> = hosts.collect();
        // Sorts by all fields, so that of two hosts with the same id, which is a mistake, every
        // host of the lattice plans with the same one, whatever the order of the input.
        all.sort_unstable();
        all.dedup_by(|second, first| second.id == first.id);
        all.truncate(HOSTS_MAX);
        let mut columns = BTreeMap::new();
        for (host, number) in all.iter().zip(0..) {
            for (name, value) in &host.labels {
                let column = columns
                    .entry(name)
                    .or_insert_with(|| Column::new(all.len()));
                column.set(number, value);
            }
        }
        for column in columns.values_mut() {
            column.collect_open(&all);
        }
        Hosts {
            has_frozen: all
                .iter()
                .any(|host| matches!(host.state, HostState::Frozen { .. })),
            seeds: all.iter().map(|host| host_seed(&host.id)).collect(),
            all,
            columns,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn has_frozen(&self) -> bool {
        self.has_frozen
    }

    pub(super) fn number(&self, id: &HostId) -> Option<HostNumber> {
        let place = self.all.binary_search_by(|host| host.id.cmp(id)).ok()?;
        HostNumber::try_from(place).ok()
    }

    pub(super) fn column(&self, name: &LabelName) -> Option<&Column<'a>> {
        self.columns.get(name)
    }

    /// Returns the matcher for hosts with one of the values; `None` if it would match no host.
    pub(super) fn matching(
        &self,
        name: &LabelName,
        values: &LabelValues,
    ) -> Option<LabelMatch<'_>> {
        let column = self.columns.get(name)?;
        let values = values.as_slice().iter();
        let values: Vec<_> = values
            .filter_map(|value| column.numbers.get(value).copied())
            .collect();
        (!values.is_empty()).then_some(LabelMatch {
            of_host: &column.of_host,
            values,
        })
    }
}

impl<'a> Column<'a> {
    fn new(hosts: usize) -> Column<'a> {
        Column {
            numbers: BTreeMap::new(),
            of_host: vec![0; hosts],
            open: Vec::new(),
        }
    }

    fn set(&mut self, host: HostNumber, value: &'a LabelValue) {
        // Cannot overflow: a label has at most one value for each host.
        let next = ValueNumber::try_from(self.numbers.len() + 1).unwrap_or(ValueNumber::MAX);
        let number = *self.numbers.entry(value).or_insert(next);
        self.of_host[host as usize] = number;
    }

    fn collect_open(&mut self, all: &[&Host]) {
        let hosts = all.iter().zip(&self.of_host);
        let open = hosts.filter(|(host, _)| host.state != HostState::Draining);
        self.open = open.map(|(_, value)| *value).collect();
        self.open.sort_unstable();
        self.open.dedup();
    }

    /// Number of values, including the one for hosts without the label.
    pub(super) fn values_count(&self) -> usize {
        self.numbers.len() + 1
    }
}

/// Matches hosts by the value of a label.
#[derive(Debug)]
pub(super) struct LabelMatch<'h> {
    of_host: &'h [ValueNumber],
    values: Vec<ValueNumber>,
}

impl LabelMatch<'_> {
    pub(super) fn matches(&self, host: HostNumber) -> bool {
        self.values.contains(&self.of_host[host as usize])
    }
}
