//! A second, simple implementation of the placement rules, for the laws to compare with.

use std::collections::BTreeMap;

use weft_lattice_config::placement::{ComponentId, Host, HostId, HostState, Plan, StoreId};
use weft_lattice_config::{App, ComponentSpec, Labels, Locality};

use super::lattice::{LOCAL_STORE, Lattice, count, id_of};

/// A single component, or all components that are fused.
pub(crate) struct Unit<'a> {
    pub(crate) app: &'a App,
    pub(crate) components: Vec<&'a ComponentSpec>,
}

pub(crate) fn units(lattice: &Lattice) -> Vec<Unit<'_>> {
    lattice.apps.iter().flat_map(units_of).collect()
}

fn units_of(app: &App) -> Vec<Unit<'_>> {
    let mut groups: Vec<Vec<&ComponentSpec>> =
        app.spec.components.iter().map(|it| vec![it]).collect();
    for link in app
        .spec
        .links
        .iter()
        .filter(|it| it.locality == Locality::Fused)
    {
        let of = |name: &str, groups: &[Vec<&ComponentSpec>]| {
            groups
                .iter()
                .position(|group| group.iter().any(|it| it.name.as_str() == name))
        };
        let from = of(link.from.as_str(), &groups).expect("a component");
        let to = of(link.to.as_str(), &groups).expect("a component");
        if from != to {
            let joined = groups[to].clone();
            groups[from].extend(joined);
            groups.remove(to);
        }
    }
    for group in &mut groups {
        group.sort_by_key(|component| &component.name);
    }
    groups
        .into_iter()
        .map(|components| Unit { app, components })
        .collect()
}

impl Unit<'_> {
    pub(crate) fn ids(&self) -> impl Iterator<Item = ComponentId> {
        self.components.iter().map(|it| id_of(self.app, &it.name))
    }

    pub(crate) fn id(&self) -> ComponentId {
        id_of(self.app, &self.components[0].name)
    }

    pub(crate) fn replicas(&self, lattice: &Lattice) -> usize {
        let of = |component: &&ComponentSpec| {
            let demand = lattice.demand.get(&id_of(self.app, &component.name));
            demand
                .map_or(0, |it| it.get())
                .max(component.replicas.get()) as usize
        };
        self.components.iter().map(of).max().expect("a component")
    }

    pub(crate) fn spread_value<'h>(&self, labels: &'h Labels) -> Option<Option<&'h str>> {
        let mut spreads = self
            .components
            .iter()
            .map(|it| it.placement.spread.as_ref());
        let spread = spreads.find_map(|it| it)?;
        Some(labels.get(spread).map(|it| it.as_str()))
    }

    pub(crate) fn is_one_per_host(&self) -> bool {
        self.components.iter().any(|it| it.placement.one_per_host)
    }

    pub(crate) fn weight(&self) -> u64 {
        let weights = self
            .components
            .iter()
            .map(|it| u64::from(it.placement.weight.get()));
        weights.sum()
    }

    /// Returns whether the labels and the state of the host allow a replica.
    pub(crate) fn may_run_on(&self, host: &Host) -> bool {
        let has_labels = self.components.iter().all(|component| {
            let mut required = component.placement.require.iter();
            required.all(|(name, values)| {
                host.labels
                    .get(name)
                    .is_some_and(|it| values.as_slice().contains(it))
            })
        });
        let is_open = match &host.state {
            HostState::Ready => true,
            HostState::Draining => false,
            HostState::Frozen { runs } => self.ids().all(|id| runs.contains(&id)),
        };
        has_labels && is_open
    }

    pub(crate) fn stores(&self) -> Vec<StoreId> {
        let links = self.app.spec.links.iter();
        let links = links.filter(|link| self.components.iter().any(|it| it.name == link.from));
        links
            .filter_map(|link| {
                let mut providers = self.app.spec.providers.iter();
                let provider = providers.find(|it| it.name.as_str() == link.to.as_str())?;
                (provider.kind == LOCAL_STORE).then(|| StoreId {
                    app: self.app.metadata.name.clone(),
                    provider: provider.name.clone(),
                })
            })
            .collect()
    }

    /// The components with an anti-affinity to this unit, in either direction.
    pub(crate) fn apart(&self) -> Vec<ComponentId> {
        let names: Vec<_> = self.components.iter().map(|it| &it.name).collect();
        let others = self.app.spec.components.iter().filter(|other| {
            let names_other = self
                .components
                .iter()
                .any(|it| it.placement.anti_affinity.contains(&other.name));
            let is_named = other
                .placement
                .anti_affinity
                .iter()
                .any(|it| names.contains(&it));
            !names.contains(&&other.name) && (names_other || is_named)
        });
        others.map(|it| id_of(self.app, &it.name)).collect()
    }

    /// Returns whether one more replica fits on the host besides the replicas of the plan.
    pub(crate) fn fits_too(&self, lattice: &Lattice, plan: &Plan, host: &Host) -> bool {
        let runs = |id: &ComponentId| plan.assignments[id].contains(&host.id);
        let free = host
            .capacity
            .map(|capacity| capacity - load(lattice, plan, &host.id));
        let mut homes = self
            .stores()
            .into_iter()
            .filter_map(|it| plan.homes.get(&it));
        self.may_run_on(host)
            && !self.apart().iter().any(runs)
            && !(self.is_one_per_host() && runs(&self.id()))
            && free.is_none_or(|free| free >= self.weight())
            && homes.all(|home| *home == host.id)
    }
}

/// The total weight of the replicas that the plan places on a host.
pub(crate) fn load(lattice: &Lattice, plan: &Plan, host: &HostId) -> u64 {
    let loads = lattice.components().map(|(id, _, component)| {
        let replicas = count(&plan.assignments[&id], host) as u64;
        replicas * u64::from(component.placement.weight.get())
    });
    loads.sum()
}

/// The number of replicas of a unit for each value of its spread label.
pub(crate) fn by_value<'l>(
    unit: &Unit<'_>,
    lattice: &'l Lattice,
    plan: &Plan,
) -> BTreeMap<Option<&'l str>, usize> {
    let mut counts = BTreeMap::new();
    for host in &lattice.hosts {
        if let Some(value) = unit.spread_value(&host.labels) {
            *counts.entry(value).or_default() += count(&plan.assignments[&unit.id()], &host.id);
        }
    }
    counts
}
