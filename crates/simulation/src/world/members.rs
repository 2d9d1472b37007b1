//! Heartbeats and inventories: what hosts tell each other, and what each makes of it.

use std::sync::Arc;

use weft_membership::message::{Load, Message};
use weft_membership::{Event as MemberEvent, Freeze, TICK_EVERY};

use super::{LATTICE, World};
use crate::agenda::{self, Event, Happening, Payload, ProcessId};
use crate::invariants::{self, Checked};
use crate::network::Way;
use crate::process::Heard;
use crate::rule::BrokenRule;

/// How much later it is for hosts that bury early.
const BURIES_EARLIER_BY: std::time::Duration = std::time::Duration::from_millis(1_200);

impl World {
    /// Says that a process lives.
    pub(super) fn beat(&mut self, id: ProcessId) {
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

    /// Says what a process has, if that is news.
    pub(super) fn tell_contents(&mut self, id: ProcessId) {
        let Some(process) = self.process_mut(id) else {
            return;
        };
        // It is far below what an inventory can hold.
        let contents = process.contents();
        if let Ok(Some(_)) = process.membership.set_contents(contents) {
            self.tell_inventory(id);
        }
    }

    fn tell_inventory(&mut self, id: ProcessId) {
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

    /// Sends something to whatever process is there now. Says whether it is on its way, or may be.
    pub(super) fn send(
        &mut self,
        from: ProcessId,
        to: usize,
        payload: &Payload,
        may_double: bool,
    ) -> Way {
        let Some(target) = self.process_of(to).filter(|_| self.hosts[to].is_connected) else {
            return Way::Nobody;
        };
        let way = self.network.way(from.host, to);
        if !self.hosts[from.host].is_connected || from.host == to {
            return Way::Lost;
        }
        if way == Way::Open {
            for due in self.network.copies(self.now, from.host, to, may_double) {
                let payload = payload.clone();
                let message = agenda::Message { from, payload };
                let event = Event::Arrives(message);
                self.agenda.put(due, Happening::To(target, event));
            }
        }
        way
    }

    /// Takes what another host says of itself.
    pub(super) fn hear(&mut self, id: ProcessId, message: agenda::Message) -> Checked {
        let Payload::Lattice {
            bytes,
            is_beat,
            sequence,
        } = message.payload
        else {
            return Ok(());
        };
        let (now, from) = (self.now, message.from);
        let numbers = [id.host as u64, from.host as u64, from.life, sequence];
        self.trace.count(now, &numbers);
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let at = process.moment(now);
        let asked = process.membership.on_bytes(at, &bytes);
        if is_beat {
            let order = (from.life, sequence);
            let heard = &mut process.truth.heard[from.host];
            if heard.is_none_or(|heard| heard.order < order) {
                *heard = Some(Heard { at, order });
            }
        }
        if let Ok(Some(_)) = asked {
            self.tell_inventory(id);
        }
        Ok(())
    }

    /// Has a process draw its conclusions.
    pub(super) fn tick(&mut self, id: ProcessId) -> Checked {
        let (now, broken) = (self.now, self.options.broken);
        self.agenda
            .put(now + TICK_EVERY, Happening::To(id, Event::Tick));
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let at = process.moment(now);
        let believed = match broken {
            Some(BrokenRule::BuriesEarly) => at + BURIES_EARLIER_BY,
            _ => at,
        };
        process.concluded_at = now;
        let events = process.membership.tick(believed);
        process.router.refresh(process.membership.view());
        self.tell_events(id, &events);
        self.check_view(id)?;
        self.reconcile_if_news(id)?;
        self.ask(id);
        Ok(())
    }

    fn ask(&mut self, id: ProcessId) {
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

    fn tell_events(&mut self, id: ProcessId, events: &[MemberEvent]) {
        for event in events {
            let line = match event {
                MemberEvent::Host { host, change } => {
                    let other = self.numbers.get(host).copied();
                    format!("{} sees {other:?}: {change:?}", id.host)
                }
                other => format!("{} {other:?}", id.host),
            };
            self.say(&line);
        }
    }

    /// Compares a view that is not held with what was heard.
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
            let heard = process.truth.heard[number];
            invariants::who_is_heard_is_not_dead(view, heard, at)?;
            invariants::who_is_silent_is_dead(view, heard, at)?;
        }
        Ok(())
    }

    /// A host acts when its view is another one, or held for another reason.
    fn reconcile_if_news(&mut self, id: ProcessId) -> Checked {
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let revision = process.membership.view().revision();
        let seen: (u64, Option<Freeze>) = (revision, process.membership.freeze());
        if process.seen == Some(seen) {
            return Ok(());
        }
        process.seen = Some(seen);
        self.reconcile(id)
    }
}

fn encode(message: &Message) -> Option<Payload> {
    // Whatever a simulated host says is within the bounds of messages.
    let bytes: Arc<[u8]> = message.encode(LATTICE).ok()?.into();
    let is_beat = matches!(message, Message::Heartbeat(_));
    let sequence = message.origin().sequence;
    Some(Payload::Lattice {
        bytes,
        is_beat,
        sequence,
    })
}
