//! A host as placement sees it.

use std::collections::BTreeSet;

use super::id::{ComponentId, HostId};
use crate::label::Labels;

/// The most hosts that are planned with: their numbers have 16 bits, and no lattice comes near.
pub const HOSTS_MAX: usize = 1 << 16;

/// A live host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// Who it is.
    pub id: HostId,
    /// What it says of itself.
    pub labels: Labels,
    /// The weight of all replicas that it takes; without it, there is no limit. It is what the host
    /// declares and not what it happens to use, so that all hosts count with the same number.
    pub capacity: Option<u64>,
    /// What it takes.
    pub state: HostState,
}

/// What a host takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostState {
    /// Whatever is placed on it.
    Ready,
    /// Nothing new: it lost its bus, or has it back for too short a time, and acts on no plan. What it
    /// runs stays there, so that a moment's loss moves nothing.
    Frozen {
        /// What it said last that it runs.
        runs: BTreeSet<ComponentId>,
    },
    /// Nothing at all: it is about to leave, and its share moves.
    Draining,
}
