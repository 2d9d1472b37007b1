//! Record of one other host: its last messages, and the conclusions from them.

use std::collections::VecDeque;
use std::time::Duration;

use super::message::{Heartbeat, HostState, Inventory, InventoryHash};
use super::rejected::Rejection;
use super::timing::{
    DAMPING_FIRST, DAMPING_MAX, DEAD_AFTER, FLAP_WINDOW, FLAPS_FREE, FORGET_AFTER,
    FORGET_UNKNOWN_AFTER, OUTAGES_MAX, REFUTE_AGAIN_AFTER, REQUEST_AFTER, REQUEST_AGAIN_AFTER,
    SUSPECT_AFTER,
};
use super::view::{HostView, Liveness, Standing};
use crate::Moment;

/// A host other than this one.
#[derive(Debug)]
pub(super) struct Member {
    /// The latest one, by the sender's order.
    heartbeat: Heartbeat,
    /// Time of arrival of the last heartbeat.
    heard: Moment,
    /// Time of death; cleared by a heartbeat.
    dead_since: Option<Moment>,
    /// End of damping.
    steady_at: Moment,
    /// Times of deaths and restarts, the latest last; limited to [`OUTAGES_MAX`].
    outages: VecDeque<Moment>,
    inventory: Option<(Inventory, InventoryHash)>,
    /// True once an inventory has arrived, of any incarnation.
    is_known: bool,
    /// Start of the time that the inventory differs from the hash in heartbeats.
    behind_since: Option<Moment>,
    requested_at: Option<Moment>,
    /// True if a process of the host sent a heartbeat that is not believed.
    is_refutation_due: bool,
    refuted_at: Option<Moment>,
}

impl Member {
    /// A host whose first heartbeat arrived.
    pub(super) fn new(now: Moment, heartbeat: Heartbeat) -> Self {
        Self {
            heartbeat,
            heard: now,
            dead_since: None,
            steady_at: now,
            outages: VecDeque::new(),
            inventory: None,
            is_known: false,
            behind_since: Some(now),
            requested_at: None,
            is_refutation_due: false,
            refuted_at: None,
        }
    }

    /// Applies a heartbeat if it is later than all before it.
    pub(super) fn on_heartbeat(
        &mut self,
        now: Moment,
        heartbeat: Heartbeat,
    ) -> Result<(), Rejection> {
        let (known, new) = (self.heartbeat.origin, heartbeat.origin);
        if new.incarnation < known.incarnation {
            self.is_refutation_due = true;
            return Err(Rejection::Older);
        }
        if new.order() <= known.order() {
            // A host that sends only what was received before has gone back to it. One whose newer
            // messages arrive has a slow message on its way.
            self.is_refutation_due |= now.since(self.heard) >= SUSPECT_AFTER;
            return Err(Rejection::Replayed);
        }
        let restarted = known.incarnation < new.incarnation;
        let was_dead = self.dead_since.take().is_some();
        if restarted {
            // The components of the old process ended with it.
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

    /// Applies an inventory, with its hash, if it is later than all before it.
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
        // Only heartbeats prove that a host is alive: its first one comes soon, and the inventory
        // is then requested.
        if new.incarnation > known.incarnation {
            return Err(Rejection::Early);
        }
        let last = self.inventory.as_ref();
        if last.is_some_and(|(last, _)| new.order() <= last.origin.order()) {
            return Err(Rejection::Replayed);
        }
        self.inventory = Some((inventory, hash));
        self.is_known = true;
        self.compare_inventory(now);
        Ok(())
    }

    /// Detects a death. Called only while silence counts.
    pub(super) fn on_time(&mut self, now: Moment) {
        if self.dead_since.is_none() && self.liveness(now) == Liveness::Dead {
            self.dead_since = Some(now);
            self.record_outage(now);
        }
    }

    /// The host as seen by placement and routing.
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

    /// The order in which the records of dead hosts are removed, to make room for others: those
    /// without an inventory go first, then those that are dead for longest. `None` for a live host.
    pub(super) fn removal_order(&self) -> Option<(bool, Moment)> {
        Some((self.is_known, self.dead_since?))
    }

    /// True if the host was dead for so long that its record can be removed.
    pub(super) fn is_expired(&self, now: Moment) -> bool {
        let limit = match self.is_known {
            true => FORGET_AFTER,
            false => FORGET_UNKNOWN_AFTER,
        };
        self.dead_since
            .is_some_and(|since| now.since(since) >= limit)
    }

    /// Number of components in the inventory.
    pub(super) fn hosted_components(&self) -> usize {
        let inventory = self.inventory.as_ref();
        inventory.map_or(0, |(known, _)| known.contents.components.len())
    }

    /// Returns whether an inventory request is due, and then records it as sent.
    pub(super) fn take_inventory_request(&mut self, now: Moment) -> bool {
        let behind = |since| now.since(since) >= REQUEST_AFTER;
        let again = |requested| now.since(requested) >= REQUEST_AGAIN_AFTER;
        let due = self.dead_since.is_none()
            && self.behind_since.is_some_and(behind)
            && self.requested_at.is_none_or(again);
        if due {
            self.requested_at = Some(now);
        }
        due
    }

    /// The last heartbeat if a refutation with it is due, and then records it as sent.
    pub(super) fn take_refutation(&mut self, now: Moment) -> Option<Heartbeat> {
        let again = |refuted| now.since(refuted) >= REFUTE_AGAIN_AFTER;
        let due = self.is_refutation_due && self.refuted_at.is_none_or(again);
        due.then(|| {
            (self.is_refutation_due, self.refuted_at) = (false, Some(now));
            self.heartbeat
        })
    }

    /// The incarnation of the last heartbeat.
    pub(super) fn incarnation(&self) -> u64 {
        self.heartbeat.origin.incarnation
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

    /// Length of damping from now on.
    fn damping(&self, now: Moment) -> Duration {
        let recent = |outage: &&Moment| now.since(**outage) < FLAP_WINDOW;
        let outages = self.outages.iter().filter(recent).count();
        let Some(doublings) = outages.checked_sub(FLAPS_FREE + 1) else {
            return Duration::ZERO;
        };
        // At most the number of recorded outages.
        let factor = 1_u32 << doublings;
        DAMPING_FIRST.saturating_mul(factor).min(DAMPING_MAX)
    }
}
