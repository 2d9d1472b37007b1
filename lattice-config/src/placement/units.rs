//! The units of placement, and the groups in which they rank hosts.
//!
//! A *unit* is a single component, or all components that are joined by fused links: those share a
//! wasmtime store, so they are placed as one and have the requirements of all. A *group* is all
//! units of an app that are joined by links, directly or indirectly, or by a common host-local
//! store; its units rank hosts alike. Units of a group with an anti-affinity are in *subgroups*
//! that rank hosts differently. Otherwise they would always compete for the same hosts, and each
//! move of one would displace another.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::Input;
use super::hash::component_seed;
use super::id::{ComponentId, StoreId};
use super::ranking::Group;
use crate::app::{App, ComponentSpec, Locality, REPLICAS_MAX};
use crate::label::{LabelName, LabelValues};
use crate::name::{AppName, ComponentName};

#[derive(Debug)]
pub(super) struct Unit<'a> {
    pub(super) app: &'a AppName,
    /// At least one component, in the order of names.
    pub(super) components: Vec<&'a ComponentName>,
    pub(super) replicas: u32,
    pub(super) weight: u64,
    pub(super) require: Vec<(&'a LabelName, &'a LabelValues)>,
    pub(super) prefer: Vec<(&'a LabelName, &'a LabelValues)>,
    pub(super) spread: Option<&'a LabelName>,
    pub(super) one_per_host: bool,
    /// The numbers of the units that must not run on the same host as this one.
    pub(super) anti_affinity: Vec<usize>,
    /// The numbers of the host-local stores that its components are linked to.
    pub(super) stores: Vec<usize>,
    /// The number of the subgroup by which the unit ranks hosts.
    pub(super) group: usize,
    since: u64,
}

#[derive(Debug, Default)]
pub(super) struct Units<'a> {
    pub(super) all: Vec<Unit<'a>>,
    pub(super) groups: Vec<Group>,
    pub(super) stores: Vec<StoreId>,
}

impl<'a> Units<'a> {
    pub(super) fn new(input: &Input<'a>) -> Units<'a> {
        let mut apps: Vec<_> = input.apps.iter().collect();
        apps.sort_by_key(|desired| (&desired.app.metadata.name, desired.since));
        apps.dedup_by_key(|desired| &desired.app.metadata.name);
        let mut units = Units::default();
        for desired in apps {
            AppUnits::new(desired.app, input).add_to(&mut units, desired.since);
        }
        units
    }

    /// The order in which units are placed, which matters if capacity is short: units with a
    /// smaller choice of hosts first, then those of older apps, then heavier ones, which fit into
    /// fewer gaps.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.all.len()).collect();
        order.sort_by_cached_key(|number| {
            let unit = &self.all[*number];
            let choice = match (unit.stores.is_empty(), unit.require.is_empty()) {
                (false, _) => 0,
                (true, false) => 1,
                (true, true) => 2,
            };
            // The number stands for the name: units are numbered in the order of names.
            (
                choice,
                unit.since,
                unit.app,
                u64::MAX - unit.weight,
                *number,
            )
        });
        order
    }
}

/// The units of one app, under construction.
struct AppUnits<'a, 'i> {
    app: &'a App,
    input: &'i Input<'a>,
    /// In the order of names.
    components: Vec<&'a ComponentSpec>,
    numbers: BTreeMap<&'a str, usize>,
    /// The host-local stores, each with its linked components.
    stores: BTreeMap<&'a str, Vec<usize>>,
    fused: Partition,
    linked: Partition,
}

impl<'a, 'i> AppUnits<'a, 'i> {
    fn new(app: &'a App, input: &'i Input<'a>) -> AppUnits<'a, 'i> {
        let mut components: Vec<_> = app.spec.components.iter().collect();
        components.sort_by_key(|component| &component.name);
        let names = components.iter().map(|it| it.name.as_str());
        let providers = app.spec.providers.iter();
        let stores = providers.filter(|provider| input.local_stores.contains(&provider.kind));
        let mut units = AppUnits {
            numbers: names.zip(0..).collect(),
            stores: stores.map(|it| (it.name.as_str(), Vec::new())).collect(),
            fused: Partition::new(components.len()),
            linked: Partition::new(components.len()),
            app,
            input,
            components,
        };
        units.join_links();
        units
    }

    fn join_links(&mut self) {
        for link in &self.app.spec.links {
            let Some(from) = self.numbers.get(link.from.as_str()).copied() else {
                continue;
            };
            if let Some(to) = self.numbers.get(link.to.as_str()).copied() {
                self.linked.join(from, to);
                if link.locality == Locality::Fused {
                    self.fused.join(from, to);
                }
            } else if let Some(linked) = self.stores.get_mut(link.to.as_str()) {
                if let Some(other) = linked.first() {
                    self.linked.join(*other, from);
                }
                linked.push(from);
            }
        }
    }

    fn add_to(mut self, units: &mut Units<'a>, since: u64) {
        let unit_of = self.add_units(units, since);
        for (component, unit) in self.components.iter().zip(&unit_of) {
            for other in &component.placement.anti_affinity {
                let other = self.numbers.get(other.as_str()).map(|it| unit_of[*it]);
                if let Some(other) = other.filter(|other| other != unit) {
                    units.all[*unit].anti_affinity.push(other);
                    units.all[other].anti_affinity.push(*unit);
                }
            }
        }
        self.add_stores(units, &unit_of);
        self.add_groups(units, &unit_of);
        for unit in unit_of {
            let unit = &mut units.all[unit];
            for list in [&mut unit.anti_affinity, &mut unit.stores] {
                list.sort_unstable();
                list.dedup();
            }
        }
    }

    /// Adds the units, and returns the unit number of each component.
    fn add_units(&mut self, units: &mut Units<'a>, since: u64) -> Vec<usize> {
        let mut unit_of_root = BTreeMap::new();
        let mut unit_of = Vec::with_capacity(self.components.len());
        for (component, number) in self.components.iter().zip(0..) {
            let unit = *unit_of_root
                .entry(self.fused.root(number))
                .or_insert_with(|| {
                    units.all.push(Unit::new(&self.app.metadata.name, since));
                    units.all.len() - 1
                });
            units.all[unit].add(component, self.input);
            unit_of.push(unit);
        }
        unit_of
    }

    fn add_stores(&self, units: &mut Units<'a>, unit_of: &[usize]) {
        for provider in &self.app.spec.providers {
            let Some(linked) = self.stores.get(provider.name.as_str()) else {
                continue;
            };
            for component in linked {
                let unit = &mut units.all[unit_of[*component]];
                unit.stores.push(units.stores.len());
            }
            units.stores.push(StoreId {
                app: self.app.metadata.name.clone(),
                provider: provider.name.clone(),
            });
        }
    }

    /// Adds each unit to the first subgroup of its group without an anti-affinity to a member.
    fn add_groups(&mut self, units: &mut Units<'a>, unit_of: &[usize]) {
        let mut subgroups: BTreeMap<(usize, usize), (usize, Vec<usize>)> = BTreeMap::new();
        let mut placed = BTreeMap::new();
        for (component, number) in self.components.iter().zip(0..) {
            let unit = unit_of[number];
            let seed = component_seed(&self.app.metadata.name, &component.name);
            if let Some(group) = placed.get(&unit) {
                let group: &mut Group = &mut units.groups[*group];
                group.seeds.push(seed);
                continue;
            }
            // Fused components are linked, so every component of a unit has the same root.
            let root = self.linked.root(number);
            let anti_affinity = &units.all[unit].anti_affinity;
            let meets =
                |members: &[usize]| members.iter().any(|member| anti_affinity.contains(member));
            let mut subgroup = 0;
            while subgroups
                .get(&(root, subgroup))
                .is_some_and(|(_, members)| meets(members))
            {
                subgroup += 1;
            }
            let (group, members) = subgroups.entry((root, subgroup)).or_insert_with(|| {
                units.groups.push(Group::default());
                (units.groups.len() - 1, Vec::new())
            });
            members.push(unit);
            units.groups[*group].seeds.push(seed);
            units.all[unit].group = *group;
            placed.insert(unit, *group);
        }
    }
}

impl<'a> Unit<'a> {
    fn new(app: &'a AppName, since: u64) -> Unit<'a> {
        Unit {
            app,
            components: Vec::with_capacity(1),
            replicas: 0,
            weight: 0,
            require: Vec::new(),
            prefer: Vec::new(),
            spread: None,
            one_per_host: false,
            anti_affinity: Vec::new(),
            stores: Vec::new(),
            group: 0,
            since,
        }
    }

    fn add(&mut self, component: &'a ComponentSpec, input: &Input<'_>) {
        let placement = &component.placement;
        self.components.push(&component.name);
        let demand = if input.demand.is_empty() {
            None
        } else {
            let id = ComponentId {
                app: self.app.clone(),
                component: component.name.clone(),
            };
            input.demand.get(&id).copied()
        };
        let replicas = component.replicas.max(demand.unwrap_or(NonZeroU32::MIN));
        self.replicas = self.replicas.max(replicas.get()).min(REPLICAS_MAX);
        self.weight += u64::from(placement.weight.get());
        self.require.extend(&placement.require);
        self.prefer.extend(&placement.prefer);
        self.spread = self.spread.or(placement.spread.as_ref());
        self.one_per_host |= placement.one_per_host;
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ComponentId> {
        self.components.iter().map(|component| ComponentId {
            app: self.app.clone(),
            component: (*component).clone(),
        })
    }
}

/// Disjoint sets of numbers (union-find).
struct Partition {
    parents: Vec<usize>,
}

impl Partition {
    fn new(count: usize) -> Partition {
        Partition {
            parents: (0..count).collect(),
        }
    }

    fn root(&mut self, number: usize) -> usize {
        let mut number = number;
        while self.parents[number] != number {
            self.parents[number] = self.parents[self.parents[number]];
            number = self.parents[number];
        }
        number
    }

    /// Keeps the lower root, so that roots do not depend on the order of links.
    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        let (low, high) = (left.min(right), left.max(right));
        self.parents[high] = low;
    }
}
