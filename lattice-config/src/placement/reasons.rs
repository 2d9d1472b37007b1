//! Why a component has fewer replicas than wanted.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::host::HostState;
use super::hosts::HostNumber;
use super::id::{HostId, StoreId};
use super::placer::{Home, Placer};
use crate::label::{LabelName, LabelValue};
use crate::name::ComponentName;
use crate::text::quoted_list;

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
    let mut counts: BTreeMap<Cause, usize> = BTreeMap::new();
    for (host, _) in (0..).zip(&placer.hosts.all) {
        *counts.entry(cause(placer, unit, host)).or_default() += 1;
    }
    let mut reasons: Vec<_> = counts
        .into_iter()
        .map(|(cause, hosts)| Reason { cause, hosts })
        .collect();
    reasons.sort_by(|left, right| right.hosts.cmp(&left.hosts));
    reasons
}

/// The first thing in the way, from what nobody can change to what another plan would.
fn cause(placer: &Placer<'_>, unit_number: usize, host: HostNumber) -> Cause {
    let unit = &placer.units.all[unit_number];
    if let Some(cause) = store_cause(placer, unit_number, host) {
        return cause;
    }
    let missing = unit.require.iter().find(|(name, values)| {
        let with = placer.hosts.with(name, values);
        !with.is_some_and(|with| with.has(host))
    });
    if let Some((name, values)) = missing {
        return Cause::Label {
            name: (*name).clone(),
            values: values.as_slice().to_vec(),
        };
    }
    match &placer.hosts.all[host as usize].state {
        HostState::Draining => return Cause::Draining,
        HostState::Frozen { runs } if !unit.ids().all(|id| runs.contains(&id)) => {
            return Cause::Frozen;
        }
        HostState::Frozen { .. } | HostState::Ready => {}
    }
    let mut apart = unit.apart.iter();
    if let Some(other) = apart.find(|other| placer.placed[**other].contains(&host)) {
        let other = placer.units.all[*other].components[0].clone();
        return Cause::AntiAffinity { other };
    }
    if unit.one_per_host && placer.placed[unit_number].contains(&host) {
        return Cause::OnePerHost;
    }
    let weight = unit.weight;
    Cause::Capacity { weight }
}

fn store_cause(placer: &Placer<'_>, unit: usize, host: HostNumber) -> Option<Cause> {
    let stores = placer.units.all[unit].stores.iter();
    let mut homes = stores.filter_map(|store| Some((*store, placer.homes[*store].as_ref()?)));
    homes.find_map(|(store, home)| {
        let store = placer.units.stores[store].clone();
        match home {
            Home::Away(home) => Some(Cause::StoreAway {
                store,
                home: home.clone(),
            }),
            Home::Held(at) | Home::Chosen(at) if *at == host => None,
            Home::Held(_) | Home::Chosen(_) => Some(Cause::StoreElsewhere {
                store,
                home: placer.home_id(home),
            }),
        }
    })
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
