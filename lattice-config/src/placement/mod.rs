//! Which host runs which component: a pure function of the desired state and the live hosts.
//!
//! Every host computes [`plan`] from its own copy of the same input and runs its own share; nobody
//! decides for others. So what is promised here is promised by arithmetic:
//!
//! 1. *Deterministic*: equal inputs give equal plans, in whatever order they are listed. The hash never
//!    changes (`hash`); a change of the rules would move what runs, and is a new version of the lattice.
//! 2. *What is required holds*: labels, one per host, anti-affinity, the capacity that a host declares,
//!    the host that holds a store. A replica that does not fit is not placed, and [`Unplaced`] says why.
//! 3. *Minimal moves*: a host ranks first for a component by hash, so when a host leaves only what ran
//!    there moves, and when one joins things move to it alone. Where capacity is short or components keep
//!    away from each other, one move may force another.
//! 4. *Together*: the components of an app that are linked, directly or not, rank hosts alike.
//!
//! How a plan is made:
//! 1. `hosts` makes a table of the hosts; `units` turns apps into units, each of one component or of
//!    several that are fused, and groups those that are linked.
//! 2. `ranking` orders the hosts for a group.
//! 3. `placer` gives every unit one replica, then the rest: the first host in the ranking among those where
//!    the fewest replicas share a value of the spread label, then a host, and that the unit prefers.
//! 4. `reasons` explains what found no host.

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

pub use self::host::{HOSTS_MAX, Host, HostState};
pub use self::id::{ComponentId, HostId, IdError, StoreId};
pub use self::plan::{Assignments, Move, MoveKind, Pin, Plan, Unplaced, moves};
pub use self::standby::ahead;
pub use self::unplaced::{Cause, Reason};

/// What a plan is made from. Two hosts with equal inputs make equal plans.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The apps that are wanted, each name once.
    pub apps: &'a [Desired<'a>],
    /// The hosts that live, each id once; at most [`HOSTS_MAX`] are planned with.
    pub hosts: &'a [Host],
    /// Components that need more replicas than their manifests say.
    pub demand: &'a Demand,
    /// The types of providers that keep what they store on the host that runs them.
    pub local_stores: &'a BTreeSet<String>,
    /// The hosts of the stores that exist, whether or not the host lives.
    pub homes: &'a BTreeMap<StoreId, HostId>,
}

/// An app that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Desired<'a> {
    /// The app.
    pub app: &'a App,
    /// Where capacity is short, the lower of two replicas that have equal claims comes first; such as the
    /// revision at which the app was first deployed, so that what is newer gives way to what is older.
    pub since: u64,
}

/// How many replicas a component needs by how much it is used. The manifest's number holds where it is
/// larger.
pub type Demand = BTreeMap<ComponentId, NonZeroU32>;

/// Says which host runs what.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan {
    let mut placer = Placer::new(input, input.hosts.iter());
    placer.place_all();
    placer.into_plan()
}

#[cfg(test)]
mod tests;
