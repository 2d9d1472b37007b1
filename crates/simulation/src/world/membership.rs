//! Heartbeats and inventories: sending them, receiving them, and the views made from them.

use std::sync::Arc;

use weft_membership::message::{Load, Message};
use weft_membership::{Event as MemberEvent, Freeze, TICK_EVERY};

use super::{LATTICE, World};
use crate::event_queue::{self, Payload, ProcessEvent, ProcessId, WorldEvent};
use crate::invariants::{self, Checked};
use crate::mutations::Mutation;
use crate::network::Reachability;
use crate::process::LastHeartbeat;

/// The shortening of the silence before a host is declared dead, for
/// [`Mutation::DeclaresDeadEarly`].
const DEAD_EARLIER_BY: std::time::Duration = std::time::Duration::from_millis(1_200);

impl World {
    /// Broadcasts a heartbeat.
    pub(super) fn send_heartbeat(&mut self, id: ProcessId) {
        let site = &self.scenario.sites[id.host];
        let sent_ms = site.wall_ahead_ms + self.now.as_millis() as u64;
        let limit = site.limit;
        let Some(process) = self.process_mut(id) else {
            return;
        };
        let running = process.executing;
        let heartbeat = process
            .membership
            .heartbeat(sent_ms, Load { running, limit });
        self.broadcast(id, &Message::Heartbeat(heartbeat));
    }

    /// Publishes the contents of a process, if they changed.
    pub(super) fn publish_contents(&mut self, id: ProcessId) {
        let Some(process) = self.process_mut(id) else {
            return;
        };
        // The contents are far below the limits of an inventory.
        let contents = process.contents();
        if let Ok(Some(_)) = process.membership.set_contents(contents) {
            self.publish_inventory(id);
        }
    }

    fn publish_inventory(&mut self, id: ProcessId) {
        let inventory = self
            .process(id)
            .map(|process| process.membership.inventory());
        if let Some(inventory) = inventory {
            self.broadcast(id, &Message::Inventory(inventory));
        }
    }

    fn broadcast(&mut self, id: ProcessId, message: &Message) {
        let Some(payload) = encode(message) else {
            return;
        };
        for to in 0..self.hosts.len() {
            self.send(id, to, &payload, true);
        }
    }

    /// Sends a message to the current process of a host, and returns the reachability of the host.
    pub(super) fn send(
        &mut self,
        from: ProcessId,
        to: usize,
        payload: &Payload,
        may_duplicate: bool,
    ) -> Reachability {
        let Some(target) = self.process_of(to).filter(|_| self.hosts[to].is_connected) else {
            return Reachability::NoResponders;
        };
        let reachability = self.network.reachability(from.host, to);
        if !self.hosts[from.host].is_connected || from.host == to {
            return Reachability::Lost;
        }
        if reachability == Reachability::Reachable {
            for due in self.network.copies(self.now, from.host, to, may_duplicate) {
                let payload = payload.clone();
                let message = event_queue::Message { from, payload };
                let event = ProcessEvent::Delivery(message);
                self.events.push(due, WorldEvent::Process(target, event));
            }
        }
        reachability
    }

    /// Receives a message of the membership.
    pub(super) fn on_lattice_message(
        &mut self,
        id: ProcessId,
        message: event_queue::Message,
    ) -> Checked {
        let Payload::Lattice {
            bytes,
            is_heartbeat,
            sequence,
        } = message.payload
        else {
            return Ok(());
        };
        let (now, from) = (self.now, message.from);
        let numbers = [id.host as u64, from.host as u64, from.life, sequence];
        self.trace.numbers(now, &numbers);
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let at = process.moment(now);
        let reply = process.membership.on_bytes(at, &bytes);
        if is_heartbeat {
            let order = (from.life, sequence);
            let last = &mut process.truth.heartbeats[from.host];
            if last.is_none_or(|last| last.order < order) {
                *last = Some(LastHeartbeat { at, order });
            }
        }
        if let Ok(Some(_)) = reply {
            self.publish_inventory(id);
        }
        Ok(())
    }

    /// Runs a tick of the membership.
    pub(super) fn tick(&mut self, id: ProcessId) -> Checked {
        let (now, mutation) = (self.now, self.options.mutation);
        self.events.push(
            now + TICK_EVERY,
            WorldEvent::Process(id, ProcessEvent::Tick),
        );
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let at = process.moment(now);
        let believed = match mutation {
            Some(Mutation::DeclaresDeadEarly) => at + DEAD_EARLIER_BY,
            _ => at,
        };
        process.last_tick_at = now;
        let events = process.membership.tick(believed);
        process.router.refresh(process.membership.view());
        self.trace_events(id, &events);
        self.check_view(id)?;
        self.reconcile_if_news(id)?;
        self.request_inventories(id);
        Ok(())
    }

    fn request_inventories(&mut self, id: ProcessId) {
        let now = self.now;
        let Some(process) = self.process_mut(id) else {
            return;
        };
        let at = process.moment(now);
        for (host, ask) in process.membership.asks(at) {
            let to = self.numbers.get(&host).copied();
            if let (Some(to), Some(payload)) = (to, encode(&Message::Ask(ask))) {
                self.send(id, to, &payload, true);
            }
        }
    }

    fn trace_events(&mut self, id: ProcessId, events: &[MemberEvent]) {
        for event in events {
            let line = match event {
                MemberEvent::Host { host, change } => {
                    let other = self.numbers.get(host).copied();
                    format!("{} sees {other:?}: {change:?}", id.host)
                }
                other => format!("{} {other:?}", id.host),
            };
            self.trace_line(&line);
        }
    }

    /// Compares the view of a host that is not frozen with the received heartbeats.
    fn check_view(&self, id: ProcessId) -> Checked {
        let Some(process) = self.process(id) else {
            return Ok(());
        };
        if process.membership.freeze().is_some() {
            return Ok(());
        }
        let at = process.moment(self.now);
        for view in process.membership.view().hosts() {
            let number = self.numbers.get(&view.id).copied().unwrap_or(id.host);
            if number == id.host {
                continue;
            }
            let last = process.truth.heartbeats[number];
            invariants::a_heard_host_is_not_dead(view, last, at)?;
            invariants::a_silent_host_is_dead(view, last, at)?;
        }
        Ok(())
    }

    /// Reconciles a host when its view or its freeze changed.
    fn reconcile_if_news(&mut self, id: ProcessId) -> Checked {
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let revision = process.membership.view().revision();
        let current: (u64, Option<Freeze>) = (revision, process.membership.freeze());
        if process.reconciled_view == Some(current) {
            return Ok(());
        }
        process.reconciled_view = Some(current);
        self.reconcile(id)
    }
}

fn encode(message: &Message) -> Option<Payload> {
    // The messages of simulated hosts are within the limits.
    let bytes: Arc<[u8]> = message.encode(LATTICE).ok()?.into();
    let is_heartbeat = matches!(message, Message::Heartbeat(_));
    let sequence = message.origin().sequence;
    Some(Payload::Lattice {
        bytes,
        is_heartbeat,
        sequence,
    })
}
