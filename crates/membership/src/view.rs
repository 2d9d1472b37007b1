//! What a host knows of the lattice, as placement and routing see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::host_id::HostId;
use super::message::{Contents, HostState, InventoryHash, Load};
use crate::Moment;

/// The hosts of the lattice, as one host sees them. It changes in ticks only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub(super) revision: u64,
    pub(super) hosts: BTreeMap<HostId, HostView>,
}

/// One host, as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostView {
    /// Who it is.
    pub id: HostId,
    /// Which of its lives this is.
    pub incarnation: u64,
    /// Whether it is heard.
    pub liveness: Liveness,
    /// What it says of itself.
    pub state: HostState,
    /// Whether it has been there for long enough.
    pub standing: Standing,
    /// Which of the heartbeats of that life was heard last.
    pub sequence: u64,
    /// How busy it was then.
    pub load: Load,
    /// When it was heard last, by the clock of who heard it.
    pub heard: Moment,
    /// What it has and where it is, as far as that is known. It may be behind [`hash`](Self::hash).
    pub contents: Option<Arc<Contents>>,
    /// The hash of the inventory that it has.
    pub hash: InventoryHash,
}

/// Whether a host is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// It is.
    Live,
    /// A heartbeat has not come. Calls prefer its siblings; nothing else changes.
    Suspected,
    /// It is silent for as long as it takes to be dead, or has said that it leaves.
    Dead,
}

/// Whether a host has been there for long enough to be given work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It has.
    Steady,
    /// It came and went, and is given none until then. Calls may use what it has.
    Damped {
        /// When it is steady, if it stays.
        until: Moment,
    },
}

impl View {
    /// A number that grows whenever anything changes but loads and when hosts were heard: what is computed
    /// from a view is good for as long as the number stays.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Each host that is remembered, dead ones too, by id.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &HostView> {
        self.hosts.values()
    }

    /// One host.
    #[must_use]
    pub fn host(&self, id: HostId) -> Option<&HostView> {
        self.hosts.get(&id)
    }

    /// The hosts that placement may count on.
    pub fn placeable(&self) -> impl Iterator<Item = &HostView> {
        self.hosts().filter(|host| host.is_placeable())
    }
}

impl HostView {
    /// Whether it is not dead.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match self.liveness {
            Liveness::Live | Liveness::Suspected => true,
            Liveness::Dead => false,
        }
    }

    /// Whether placement may count on it: alive, steady, and neither joining nor leaving.
    #[must_use]
    pub fn is_placeable(&self) -> bool {
        let works = matches!(self.state, HostState::Ready | HostState::Frozen);
        self.is_alive() && works && self.standing == Standing::Steady
    }

    /// Whether it is alive and to leave: what it runs has to be placed elsewhere, and it serves until then.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_alive() && self.state == HostState::Draining
    }

    /// The value of a label; nothing too if its inventory is not known yet.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.contents.as_ref()?.labels.get(name)
    }

    /// Whether this and an earlier view of the host differ in more than its load and when it was heard.
    pub(super) fn differs_from(&self, earlier: &Self) -> bool {
        let contents = |view: &Self| view.contents.as_ref().map(Arc::as_ptr);
        (self.incarnation, self.liveness, self.state)
            != (earlier.incarnation, earlier.liveness, earlier.state)
            || (self.standing, self.hash) != (earlier.standing, earlier.hash)
            || contents(self) != contents(earlier)
    }
}
