//! Calls: who makes them, which way they go, and who runs them.

use std::time::Duration;

use weft_membership::message::ComponentId;
use weft_membership::routing::{self, Decision, Outcome, Repeat, Route};
use weft_membership::{Moment, Random};
use weft_wire::FailureCode;

use super::World;
use crate::agenda::{Event, Happening, Message, Payload, ProcessId, Request};
use crate::following::{component_id, deployed};
use crate::invariants::{self, Checked, hold};
use crate::ledger::{Call, End};
use crate::network::Way;
use crate::process::Calling;
use crate::rule::BrokenRule;
use crate::world::settled::CALLS_SUCCEED_AFTER;

impl World {
    // === who makes a call ===

    /// A host that works calls a component that is wanted.
    pub(super) fn call(&mut self) -> Checked {
        let most = self.scenario.calls_every;
        let pause = self.draw_calls.time(Duration::from_millis(1)..=most);
        self.agenda.put(self.now + pause, Happening::Call);
        let callers: Vec<_> = (0..self.hosts.len())
            .filter(|host| {
                let host = &self.hosts[*host];
                host.process.is_some() && host.hung_since.is_none()
            })
            .collect();
        let Some(host) = self.draw_calls.pick(&callers).copied() else {
            return Ok(());
        };
        let targets = self.targets(host);
        let Some(target) = self.draw_calls.pick(&targets).cloned() else {
            return Ok(());
        };
        let Some(id) = self.process_of(host) else {
            return Ok(());
        };
        self.begin_call(id, &target)
    }

    /// The components that a host knows to be wanted.
    fn targets(&self, host: usize) -> Vec<ComponentId> {
        let process = self.hosts[host].process.as_ref();
        let wanted = process
            .into_iter()
            .flat_map(|it| it.following.copy.apps().values());
        let deployed = wanted.filter_map(|record| deployed(record));
        let components = deployed.flat_map(|deployed| {
            let components = deployed.app.spec.components.iter();
            components.map(|component| component_id(&deployed.app, &component.name))
        });
        components.collect()
    }

    fn begin_call(&mut self, id: ProcessId, target: &ComponentId) -> Checked {
        let repeat = if self.draw_calls.percent(50) {
            Repeat::Idempotent
        } else {
            Repeat::Never
        };
        let deadline = self.now + self.draw_calls.ms(500..=4_000);
        let number = self.ledger.open(Call {
            target: target.clone(),
            caller: id.host,
            repeat,
            begun: self.now,
            deadline,
            runs: std::collections::BTreeMap::new(),
            end: None,
        });
        let believed = match self.options.broken {
            Some(BrokenRule::RetriesEverything) => Repeat::Idempotent,
            _ => repeat,
        };
        let seed = self.draw_calls.seed();
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let table = process.router.table();
        let Some(candidates) = table.any(target) else {
            return self.end_call(number, End::Failed(FailureCode::Unreachable));
        };
        let call = routing::Call {
            deadline: process.moment(deadline),
            repeat: believed,
        };
        let route = Route::new(candidates.clone(), call, Random::from_seed(seed));
        let attempt = 0;
        process.calls.insert(number, Calling { route, attempt });
        self.go_on_with_call(id, number)
    }

    // === which way it goes ===

    fn go_on_with_call(&mut self, id: ProcessId, number: u64) -> Checked {
        let now = self.now;
        loop {
            let Some(process) = self.process_mut(id) else {
                return Ok(());
            };
            let at = process.moment(now);
            let Some(calling) = process.calls.get_mut(&number) else {
                return Ok(());
            };
            let attempt = match calling.route.next(at) {
                // Here nobody waits for others.
                Decision::GiveUp(code) | Decision::Nobody(code) => {
                    process.calls.remove(&number);
                    return self.end_call(number, End::Failed(code));
                }
                Decision::Send(attempt) => attempt,
            };
            calling.attempt += 1;
            let request = Request {
                call: number,
                attempt: calling.attempt,
                caller: id,
            };
            let until = process.time(attempt.until);
            let to = self.numbers.get(&attempt.host).copied();
            let Some(outcome) = self.send_call(id, to, request, until) else {
                return Ok(());
            };
            self.learn(id, number, outcome);
        }
    }

    /// Sends a call once. If it is known at once what becomes of it, that is returned.
    fn send_call(
        &mut self,
        id: ProcessId,
        to: Option<usize>,
        request: Request,
        until: Duration,
    ) -> Option<Outcome> {
        let to = to?;
        let numbers = [
            id.host as u64,
            to as u64,
            request.call,
            request.attempt as u64,
        ];
        self.trace.count(self.now, &numbers);
        if to == id.host {
            let from = id;
            let payload = Payload::Request(request);
            let event = Event::Arrives(Message { from, payload });
            self.agenda.put(self.now, Happening::To(id, event));
        } else if !self.hosts[id.host].is_connected {
            return Some(Outcome::NotSent);
        } else if self.send(id, to, &Payload::Request(request), false) == Way::Nobody {
            return Some(Outcome::NoResponders);
        }
        let (call, attempt) = (request.call, request.attempt);
        let event = Event::TimedOut { call, attempt };
        self.agenda.put(until, Happening::To(id, event));
        None
    }

    fn learn(&mut self, id: ProcessId, number: u64, outcome: Outcome) {
        let now = self.now;
        if let Some(process) = self.process_mut(id) {
            let at: Moment = process.moment(now);
            if let Some(calling) = process.calls.get_mut(&number) {
                calling.route.outcome(outcome, at);
            }
        }
    }

    /// Takes how a sending ended, unless another one is waited for by now.
    pub(super) fn on_outcome(
        &mut self,
        id: ProcessId,
        request: Request,
        outcome: Outcome,
    ) -> Checked {
        let number = request.call;
        let calling = self.process(id).and_then(|it| it.calls.get(&number));
        if calling.is_none_or(|calling| calling.attempt != request.attempt) {
            return Ok(());
        }
        self.learn(id, number, outcome);
        if outcome == Outcome::Answered {
            if let Some(process) = self.process_mut(id) {
                process.calls.remove(&number);
            }
            return self.end_call(number, End::Answered);
        }
        self.go_on_with_call(id, number)
    }

    pub(super) fn on_timeout(&mut self, id: ProcessId, call: u64, attempt: usize) -> Checked {
        let request = Request {
            call,
            attempt,
            caller: id,
        };
        self.on_outcome(id, request, Outcome::TimedOut)
    }

    /// The bus of a host is lost: what was sent over it has no answer.
    pub(super) fn lose_calls(&mut self, id: ProcessId) -> Checked {
        let process = self.process(id);
        let calls: Vec<_> = process
            .into_iter()
            .flat_map(|process| &process.calls)
            .map(|(call, calling)| (*call, calling.attempt))
            .collect();
        for (call, attempt) in calls {
            let request = Request {
                call,
                attempt,
                caller: id,
            };
            self.on_outcome(id, request, Outcome::Lost)?;
        }
        Ok(())
    }

    fn end_call(&mut self, number: u64, end: End) -> Checked {
        let now = self.now;
        self.trace
            .count(now, &[number, u64::from(end == End::Answered)]);
        let call = self.ledger.call_mut(number);
        call.end = Some(end);
        let call = self.ledger.call(number);
        let is_calm = self
            .settled_at
            .is_some_and(|settled_at| call.begun >= settled_at + CALLS_SUCCEED_AFTER);
        let (target, caller) = (&call.target, call.caller);
        let is_wanted = self.is_placed(target);
        hold(
            !is_calm || !is_wanted || end == End::Answered,
            "calls succeed again",
            || format!("call {number} from {caller} to {target:?} ended as {end:?}"),
        )?;
        let host = &self.hosts[caller];
        let has_hung = host.hung_until.is_some_and(|until| until >= call.begun);
        // Who stood still meanwhile is late by that.
        if host.hung_since.is_none() && !has_hung {
            invariants::a_call_ends_in_time(number, call, now)?;
        }
        invariants::what_is_answered_has_run(number, call)?;
        invariants::what_is_told_not_to_have_run_has_not(number, call)
    }

    fn is_placed(&self, target: &ComponentId) -> bool {
        let mut processes = self.hosts.iter().filter_map(|host| host.process.as_ref());
        processes.any(|process| process.runs(target))
    }

    // === who runs it ===

    /// Takes a call from another host, or this one.
    pub(super) fn serve(&mut self, id: ProcessId, request: Request) -> Checked {
        let busy_percent = match self.now < self.scenario.calm_at {
            true => self.scenario.busy_percent,
            false => 0,
        };
        let is_busy = self.draw_calls.percent(busy_percent);
        let limit = self.scenario.sites[id.host].limit;
        let takes = self.draw_calls.ms(1..=60);
        // Once nothing is wrong, no call takes longer than its deadline.
        let slow = self.now < self.scenario.calm_at && self.draw_calls.percent(5);
        let target = self.ledger.call(request.call).target.clone();
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let code = if !process.runs(&target) {
            Some(FailureCode::Unreachable)
        } else if is_busy || process.executing >= limit {
            Some(FailureCode::Busy)
        } else {
            None
        };
        if let Some(code) = code {
            return self.reply(id, request, Outcome::of_failure(code));
        }
        process.executing += 1;
        let call = self.ledger.call_mut(request.call);
        *call.runs.entry(id.host).or_default() += 1;
        let takes = if slow { takes * 20 } else { takes };
        self.agenda
            .put(self.now + takes, Happening::To(id, Event::HasRun(request)));
        let call = self.ledger.call(request.call);
        invariants::no_call_runs_twice(request.call, call)?;
        invariants::what_is_told_not_to_have_run_has_not(request.call, call)
    }

    pub(super) fn on_run(&mut self, id: ProcessId, request: Request) -> Checked {
        if let Some(process) = self.process_mut(id) {
            process.executing -= 1;
        }
        self.reply(id, request, Outcome::Answered)
    }

    fn reply(&mut self, id: ProcessId, request: Request, outcome: Outcome) -> Checked {
        let caller = request.caller;
        if caller == id {
            return self.on_outcome(id, request, outcome);
        }
        if self.process(caller).is_some() {
            let payload = Payload::Reply { request, outcome };
            self.send(id, caller.host, &payload, false);
        }
        Ok(())
    }
}
