//! Why a component has fewer replicas than wanted.

use std::cmp::Reverse;
use std::fmt;

use serde::Serialize;

use super::host::HostState;
use super::hosts::{HostNumber, LabelMatch};
use super::id::{HostId, StoreId};
use super::placer::{Home, Placer};
use super::units::Unit;
use crate::label::{LabelName, LabelValue};
use crate::name::ComponentName;
use crate::quote::quoted_list;

/// Why some hosts do not take one more replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reason {
    /// What is in the way. The first thing, if there are several.
    #[serde(flatten)]
    pub cause: Cause,
    /// On how many hosts it is.
    pub hosts: usize,
}

/// What is in the way of a replica on a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(
    tag = "cause",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Cause {
    /// There is no live host.
    NoHosts,
    /// The component is linked to a store of a host that does not live.
    StoreAway {
        /// The store.
        store: StoreId,
        /// Its host.
        home: HostId,
    },
    /// The component is linked to a store on another host.
    StoreElsewhere {
        /// The store.
        store: StoreId,
        /// Its host.
        home: HostId,
    },
    /// The host is about to leave.
    Draining,
    /// The host takes nothing new, because it had no bus a moment ago.
    Frozen,
    /// The host does not have a required label.
    Label {
        /// The name of the label.
        name: LabelName,
        /// The values, of which any would do.
        values: Vec<LabelValue>,
    },
    /// The host runs a component that must not meet this one.
    AntiAffinity {
        /// That component.
        other: ComponentName,
    },
    /// The host has a replica already.
    OnePerHost,
    /// Too little is left of the capacity that the host declares.
    Capacity {
        /// What a replica takes; with those of the components that it is fused with.
        weight: u64,
    },
}

/// The reasons for a unit, those of the most hosts first.
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
        // There are few, and this is done for every host.
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

/// A cause by numbers, because one is found for every host. From what nobody can change to what another
/// plan would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    /// A store, by its number.
    Store(usize),
    /// A requirement of the unit, by its place.
    Label(usize),
    Draining,
    Frozen,
    /// A unit, by its number.
    AntiAffinity(usize),
    OnePerHost,
    Capacity,
}

struct Explainer<'p, 'a> {
    placer: &'p Placer<'a>,
    unit: &'p Unit<'a>,
    /// The hosts that meet each requirement.
    require: Vec<Option<LabelMatch<'p>>>,
    /// The hosts that have replicas of the unit.
    placed: &'p [HostNumber],
}

impl<'p, 'a> Explainer<'p, 'a> {
    fn new(placer: &'p Placer<'a>, number: usize) -> Explainer<'p, 'a> {
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

    /// The first thing in the way of one more replica.
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
                    // Not an obstacle: see `obstacle`.
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
            Obstacle::Capacity => Cause::Capacity {
                weight: unit.weight,
            },
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = match self.hosts {
            1 => "1 host".to_owned(),
            count => format!("{count} hosts"),
        };
        match &self.cause {
            Cause::NoHosts => write!(formatter, "there is no live host"),
            Cause::StoreAway { store, home } => write!(
                formatter,
                "it is linked to `{store}`, which is stored on `{home}`, and that host does not live"
            ),
            Cause::StoreElsewhere { store, home } => write!(
                formatter,
                "it is linked to `{store}`, which is stored on `{home}` and not on {hosts}"
            ),
            Cause::Draining => write!(formatter, "{hosts}: about to leave"),
            Cause::Frozen => write!(formatter, "{hosts}: nothing new until the bus is steady"),
            Cause::Label { name, values } => {
                let values = quoted_list(values.iter().map(LabelValue::as_str));
                write!(formatter, "{hosts}: label `{name}` is not {values}")
            }
            Cause::AntiAffinity { other } => {
                write!(
                    formatter,
                    "{hosts}: `{other}` runs there, which it keeps away from"
                )
            }
            Cause::OnePerHost => write!(formatter, "{hosts}: one runs there already"),
            Cause::Capacity { weight } => {
                write!(
                    formatter,
                    "{hosts}: less capacity left than its weight of {weight}"
                )
            }
        }
    }
}
