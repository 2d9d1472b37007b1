//! Calls: their callers, attempts and targets.

use std::time::Duration;

use weft_membership::message::ComponentId;
use weft_membership::routing::{self, Decision, Outcome, Repeat, Route};
use weft_membership::{Moment, Random};
use weft_wire::FailureCode;

use super::World;
use crate::call_log::{Call, CallEnd};
use crate::event_queue::{Message, Payload, ProcessEvent, ProcessId, Request, WorldEvent};
use crate::invariants::{self, Checked, hold};
use crate::mutations::Mutation;
use crate::network::Reachability;
use crate::process::PendingCall;
use crate::reconciler::{component_id, deployed};
use crate::world::convergence::CALLS_SUCCEED_AFTER;

impl World {
    // === callers ===

    /// A running host calls a desired component.
    pub(super) fn call(&mut self) -> Checked {
        let most = self.scenario.calls_every;
        let pause = self.call_rng.duration(Duration::from_millis(1)..=most);
        self.events.push(self.now + pause, WorldEvent::Call);
        let callers: Vec<_> = (0..self.hosts.len())
            .filter(|host| {
                let host = &self.hosts[*host];
                host.process.is_some() && host.hung_since.is_none()
            })
            .collect();
        let Some(host) = self.call_rng.pick(&callers).copied() else {
            return Ok(());
        };
        let targets = self.targets(host);
        let Some(target) = self.call_rng.pick(&targets).cloned() else {
            return Ok(());
        };
        let Some(id) = self.process_of(host) else {
            return Ok(());
        };
        self.begin_call(id, &target)
    }

    /// The components of the desired apps in a host's replica.
    fn targets(&self, host: usize) -> Vec<ComponentId> {
        let process = self.hosts[host].process.as_ref();
        let desired = process
            .into_iter()
            .flat_map(|process| process.reconciler.replica.apps().values());
        let deployed = desired.filter_map(|record| deployed(record));
        let components = deployed.flat_map(|deployed| {
            let components = deployed.app.spec.components.iter();
            components.map(|component| component_id(&deployed.app, &component.name))
        });
        components.collect()
    }

    fn begin_call(&mut self, id: ProcessId, target: &ComponentId) -> Checked {
        let repeat = if self.call_rng.percent(50) {
            Repeat::Idempotent
        } else {
            Repeat::Never
        };
        let deadline = self.now + self.call_rng.millis(500..=4_000);
        let number = self.call_log.open(Call {
            target: target.clone(),
            caller: id.host,
            repeat,
            begun: self.now,
            deadline,
            runs: std::collections::BTreeMap::new(),
            end: None,
        });
        let believed = match self.options.mutation {
            Some(Mutation::RetriesEverything) => Repeat::Idempotent,
            _ => repeat,
        };
        let seed = self.call_rng.next_u64();
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let table = process.router.table();
        let Some(candidates) = table.any(target) else {
            return self.end_call(number, CallEnd::Failed(FailureCode::Unreachable));
        };
        let call = routing::Call {
            deadline: process.moment(deadline),
            repeat: believed,
        };
        let route = Route::new(candidates.clone(), call, Random::from_seed(seed));
        let attempt = 0;
        process.calls.insert(number, PendingCall { route, attempt });
        self.advance_call(id, number)
    }

    // === attempts ===

    fn advance_call(&mut self, id: ProcessId, number: u64) -> Checked {
        let now = self.now;
        loop {
            let Some(process) = self.process_mut(id) else {
                return Ok(());
            };
            let at = process.moment(now);
            let Some(pending) = process.calls.get_mut(&number) else {
                return Ok(());
            };
            let attempt = match pending.route.next(at) {
                // The simulation has no wait for a replacement host.
                Decision::GiveUp(code) | Decision::Nobody(code) => {
                    process.calls.remove(&number);
                    return self.end_call(number, CallEnd::Failed(code));
                }
                Decision::Send(attempt) => attempt,
            };
            pending.attempt += 1;
            let request = Request {
                call: number,
                attempt: pending.attempt,
                caller: id,
            };
            let until = process.time(attempt.until);
            let to = self.numbers.get(&attempt.host).copied();
            let Some(outcome) = self.send_call(id, to, request, until) else {
                return Ok(());
            };
            self.record_outcome(id, number, outcome);
        }
    }

    /// Sends one attempt. Returns its outcome if that is known at once.
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
        self.trace.numbers(self.now, &numbers);
        if to == id.host {
            let from = id;
            let payload = Payload::Request(request);
            let event = ProcessEvent::Delivery(Message { from, payload });
            self.events.push(self.now, WorldEvent::Process(id, event));
        } else if !self.hosts[id.host].is_connected {
            return Some(Outcome::NotSent);
        } else if self.send(id, to, &Payload::Request(request), false) == Reachability::NoResponders
        {
            return Some(Outcome::NoResponders);
        }
        let (call, attempt) = (request.call, request.attempt);
        let event = ProcessEvent::TimedOut { call, attempt };
        self.events.push(until, WorldEvent::Process(id, event));
        None
    }

    fn record_outcome(&mut self, id: ProcessId, number: u64, outcome: Outcome) {
        let now = self.now;
        if let Some(process) = self.process_mut(id) {
            let at: Moment = process.moment(now);
            if let Some(pending) = process.calls.get_mut(&number) {
                pending.route.outcome(outcome, at);
            }
        }
    }

    /// Applies the outcome of an attempt, unless the call has moved on to another one.
    pub(super) fn on_outcome(
        &mut self,
        id: ProcessId,
        request: Request,
        outcome: Outcome,
    ) -> Checked {
        let number = request.call;
        let pending = self
            .process(id)
            .and_then(|process| process.calls.get(&number));
        if pending.is_none_or(|pending| pending.attempt != request.attempt) {
            return Ok(());
        }
        self.record_outcome(id, number, outcome);
        if outcome == Outcome::Answered {
            if let Some(process) = self.process_mut(id) {
                process.calls.remove(&number);
            }
            return self.end_call(number, CallEnd::Answered);
        }
        self.advance_call(id, number)
    }

    pub(super) fn on_timeout(&mut self, id: ProcessId, call: u64, attempt: usize) -> Checked {
        let request = Request {
            call,
            attempt,
            caller: id,
        };
        self.on_outcome(id, request, Outcome::TimedOut)
    }

    /// Fails the open calls of a host that lost its bus: their answers are lost.
    pub(super) fn lose_calls(&mut self, id: ProcessId) -> Checked {
        let process = self.process(id);
        let calls: Vec<_> = process
            .into_iter()
            .flat_map(|process| &process.calls)
            .map(|(call, pending)| (*call, pending.attempt))
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

    fn end_call(&mut self, number: u64, end: CallEnd) -> Checked {
        let now = self.now;
        self.trace
            .numbers(now, &[number, u64::from(end == CallEnd::Answered)]);
        let call = self.call_log.call_mut(number);
        call.end = Some(end);
        let call = self.call_log.call(number);
        let is_calm = self
            .converged_at
            .is_some_and(|converged_at| call.begun >= converged_at + CALLS_SUCCEED_AFTER);
        let (target, caller) = (&call.target, call.caller);
        let is_placed = self.is_placed(target);
        hold(
            !is_calm || !is_placed || end == CallEnd::Answered,
            "calls succeed again",
            || format!("call {number} from {caller} to {target:?} ended as {end:?}"),
        )?;
        let host = &self.hosts[caller];
        let has_hung = host.hung_until.is_some_and(|until| until >= call.begun);
        // A caller that hung in the meantime is late by that.
        if host.hung_since.is_none() && !has_hung {
            invariants::a_call_ends_in_time(number, call, now)?;
        }
        invariants::an_answered_call_ran(number, call)?;
        invariants::a_call_reported_not_run_did_not_run(number, call)
    }

    fn is_placed(&self, target: &ComponentId) -> bool {
        let mut processes = self.hosts.iter().filter_map(|host| host.process.as_ref());
        processes.any(|process| process.runs(target))
    }

    // === targets ===

    /// Takes a call from another host, or from itself.
    pub(super) fn serve(&mut self, id: ProcessId, request: Request) -> Checked {
        let busy_percent = match self.now < self.scenario.faults_end_at {
            true => self.scenario.busy_percent,
            false => 0,
        };
        let is_busy = self.call_rng.percent(busy_percent);
        let limit = self.scenario.sites[id.host].limit;
        let takes = self.call_rng.millis(1..=60);
        // After the last fault, no call takes longer than its deadline.
        let slow = self.now < self.scenario.faults_end_at && self.call_rng.percent(5);
        let target = self.call_log.call(request.call).target.clone();
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
        let call = self.call_log.call_mut(request.call);
        *call.runs.entry(id.host).or_default() += 1;
        let takes = if slow { takes * 20 } else { takes };
        self.events.push(
            self.now + takes,
            WorldEvent::Process(id, ProcessEvent::CallDone(request)),
        );
        let call = self.call_log.call(request.call);
        invariants::no_call_runs_twice(request.call, call)?;
        invariants::a_call_reported_not_run_did_not_run(request.call, call)
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
