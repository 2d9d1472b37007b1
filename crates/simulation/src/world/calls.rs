//! Calls of hosts to the components of the desired apps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weft_lattice_config::placement::ComponentId;
use weft_link::{OutgoingCall, code_of, encoded, number_call};
use weft_membership::routing::Repeat;
use weft_wire::{Frame, Importer, Request, Target};

use super::World;
use super::convergence::CALLS_SUCCEED_AFTER;
use crate::call_log::{Call, CallEnd};
use crate::invariants::{self, Checked, hold};
use crate::mutations::Mutation;
use crate::records::{component_id, deployed};
use crate::schedule::WorldEvent;
use crate::shared::Shared;

impl World {
    /// A host that responds calls a desired component.
    pub(super) fn call(&mut self) {
        let shared = self.shared.clone();
        let now = shared.now();
        let most = shared.scenario.calls_every;
        let pause = {
            let rng = &mut shared.state().call_rng;
            rng.duration(Duration::from_millis(1)..=most)
        };
        self.schedule.push(now + pause, WorldEvent::Call);
        let hosts = self.responsive();
        let Some(host) = shared.state().call_rng.pick(&hosts).copied() else {
            return;
        };
        let targets = self.targets(host);
        let Some(target) = shared.state().call_rng.pick(&targets).cloned() else {
            return;
        };
        self.begin_call(host, target);
    }

    /// The components of the desired apps in a host's replica.
    fn targets(&self, host: usize) -> Vec<ComponentId> {
        let replica = self.process(host).map(|process| process.joined.replica());
        let replica = replica.map(|replica| replica.borrow().clone());
        let desired = replica.iter().flat_map(|replica| replica.apps().values());
        let deployed = desired.filter_map(|record| deployed(record));
        let components = deployed.flat_map(|deployed| {
            let components = deployed.app.spec.components.iter();
            components.map(|component| component_id(&deployed.app, &component.name))
        });
        components.collect()
    }

    fn begin_call(&self, caller: usize, target: ComponentId) {
        let (shared, begun) = (self.shared.clone(), self.shared.now());
        let (number, repeat, deadline) = {
            let state = &mut *shared.state();
            let repeat = if state.call_rng.percent(50) {
                Repeat::Idempotent
            } else {
                Repeat::Never
            };
            let deadline = begun + state.call_rng.millis(500..=4_000);
            let number = state.call_log.open(Call {
                target: target.clone(),
                caller,
                repeat,
                begun,
                deadline,
                runs: BTreeMap::new(),
                end: None,
            });
            (number, repeat, deadline)
        };
        let Some(process) = self.process(caller) else {
            return;
        };
        let retries_all = shared.options.mutation == Some(Mutation::RetriesEverything);
        let waits_too_long = shared.options.mutation == Some(Mutation::WaitsTooLong);
        let late = Duration::from_secs(u64::from(waits_too_long));
        let call = outgoing_call(
            number,
            target,
            deadline - begun + late,
            retries_all || repeat == Repeat::Idempotent,
        );
        let hosts = process.hosts.clone();
        process.tasks.spawn(async move {
            let end = match hosts.exchange(&call, None).await {
                Ok((reply, _)) => match code_of(&reply) {
                    None => CallEnd::Answered,
                    Some(code) => CallEnd::Failed(code),
                },
                Err(failure) => CallEnd::Failed(failure.code()),
            };
            shared.check(end_call(&shared, number, end));
        });
    }

    /// Ends the open calls of a host whose process has ended.
    pub(super) fn abandon_calls(&self, host: usize) {
        let calls = &mut self.shared.state().call_log.calls;
        let open = calls.iter_mut().filter(|call| call.end.is_none());
        for call in open.filter(|call| call.caller == host) {
            call.end = Some(CallEnd::Abandoned);
        }
    }
}

/// A call whose argument is its number in the log.
fn outgoing_call(
    number: u64,
    target: ComponentId,
    time: Duration,
    is_idempotent: bool,
) -> OutgoingCall {
    let call = number_call();
    let frame = Frame::Request(Request {
        call,
        session: None,
        target: Target {
            app: target.app.as_str(),
            component: target.component.as_str(),
            interface: "test:app/component",
            function: "run",
        },
        deadline_ms: u32::try_from(time.as_millis()).unwrap_or(u32::MAX),
        depth: 0,
        trace: None,
        importer: Importer {
            app: target.app.as_str(),
            component: "caller",
        },
        payload: &number.to_le_bytes(),
    });
    OutgoingCall {
        number: call,
        frame: encoded(&frame).into(),
        target: Arc::new(target),
        deadline: tokio::time::Instant::now() + time,
        is_idempotent,
    }
}

fn end_call(shared: &Shared, number: u64, end: CallEnd) -> Checked {
    let now = shared.now();
    let state = &mut *shared.state();
    let ended = u64::from(end == CallEnd::Answered);
    state.trace.numbers(now, &[number, ended]);
    let call = state.call_log.call_mut(number);
    call.end = Some(end);
    let (call, truths) = (&*call, &state.truths);
    let is_calm = state
        .converged_at
        .is_some_and(|converged_at| call.begun >= converged_at + CALLS_SUCCEED_AFTER);
    let is_placed = truths.iter().any(|truth| truth.runs(&call.target));
    hold(
        !is_calm || !is_placed || end == CallEnd::Answered,
        "calls succeed again",
        || {
            let (caller, target) = (call.caller, &call.target);
            format!("call {number} from {caller} to {target:?} ended as {end:?}")
        },
    )?;
    let caller = &truths[call.caller];
    let has_hung = caller.hung_until.is_some_and(|until| until >= call.begun);
    // A caller that hung in the meantime is late by that.
    if !caller.is_hung && !has_hung {
        invariants::a_call_ends_in_time(number, call, now)?;
    }
    invariants::an_answered_call_ran(number, call)?;
    invariants::a_call_reported_not_run_did_not_run(number, call)
}
