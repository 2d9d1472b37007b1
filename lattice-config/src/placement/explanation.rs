//! The standing of every host towards a component: its place in the ranking, and what prevents or
//! allows a replica there. Hosts that take no part in placement, such as dead ones, are included.

use std::collections::BTreeMap;

use super::Input;
use super::hash::{host_seed, rank};
use super::host::Host;
use super::hosts::{Column, HostNumber};
use super::id::{ComponentId, HostId};
use super::placer::{Home, Placer};
use super::units::Unit;
use super::unplaced::{Cause, Explainer};
use crate::label::{LabelName, LabelValues};
use crate::name::AppName;

/// The inputs and the outcome of the placement of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The components that are placed as one with it by fused links, itself included.
    pub together: Vec<ComponentId>,
    /// The weight of a replica of all of them.
    pub weight: u64,
    /// The number of desired replicas.
    pub wanted: u32,
    /// The labels that a host must have.
    pub require: Vec<(LabelName, LabelValues)>,
    /// The labels that a host should have.
    pub prefer: Vec<(LabelName, LabelValues)>,
    /// The label over whose values replicas are spread.
    pub spread: Option<LabelName>,
    /// All hosts, in the order in which the component ranks them.
    pub hosts: Vec<HostFit>,
}

/// The standing of a host towards a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFit {
    /// The host.
    pub host: HostId,
    /// True if the host takes part in placement.
    pub takes_part: bool,
    /// Number of replicas that the plan has there.
    pub replicas: usize,
    /// The declared capacity; `None` for no limit.
    pub capacity: Option<u64>,
    /// The capacity that the plan leaves free; `None` for no limit.
    pub free: Option<u64>,
    /// The preferred labels that the host does not have.
    pub unmet: Vec<LabelName>,
    /// Number of replicas on hosts with the same value of the spread label.
    pub same_value: usize,
    /// The cause that prevents one more replica; `None` if it fits. For a host that takes no part,
    /// as if it did.
    pub obstacle: Option<Cause>,
}

/// Explains the placement of all components, or of those of one app. `absent` are the hosts that
/// take no part.
#[must_use]
pub fn explain(
    input: &Input<'_>,
    absent: &[Host],
    app: Option<&AppName>,
) -> BTreeMap<ComponentId, Explanation> {
    let mut placer = Placer::new(input, input.hosts.iter());
    placer.place_all();
    let units = placer.units.all.iter().enumerate();
    let units = units.filter(|(_, unit)| app.is_none_or(|app| unit.app == app));
    let explained = units.flat_map(|(number, unit)| {
        let explanation = explanation(&placer, number, absent);
        unit.ids().map(move |id| (id, explanation.clone()))
    });
    explained.collect()
}

fn explanation(placer: &Placer<'_>, number: usize, absent: &[Host]) -> Explanation {
    let unit = &placer.units.all[number];
    let explainer = Explainer::new(placer, number);
    let present = (0..).zip(&placer.hosts.all);
    let present = present.map(|(at, host)| {
        let place = place(placer, unit, host, Some(at));
        (place, present_fit(placer, number, &explainer, at))
    });
    let absent = absent
        .iter()
        .filter(|host| placer.hosts.number(&host.id).is_none());
    let absent = absent.map(|host| {
        let place = place(placer, unit, host, None);
        (place, absent_fit(placer, unit, host))
    });
    let mut hosts: Vec<_> = present.chain(absent).collect();
    hosts.sort_by(|(left, fit), (right, other)| (left, &fit.host).cmp(&(right, &other.host)));
    let labels = |labels: &[(&LabelName, &LabelValues)]| {
        let labels = labels.iter();
        labels
            .map(|(name, values)| ((*name).clone(), (*values).clone()))
            .collect()
    };
    Explanation {
        together: unit.ids().collect(),
        weight: unit.weight,
        wanted: unit.replicas,
        require: labels(&unit.require),
        prefer: labels(&unit.prefer),
        spread: unit.spread.cloned(),
        hosts: hosts.into_iter().map(|(_, fit)| fit).collect(),
    }
}

/// The place of a host in the ranking of a unit, lower is better: the hosts of its stores come
/// first. Within those, the order is that of ids.
fn place(
    placer: &Placer<'_>,
    unit: &Unit<'_>,
    host: &Host,
    number: Option<HostNumber>,
) -> (bool, u64) {
    let group = placer.rankings.group(unit.group);
    let has_store = match number {
        Some(number) => group.first.contains(&number),
        None => unit
            .stores
            .iter()
            .any(|store| is_home_of(placer, *store, host)),
    };
    if has_store {
        return (false, 0);
    }
    let host_seed = host_seed(&host.id);
    let ranks = group.seeds.iter().map(|seed| rank(*seed, host_seed));
    (true, ranks.min().unwrap_or(u64::MAX))
}

/// True if a store is on a host that takes no part.
fn is_home_of(placer: &Placer<'_>, store: usize, host: &Host) -> bool {
    matches!(&placer.homes[store], Some(Home::Unavailable(home)) if *home == host.id)
}

fn present_fit(
    placer: &Placer<'_>,
    number: usize,
    explainer: &Explainer<'_, '_>,
    at: HostNumber,
) -> HostFit {
    let (unit, placed) = (&placer.units.all[number], &placer.placed[number]);
    let host = placer.hosts.all[at as usize];
    let column = unit.spread.and_then(|label| placer.hosts.column(label));
    let has_same_value = |column: &Column<'_>| {
        let value = column.of_host[at as usize];
        let same = placed.iter();
        same.filter(|other| column.of_host[**other as usize] == value)
            .count()
    };
    HostFit {
        host: host.id.clone(),
        takes_part: true,
        replicas: placed.iter().filter(|other| **other == at).count(),
        capacity: host.capacity,
        free: host.capacity.map(|_| placer.free[at as usize]),
        unmet: unmet(unit, host),
        same_value: column.map_or(0, has_same_value),
        obstacle: explainer.cause_on(at),
    }
}

fn absent_fit(placer: &Placer<'_>, unit: &Unit<'_>, host: &Host) -> HostFit {
    HostFit {
        host: host.id.clone(),
        takes_part: false,
        replicas: 0,
        capacity: host.capacity,
        free: host.capacity,
        unmet: unmet(unit, host),
        same_value: 0,
        obstacle: absent_obstacle(placer, unit, host),
    }
}

/// The cause that would prevent a replica on a host that takes no part. Such a host has no replica
/// of any component, so only its store, its labels and its capacity count.
fn absent_obstacle(placer: &Placer<'_>, unit: &Unit<'_>, host: &Host) -> Option<Cause> {
    let mut stores = unit.stores.iter();
    let elsewhere = stores.find_map(|store| {
        let home = placer.homes[*store].as_ref()?;
        let name = placer.units.stores[*store].clone();
        (!is_home_of(placer, *store, host)).then(|| Cause::StoreElsewhere {
            store: name,
            home: placer.home_id(home),
        })
    });
    let label = || {
        let mut require = unit.require.iter();
        let lacking = require.find(|(name, values)| !has_label(host, name, values));
        lacking.map(|(name, values)| Cause::Label {
            name: (*name).clone(),
            values: values.as_slice().to_vec(),
        })
    };
    let capacity = || {
        let is_small = host.capacity.is_some_and(|capacity| capacity < unit.weight);
        is_small.then_some(Cause::Capacity {
            weight: unit.weight,
        })
    };
    elsewhere.or_else(label).or_else(capacity)
}

fn unmet(unit: &Unit<'_>, host: &Host) -> Vec<LabelName> {
    let prefer = unit.prefer.iter();
    let unmet = prefer.filter(|(name, values)| !has_label(host, name, values));
    unmet.map(|(name, _)| (*name).clone()).collect()
}

fn has_label(host: &Host, name: &LabelName, values: &LabelValues) -> bool {
    let found = host.labels.get(name);
    found.is_some_and(|found| values.as_slice().contains(found))
}
