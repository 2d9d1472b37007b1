//! State that this host publishes about itself.

use std::sync::Arc;

use weft_wire::EncodeError;

use super::connection::PlacementPause;
use super::host_id::HostId;
use super::message::{
    Contents, Heartbeat, HostState, Inventory, InventoryHash, InventoryRequest, Load, Origin,
};
use super::view::{HostView, Liveness, Standing};
use crate::Moment;

/// The identity of a host in a lattice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name of the lattice: a DNS label.
    pub lattice: String,
    /// The id of the host.
    pub host: HostId,
    /// The number of the host's start, stored beside its key. It has to grow with each start:
    /// messages with a smaller one are rejected, and answered with a refutation.
    pub incarnation: u64,
}

/// This host, with the counters of its messages.
#[derive(Debug)]
pub(super) struct SelfState {
    pub(super) identity: Identity,
    pub(super) state: HostState,
    load: Load,
    contents: Arc<Contents>,
    hash: InventoryHash,
    heartbeats: u64,
    inventories: u64,
    inventory_requests: u64,
}

impl SelfState {
    pub(super) fn new(identity: Identity, contents: Contents) -> Result<Self, EncodeError> {
        let hash = contents.hash()?;
        Ok(Self {
            identity,
            state: HostState::Joining,
            load: Load::default(),
            contents: Arc::new(contents),
            hash,
            heartbeats: 0,
            inventories: 1,
            inventory_requests: 0,
        })
    }

    /// Replaces the inventory, and returns whether its hash has changed.
    pub(super) fn set_contents(&mut self, contents: Contents) -> Result<bool, EncodeError> {
        let hash = contents.hash()?;
        if hash == self.hash {
            return Ok(false);
        }
        (self.contents, self.hash) = (Arc::new(contents), hash);
        self.inventories += 1;
        Ok(true)
    }

    pub(super) fn heartbeat(
        &mut self,
        pause: Option<PlacementPause>,
        sent_ms: u64,
        load: Load,
    ) -> Heartbeat {
        self.heartbeats += 1;
        self.load = load;
        Heartbeat {
            origin: self.origin(self.heartbeats),
            sent_ms,
            state: self.published_state(pause),
            load,
            inventory: self.hash,
        }
    }

    pub(super) fn inventory(&self) -> Inventory {
        Inventory {
            origin: self.origin(self.inventories),
            contents: self.contents.clone(),
        }
    }

    pub(super) fn inventory_request(&mut self) -> InventoryRequest {
        self.inventory_requests += 1;
        InventoryRequest {
            origin: self.origin(self.inventory_requests),
        }
    }

    pub(super) fn view(&self, now: Moment, pause: Option<PlacementPause>) -> HostView {
        HostView {
            id: self.identity.host,
            incarnation: self.identity.incarnation,
            liveness: Liveness::Live,
            state: self.published_state(pause),
            standing: Standing::Steady,
            sequence: self.heartbeats,
            load: self.load,
            heard: now,
            contents: Some(self.contents.clone()),
            hash: self.hash,
        }
    }

    /// The order of the last heartbeat.
    pub(super) fn last_order(&self) -> (u64, u64) {
        self.origin(self.heartbeats).order()
    }

    fn published_state(&self, pause: Option<PlacementPause>) -> HostState {
        match (self.state, pause) {
            (HostState::Ready, Some(_)) => HostState::Frozen,
            (state, _) => state,
        }
    }

    fn origin(&self, sequence: u64) -> Origin {
        Origin {
            host: self.identity.host,
            incarnation: self.identity.incarnation,
            sequence,
        }
    }
}
