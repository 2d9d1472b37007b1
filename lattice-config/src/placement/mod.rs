//! Placement of components on hosts: a pure function of the desired state and the live hosts.
//!
//! Every host computes [`plan`] from its own copy of the same input and runs its own share, without
//! a leader. The guarantees therefore follow from the function alone:
//!
//! 1. *Deterministic*: equal inputs give equal plans, whatever the order of their lists. The hash
//!    (`hash`) never changes; a change of the rules would move running components and requires a
//!    new version of the lattice.
//! 2. *Requirements hold*: labels, one per host, anti-affinity, the declared capacity of a host,
//!    [`COMPONENTS_MAX`], the host of a store. A replica that does not fit is not placed, and
//!    [`Unplaced`] lists the reasons.
//! 3. *Minimal moves*: components rank hosts by hash. When a host leaves, only its components move;
//!    when a host joins, components move only to that host. If capacity is short or components have
//!    an anti-affinity, one move may force another.
//! 4. *Together*: components of an app that are linked, directly or indirectly, rank hosts alike.
//!
//! A plan is made in four steps:
//! 1. `hosts` makes a table of the hosts. `units` turns apps into units, each of a single component
//!    or of several fused ones, and groups linked units.
//! 2. `ranking` orders the hosts for each group.
//! 3. `placer` places the first replica of every unit, then the others. `host_choice` takes the
//!    first host of the ranking among those with the fewest replicas at the same value of the
//!    spread label, then the fewest on the host itself, then the fewest unmet preferences.
//! 4. `unplaced` finds the reasons for missing replicas, and [`explain`] the standing of each host
//!    towards a component.

mod explanation;
mod hash;
mod host;
mod host_choice;
mod hosts;
mod id;
mod placer;
mod plan;
mod ranking;
mod standby;
mod units;
mod unplaced;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use self::placer::Placer;
use crate::app::App;

pub use self::explanation::{Explanation, HostFit, explain};
pub use self::host::{COMPONENTS_MAX, HOSTS_MAX, Host, HostState};
pub use self::id::{ComponentId, HostId, IdError, StoreId};
pub use self::plan::{Assignments, Move, MoveKind, Pin, Plan, moves};
pub use self::standby::standby_components;
pub use self::unplaced::{Cause, Reason, Unplaced};

/// The input of a plan. Two hosts with equal inputs make equal plans.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The desired apps, each name once.
    pub apps: &'a [Desired<'a>],
    /// The live hosts, each id once. Hosts beyond [`HOSTS_MAX`] are ignored.
    pub hosts: &'a [Host],
    /// The components that need more replicas than their manifests state.
    pub demand: &'a Demand,
    /// The types of providers that store their data on the host that runs them.
    pub local_stores: &'a BTreeSet<String>,
    /// The hosts of existing stores, whether the host is alive or dead.
    pub homes: &'a BTreeMap<StoreId, HostId>,
}

/// A desired app.
#[derive(Clone, Copy, Debug)]
pub struct Desired<'a> {
    /// The app.
    pub app: &'a App,
    /// The age of the app, such as the revision of its first deploy. Of two replicas with equal
    /// claims to scarce capacity, the one with the lower number is placed.
    pub since: u64,
}

/// The replicas that components need for their load. The number in the manifest applies if it is
/// larger.
pub type Demand = BTreeMap<ComponentId, NonZeroU32>;

/// Assigns the replicas of all components to hosts.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan {
    let mut placer = Placer::new(input, input.hosts.iter());
    placer.place_all();
    placer.into_plan()
}

#[cfg(test)]
mod tests;
