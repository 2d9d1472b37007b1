//! What this host says of itself.

use std::sync::Arc;

use weft_wire::EncodeError;

use super::connection::Freeze;
use super::host_id::HostId;
use super::message::{Ask, Contents, Heartbeat, HostState, Inventory, InventoryHash, Load, Origin};
use super::view::{HostView, Liveness, Standing};
use crate::Moment;

/// What a host needs to be one of a lattice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The lattice, by its name: a DNS label.
    pub lattice: String,
    /// The host.
    pub host: HostId,
    /// Which of the host's lives this is. It has to be larger than at any start before, so it is kept beside
    /// the key; a host with a smaller one is not heard.
    pub incarnation: u64,
}

/// This host, as it tells of itself.
#[derive(Debug)]
pub(super) struct SelfState {
    pub(super) identity: Identity,
    pub(super) state: HostState,
    load: Load,
    contents: Arc<Contents>,
    hash: InventoryHash,
    heartbeats: u64,
    inventories: u64,
    asks: u64,
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
            asks: 0,
        })
    }

    /// Replaces the inventory, and says whether it is another one.
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
        freeze: Option<Freeze>,
        sent_ms: u64,
        load: Load,
    ) -> Heartbeat {
        self.heartbeats += 1;
        self.load = load;
        Heartbeat {
            origin: self.origin(self.heartbeats),
            sent_ms,
            state: self.published_state(freeze),
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

    pub(super) fn ask(&mut self) -> Ask {
        self.asks += 1;
        Ask {
            origin: self.origin(self.asks),
        }
    }

    pub(super) fn view(&self, now: Moment, freeze: Option<Freeze>) -> HostView {
        HostView {
            id: self.identity.host,
            incarnation: self.identity.incarnation,
            liveness: Liveness::Live,
            state: self.published_state(freeze),
            standing: Standing::Steady,
            sequence: self.heartbeats,
            load: self.load,
            heard: now,
            contents: Some(self.contents.clone()),
            hash: self.hash,
        }
    }

    fn published_state(&self, freeze: Option<Freeze>) -> HostState {
        match (self.state, freeze) {
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
