//! A host as an input of placement.

use std::collections::BTreeSet;

use super::id::{ComponentId, HostId};
use crate::label::Labels;

/// Maximum number of hosts in a plan: rankings store host numbers in 16 bits.
pub const HOSTS_MAX: usize = 1 << 16;

/// Maximum number of components on a host, whatever their weight: a host lists its components in
/// one message, with room for those that are moving away.
pub const COMPONENTS_MAX: usize = 4_000;

/// A live host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// The identity of the host.
    pub id: HostId,
    /// The labels that the host reports.
    pub labels: Labels,
    /// The maximum total weight of its replicas; `None` for no limit. This is the declared capacity
    /// and not the measured use, so that all hosts plan with the same number.
    pub capacity: Option<u64>,
    /// The state of the host.
    pub state: HostState,
}

/// The state of a host, which decides about the replicas that it can get.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostState {
    /// Can get any replica.
    Ready,
    /// Can get only replicas of components that it runs. The host has lost the bus, or reconnected
    /// only a moment ago, and does not apply plans. Its components stay, so that a short loss of
    /// the bus moves nothing.
    Frozen {
        /// The components that the host last reported.
        runs: BTreeSet<ComponentId>,
    },
    /// Cannot get any replica: the host is leaving, and its components move.
    Draining,
}
