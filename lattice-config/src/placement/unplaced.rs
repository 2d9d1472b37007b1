//! Components with fewer replicas than desired, and the reasons.

use std::cmp::Reverse;
use std::fmt;

use serde::Serialize;

use super::host::{COMPONENTS_MAX, HostState};
use super::hosts::{HostNumber, LabelMatch};
use super::id::{ComponentId, HostId, StoreId};
use super::placer::{Home, Placer};
use super::units::Unit;
use crate::label::{LabelName, LabelValue};
use crate::name::ComponentName;
use crate::quote::quoted_list;

/// A component with fewer replicas than desired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Unplaced {
    /// The component.
    pub component: ComponentId,
    /// Number of desired replicas.
    pub wanted: u32,
    /// Number of replicas with a host.
    pub placed: u32,
    /// The reasons why no host can get one more replica. Each host counts for one reason.
    pub reasons: Vec<Reason>,
}

/// The reason why some hosts cannot get one more replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reason {
    /// The first of possibly several causes on the host.
    #[serde(flatten)]
    pub cause: Cause,
    /// Number of hosts with this cause.
    pub hosts: usize,
}

/// The cause that prevents a replica on a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(
    tag = "cause",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Cause {
    /// The lattice has no live host.
    NoHosts,
    /// The component is linked to a store on a host that is not alive.
    StoreAway {
        /// The store.
        store: StoreId,
        /// The host of the store.
        home: HostId,
    },
    /// The component is linked to a store on another host.
    StoreElsewhere {
        /// The store.
        store: StoreId,
        /// The host of the store.
        home: HostId,
    },
    /// The host is draining.
    Draining,
    /// The host is frozen: its connection to the bus is lost or not yet stable.
    Frozen,
    /// The host does not have a required label.
    Label {
        /// The name of the label.
        name: LabelName,
        /// The accepted values.
        values: Vec<LabelValue>,
    },
    /// The host runs a component to which this one has an anti-affinity.
    AntiAffinity {
        /// The other component.
        other: ComponentName,
    },
    /// The host runs a replica already, and the component is limited to one per host.
    OnePerHost,
    /// The host has as many components as it may have.
    Full {
        /// The most components of a host.
        components_max: usize,
    },
    /// The host has too little free capacity.
    Capacity {
        /// The weight of a replica, including the components that are fused with it.
        weight: u64,
    },
}

/// Finds the reasons for a unit, those of the most hosts first.
pub(super) fn reasons(placer: &Placer<'_>, unit: usize) -> Vec<Reason> {
    let hosts = placer.hosts.len();
    if hosts == 0 {
        let cause = Cause::NoHosts;
        return vec![Reason { cause, hosts }];
    }
    let explainer = Explainer::new(placer, unit);
    let mut counts: Vec<(Obstacle, usize)> = Vec::new();
    for (host, _) in (0..).zip(&placer.hosts.all) {
        let obstacle = explainer.obstacle(host);
        // A linear search, because there are few distinct obstacles.
        match counts.iter_mut().find(|(it, _)| *it == obstacle) {
            Some((_, count)) => *count += 1,
            None => counts.push((obstacle, 1)),
        }
    }
    counts.sort_unstable_by_key(|(obstacle, hosts)| (Reverse(*hosts), *obstacle));
    let reasons = counts.into_iter().map(|(obstacle, hosts)| Reason {
        cause: explainer.cause(obstacle),
        hosts,
    });
    reasons.collect()
}

/// A cause in numbers, cheap enough to be computed for every host. Ordered from causes that no plan
/// can remove to those that another plan could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    /// The number of a store.
    Store(usize),
    /// The index of a label requirement of the unit.
    Label(usize),
    Draining,
    Frozen,
    /// The number of a unit.
    AntiAffinity(usize),
    OnePerHost,
    Full,
    Capacity,
}

pub(super) struct Explainer<'p, 'a> {
    placer: &'p Placer<'a>,
    unit: &'p Unit<'a>,
    /// The matcher of each label requirement; `None` if it matches no host.
    require: Vec<Option<LabelMatch<'p>>>,
    /// The hosts of the replicas of the unit.
    placed: &'p [HostNumber],
}

impl<'p, 'a> Explainer<'p, 'a> {
    pub(super) fn new(placer: &'p Placer<'a>, number: usize) -> Explainer<'p, 'a> {
        let unit = &placer.units.all[number];
        let require = unit.require.iter();
        Explainer {
            placer,
            unit,
            require: require
                .map(|(name, values)| placer.hosts.matching(name, values))
                .collect(),
            placed: &placer.placed[number],
        }
    }

    /// The cause that prevents one more replica on the host; `None` if it fits.
    pub(super) fn cause_on(&self, host: HostNumber) -> Option<Cause> {
        let obstacle = self.obstacle(host);
        let fits =
            obstacle == Obstacle::Capacity && self.placer.free[host as usize] >= self.unit.weight;
        (!fits).then(|| self.cause(obstacle))
    }

    /// Returns the first obstacle to one more replica on the host; the capacity if there is no
    /// other one.
    fn obstacle(&self, host: HostNumber) -> Obstacle {
        let (placer, unit) = (self.placer, self.unit);
        let mut stores = unit.stores.iter();
        let is_elsewhere = |store: &&usize| match &placer.homes[**store] {
            Some(Home::Existing(at) | Home::Chosen(at)) => *at != host,
            Some(Home::Unavailable(_)) => true,
            None => false,
        };
        if let Some(store) = stores.find(is_elsewhere) {
            return Obstacle::Store(*store);
        }
        let lacks = |label: &Option<LabelMatch<'_>>| {
            !label.as_ref().is_some_and(|label| label.matches(host))
        };
        if let Some(place) = self.require.iter().position(lacks) {
            return Obstacle::Label(place);
        }
        match &placer.hosts.all[host as usize].state {
            HostState::Draining => return Obstacle::Draining,
            HostState::Frozen { runs } if !unit.ids().all(|id| runs.contains(&id)) => {
                return Obstacle::Frozen;
            }
            HostState::Frozen { .. } | HostState::Ready => {}
        }
        let mut others = unit.anti_affinity.iter();
        if let Some(other) = others.find(|other| placer.placed[**other].contains(&host)) {
            Obstacle::AntiAffinity(*other)
        } else if unit.one_per_host && self.placed.contains(&host) {
            Obstacle::OnePerHost
        } else if !self.placed.contains(&host)
            && placer.vacancies[host as usize] < unit.components.len()
        {
            Obstacle::Full
        } else {
            Obstacle::Capacity
        }
    }

    fn cause(&self, obstacle: Obstacle) -> Cause {
        let (placer, unit) = (self.placer, self.unit);
        match obstacle {
            Obstacle::Store(number) => {
                let store = placer.units.stores[number].clone();
                match &placer.homes[number] {
                    Some(home @ (Home::Existing(_) | Home::Chosen(_))) => Cause::StoreElsewhere {
                        store,
                        home: placer.home_id(home),
                    },
                    Some(Home::Unavailable(home)) => Cause::StoreAway {
                        store,
                        home: home.clone(),
                    },
                    // Unreachable: `obstacle` does not return a store without a host.
                    None => Cause::NoHosts,
                }
            }
            Obstacle::Label(place) => {
                let (name, values) = unit.require[place];
                Cause::Label {
                    name: name.clone(),
                    values: values.as_slice().to_vec(),
                }
            }
            Obstacle::Draining => Cause::Draining,
            Obstacle::Frozen => Cause::Frozen,
            Obstacle::AntiAffinity(other) => Cause::AntiAffinity {
                other: placer.units.all[other].components[0].clone(),
            },
            Obstacle::OnePerHost => Cause::OnePerHost,
            Obstacle::Full => Cause::Full {
                components_max: COMPONENTS_MAX,
            },
            Obstacle::Capacity => Cause::Capacity {
                weight: unit.weight,
            },
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, self.hosts) {
            (Cause::NoHosts, _) => self.cause.fmt(formatter),
            (cause, 1) => write!(formatter, "1 host: {cause}"),
            (cause, hosts) => write!(formatter, "{hosts} hosts: {cause}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHosts => formatter.write_str("the lattice has no live host"),
            Self::StoreAway { store, home } => write!(
                formatter,
                "the linked store `{store}` is on host `{home}`, which is not alive"
            ),
            Self::StoreElsewhere { store, home } => {
                write!(formatter, "the linked store `{store}` is on host `{home}`")
            }
            Self::Draining => formatter.write_str("draining"),
            Self::Frozen => {
                formatter.write_str("placement is paused until the connection to the bus is stable")
            }
            Self::Label { name, values } => {
                let one_of = if values.len() > 1 { "one of " } else { "" };
                let values = quoted_list(values.iter().map(LabelValue::as_str));
                write!(formatter, "label `{name}` is not {one_of}{values}")
            }
            Self::AntiAffinity { other } => {
                write!(formatter, "`{other}` is placed there (`anti-affinity`)")
            }
            Self::OnePerHost => formatter.write_str("a replica is placed there (`one-per-host`)"),
            Self::Full { components_max } => {
                write!(
                    formatter,
                    "the limit of {components_max} components is reached"
                )
            }
            Self::Capacity { weight } => {
                write!(formatter, "less free capacity than the weight of {weight}")
            }
        }
    }
}
