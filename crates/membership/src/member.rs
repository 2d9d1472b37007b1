//! One other host: what was heard of it, and what follows.

use std::collections::VecDeque;
use std::time::Duration;

use super::message::{Heartbeat, HostState, Inventory, InventoryHash};
use super::rejected::Rejection;
use super::timing::{
    ASK_AFTER, ASK_AGAIN_AFTER, DAMPING_FIRST, DAMPING_MAX, DEAD_AFTER, FLAP_WINDOW, FLAPS_FREE,
    FORGET_AFTER, OUTAGES_MAX, SUSPECT_AFTER,
};
use super::view::{HostView, Liveness, Standing};
use crate::Moment;

/// What is known of another host.
#[derive(Debug)]
pub(super) struct Member {
    /// The latest, by the sender's order.
    heartbeat: Heartbeat,
    /// When that came.
    heard: Moment,
    /// Since when it is dead; a heartbeat ends that.
    dead_since: Option<Moment>,
    /// When it has been there for long enough.
    steady_at: Moment,
    /// When it died or was started again, the latest last; those that are too old to count may be gone.
    outages: VecDeque<Moment>,
    inventory: Option<(Inventory, InventoryHash)>,
    /// Since when the inventory is not the one that heartbeats speak of.
    behind_since: Option<Moment>,
    requested_at: Option<Moment>,
}

impl Member {
    /// A host that is heard for the first time.
    pub(super) fn new(now: Moment, heartbeat: Heartbeat) -> Self {
        Self {
            heartbeat,
            heard: now,
            dead_since: None,
            steady_at: now,
            outages: VecDeque::new(),
            inventory: None,
            behind_since: Some(now),
            requested_at: None,
        }
    }

    /// Takes a heartbeat if it is later than all before it.
    pub(super) fn on_heartbeat(
        &mut self,
        now: Moment,
        heartbeat: Heartbeat,
    ) -> Result<(), Rejection> {
        let (known, new) = (self.heartbeat.origin, heartbeat.origin);
        if new.incarnation < known.incarnation {
            return Err(Rejection::Older);
        }
        if new.order() <= known.order() {
            return Err(Rejection::Replayed);
        }
        let restarted = known.incarnation < new.incarnation;
        let was_dead = self.dead_since.take().is_some();
        if restarted {
            // What it had ready is gone with the process that had it.
            self.inventory = None;
        }
        if restarted && !was_dead {
            self.record_outage(now);
        }
        if restarted || was_dead {
            self.steady_at = now + self.damping(now);
        }
        self.heartbeat = heartbeat;
        self.heard = now;
        self.compare_inventory(now);
        Ok(())
    }

    /// Takes an inventory, with its hash, if it is later than all before it.
    pub(super) fn on_inventory(
        &mut self,
        now: Moment,
        inventory: Inventory,
        hash: InventoryHash,
    ) -> Result<(), Rejection> {
        let (known, new) = (self.heartbeat.origin, inventory.origin);
        if new.incarnation < known.incarnation {
            return Err(Rejection::Older);
        }
        // Only heartbeats say that a host lives: its first one comes soon, and the inventory is asked for.
        if new.incarnation > known.incarnation {
            return Err(Rejection::Early);
        }
        let last = self.inventory.as_ref();
        if last.is_some_and(|(last, _)| new.order() <= last.origin.order()) {
            return Err(Rejection::Replayed);
        }
        self.inventory = Some((inventory, hash));
        self.compare_inventory(now);
        Ok(())
    }

    /// Notices a death; only while silence counts.
    pub(super) fn on_time(&mut self, now: Moment) {
        if self.dead_since.is_none() && self.liveness(now) == Liveness::Dead {
            self.dead_since = Some(now);
            self.record_outage(now);
        }
    }

    /// The host as placement and routing see it.
    pub(super) fn view(&self, now: Moment) -> HostView {
        let Heartbeat { origin, .. } = self.heartbeat;
        let until = self.steady_at;
        HostView {
            id: origin.host,
            incarnation: origin.incarnation,
            liveness: self.liveness(now),
            state: self.heartbeat.state,
            standing: if until <= now {
                Standing::Steady
            } else {
                Standing::Damped { until }
            },
            sequence: origin.sequence,
            load: self.heartbeat.load,
            heard: self.heard,
            contents: self
                .inventory
                .as_ref()
                .map(|(known, _)| known.contents.clone()),
            hash: self.heartbeat.inventory,
        }
    }

    /// Since when it is dead.
    pub(super) fn dead_since(&self) -> Option<Moment> {
        self.dead_since
    }

    /// Whether it is dead for so long that it need not be remembered.
    pub(super) fn is_expired(&self, now: Moment) -> bool {
        let expired = |since| now.since(since) >= FORGET_AFTER;
        self.dead_since.is_some_and(expired)
    }

    /// How many components its inventory has.
    pub(super) fn holdings(&self) -> usize {
        let inventory = self.inventory.as_ref();
        inventory.map_or(0, |(known, _)| known.contents.components.len())
    }

    /// Whether its inventory has to be asked for now; if so, it counts as asked for.
    pub(super) fn take_inventory_request(&mut self, now: Moment) -> bool {
        let behind = |since| now.since(since) >= ASK_AFTER;
        let again = |requested| now.since(requested) >= ASK_AGAIN_AFTER;
        let due = self.dead_since.is_none()
            && self.behind_since.is_some_and(behind)
            && self.requested_at.is_none_or(again);
        if due {
            self.requested_at = Some(now);
        }
        due
    }

    fn liveness(&self, now: Moment) -> Liveness {
        let silence = now.since(self.heard);
        let is_dead = self.dead_since.is_some() || self.heartbeat.state == HostState::Left;
        if is_dead || silence >= DEAD_AFTER {
            Liveness::Dead
        } else if silence >= SUSPECT_AFTER {
            Liveness::Suspected
        } else {
            Liveness::Live
        }
    }

    fn compare_inventory(&mut self, now: Moment) {
        let known = self.inventory.as_ref().map(|(_, hash)| *hash);
        if known == Some(self.heartbeat.inventory) {
            (self.behind_since, self.requested_at) = (None, None);
        } else {
            self.behind_since.get_or_insert(now);
        }
    }

    fn record_outage(&mut self, now: Moment) {
        if self.outages.len() == OUTAGES_MAX {
            self.outages.pop_front();
        }
        self.outages.push_back(now);
    }

    /// For how long it has to be steady now.
    fn damping(&self, now: Moment) -> Duration {
        let recent = |outage: &&Moment| now.since(**outage) < FLAP_WINDOW;
        let outages = self.outages.iter().filter(recent).count();
        let Some(doublings) = outages.checked_sub(FLAPS_FREE + 1) else {
            return Duration::ZERO;
        };
        // At most as many as outages are remembered.
        let factor = 1_u32 << doublings;
        DAMPING_FIRST.saturating_mul(factor).min(DAMPING_MAX)
    }
}
