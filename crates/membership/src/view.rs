//! View of the lattice, for placement and routing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::host_id::HostId;
use super::message::{Contents, HostState, InventoryHash, Labels, Load};
use crate::Moment;

/// The hosts of the lattice, as one host sees them. Changes only in ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub(super) revision: u64,
    pub(super) hosts: BTreeMap<HostId, HostView>,
}

/// One host, as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostView {
    /// The id of the host.
    pub id: HostId,
    /// Start counter of the host.
    pub incarnation: u64,
    /// Derived from the age of its last heartbeat.
    pub liveness: Liveness,
    /// As published by the host.
    pub state: HostState,
    /// Stability, which new work requires.
    pub standing: Standing,
    /// Number of its last heartbeat within the incarnation.
    pub sequence: u64,
    /// As of its last heartbeat.
    pub load: Load,
    /// Arrival of its last heartbeat, by the receiver's clock.
    pub heard: Moment,
    /// Its last received inventory, which may be behind [`hash`](Self::hash).
    pub contents: Option<Arc<Contents>>,
    /// The hash of its current inventory.
    pub hash: InventoryHash,
}

/// Liveness of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// Heartbeats arrive.
    Live,
    /// A heartbeat is overdue. Calls prefer the host's siblings; nothing else changes.
    Suspected,
    /// Silent for [`DEAD_AFTER`](crate::DEAD_AFTER), or left.
    Dead,
}

/// Stability of a host, which new work requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Stable for long enough.
    Steady,
    /// Failed repeatedly, and gets no new work for now. Calls may still use its components.
    Damped {
        /// The end of damping, if there are no further failures.
        until: Moment,
    },
}

impl View {
    /// Increases with every change except of loads and heartbeat times: results computed from a
    /// view stay valid while it is the same.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// All known hosts by id, including dead ones.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &HostView> {
        self.hosts.values()
    }

    /// The host with this id.
    #[must_use]
    pub fn host(&self, id: HostId) -> Option<&HostView> {
        self.hosts.get(&id)
    }

    /// The same view, in which a host has other labels.
    #[must_use]
    pub fn with_labels(mut self, id: HostId, labels: Labels) -> Self {
        if let Some(host) = self.hosts.get_mut(&id) {
            let contents = host.contents.as_deref().cloned().unwrap_or_default();
            host.contents = Some(Arc::new(Contents { labels, ..contents }));
        }
        self
    }

    /// The hosts that placement may use.
    pub fn placeable(&self) -> impl Iterator<Item = &HostView> {
        self.hosts().filter(|host| host.is_placeable())
    }
}

impl HostView {
    /// True unless the host is dead.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match self.liveness {
            Liveness::Live | Liveness::Suspected => true,
            Liveness::Dead => false,
        }
    }

    /// True if placement may use the host: alive, steady, and neither joining nor leaving.
    #[must_use]
    pub fn is_placeable(&self) -> bool {
        let works = matches!(self.state, HostState::Ready | HostState::Frozen);
        self.is_alive() && works && self.standing == Standing::Steady
    }

    /// True if the host is alive and leaving: its components have to be placed elsewhere, and it
    /// serves them until then.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_alive() && self.state == HostState::Draining
    }

    /// The value of a label; `None` also if no inventory has arrived yet.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.contents.as_ref()?.labels.get(name)
    }

    /// True if this and an earlier view of the host differ in more than load and heartbeat time.
    pub(super) fn differs_from(&self, earlier: &Self) -> bool {
        let contents = |view: &Self| view.contents.as_ref().map(Arc::as_ptr);
        (self.incarnation, self.liveness, self.state)
            != (earlier.incarnation, earlier.liveness, earlier.state)
            || (self.standing, self.hash) != (earlier.standing, earlier.hash)
            || contents(self) != contents(earlier)
    }
}
