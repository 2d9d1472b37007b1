//! The invariants that hold in a lattice at every moment, under any faults. Each function is one
//! invariant, with its reason. It checks the ground truth and not a host's view, wherever the two
//! are distinct.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use weft_lattice_config::placement::Plan;
use weft_lattice_config::{AppName, ComponentName, ComponentSpec};
use weft_membership::message::HostState;
use weft_membership::routing::{ATTEMPTS_MAX, Repeat};
use weft_membership::{
    DEAD_AFTER, HostView, Liveness, SETTLE_AFTER_RETURN, SETTLE_AFTER_START, TICK_EVERY, View,
};
use weft_state::store::{Deployed, Record};

use crate::call_log::{Call, CallEnd};
use crate::records::component_id;
use crate::truth::HostTruth;

/// The time without a bus after which a host serves alone from its own replica; as in the
/// `reconciler` of `weft-node`.
pub(crate) const ALONE_AFTER: Duration = Duration::from_secs(3);

/// The longest delay of a call's end after its deadline; only a hung host delays it more.
const CALL_ENDS_AFTER: Duration = Duration::from_millis(1);

/// A violated invariant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{invariant}: {detail}")]
pub struct Violation {
    /// The name of the invariant.
    pub invariant: &'static str,
    /// The observed violation.
    pub detail: String,
}

/// The result of a check.
pub(crate) type Checked = Result<(), Violation>;

/// Fails with the name of an invariant, unless it holds.
pub(crate) fn hold(
    holds: bool,
    invariant: &'static str,
    detail: impl FnOnce() -> String,
) -> Checked {
    if holds {
        return Ok(());
    }
    let detail = detail();
    Err(Violation { invariant, detail })
}

// === liveness ===

/// A host whose heartbeats arrive is not declared dead: its work would move for nothing, or run
/// twice.
pub(crate) fn a_heard_host_is_not_dead(
    view: &HostView,
    last: Option<Duration>,
    now: Duration,
) -> Checked {
    let Some(last) = last else { return Ok(()) };
    let is_heard = now - last < DEAD_AFTER;
    let is_wrong = is_heard && view.liveness == Liveness::Dead && view.state != HostState::Left;
    hold(!is_wrong, "a heard host is not dead", || {
        format!(
            "the last heartbeat of {:?} arrived at {last:?}, and it is declared dead at {now:?}",
            view.id
        )
    })
}

/// A silent host is declared dead in time: until then its work waits. One tick passes until the
/// host decides, and one until the check.
pub(crate) fn a_silent_host_is_dead(
    view: &HostView,
    last: Option<Duration>,
    now: Duration,
) -> Checked {
    let Some(last) = last else { return Ok(()) };
    let is_silent = now - last >= DEAD_AFTER + TICK_EVERY * 2;
    hold(
        !is_silent || !view.is_alive(),
        "a silent host is dead",
        || {
            format!(
                "the last heartbeat of {:?} arrived at {last:?}, and it counts as alive at {now:?}",
                view.id
            )
        },
    )
}

// === paused placement ===

/// A host that receives no heartbeats of others, or did not until just now, changes nothing that it
/// runs: the missing heartbeats may be its own fault.
pub(crate) fn a_frozen_host_does_not_act(truth: &HostTruth, now: Duration) -> Checked {
    let invariant = "a frozen host does not act";
    // A host that has found no bus may have decided just before it finds one at this instant.
    let was_connected = truth.first_connected_at.is_some_and(|at| at < now);
    let is_alone = !was_connected && now - truth.started >= ALONE_AFTER;
    if is_alone {
        return Ok(());
    }
    let Some(connected_at) = truth.connected_at else {
        return hold(false, invariant, || {
            "the host acts while its bus is unavailable".to_owned()
        });
    };
    hold(now - connected_at >= SETTLE_AFTER_START, invariant, || {
        format!("the host acts {:?} after it connected", now - connected_at)
    })?;
    let since = truth.returned_at.map(|at| now - at);
    let is_back = since.is_none_or(|since| since >= SETTLE_AFTER_RETURN);
    hold(is_back, invariant, || {
        format!("the host acts {since:?} after its return")
    })
}

// === placement rules ===

/// A host runs only components whose required labels it has: their owner relies on them.
pub(crate) fn a_host_has_what_its_components_require(
    labels: &BTreeMap<String, String>,
    deployed: &Deployed,
    share: &BTreeSet<ComponentName>,
) -> Checked {
    for component in components(deployed, share) {
        for (label, values) in &component.placement.require {
            let value = labels.get(label.as_str()).map(String::as_str);
            let mut desired = values.as_slice().iter();
            let has = desired.any(|desired| Some(desired.as_str()) == value);
            hold(has, "a host has what its components require", || {
                let app = &deployed.app.metadata.name;
                let name = &component.name;
                format!("`{app}/{name}` requires `{label}` of {values:?}, found {value:?}")
            })?;
        }
    }
    Ok(())
}

/// Components with anti-affinity are not on one host: they have to survive each other's host.
pub(crate) fn anti_affinity_holds(deployed: &Deployed, share: &BTreeSet<ComponentName>) -> Checked {
    for component in components(deployed, share) {
        let others = component.placement.anti_affinity.iter();
        for other in others.filter(|other| **other != component.name) {
            hold(!share.contains(other), "anti-affinity holds", || {
                let app = &deployed.app.metadata.name;
                format!("`{app}`: `{}` and `{other}` share a host", component.name)
            })?;
        }
    }
    Ok(())
}

/// A plan keeps the rule of one replica per host, on every host: several hosts could each break it
/// together.
pub(crate) fn a_plan_has_one_per_host(plan: &Plan, deployed: &Deployed) -> Checked {
    let components = deployed.app.spec.components.iter();
    for component in components.filter(|component| component.placement.one_per_host) {
        let id = component_id(&deployed.app, &component.name);
        let hosts = plan.assignments.get(&id).map_or(&[][..], Vec::as_slice);
        let different: BTreeSet<_> = hosts.iter().collect();
        hold(
            different.len() == hosts.len(),
            "a plan has one per host",
            || format!("`{id}` is on {hosts:?}"),
        )?;
    }
    Ok(())
}

/// A plan gives no host more than its published capacity: an overloaded host fails all of its
/// components.
pub(crate) fn a_plan_fits<'a>(
    plan: &Plan,
    desired: impl Iterator<Item = &'a Deployed>,
    view: &View,
) -> Checked {
    let mut weights: BTreeMap<String, u64> = BTreeMap::new();
    for deployed in desired {
        for component in &deployed.app.spec.components {
            let id = component_id(&deployed.app, &component.name);
            for host in plan.assignments.get(&id).into_iter().flatten() {
                let weight = u64::from(component.placement.weight.get());
                *weights.entry(host.to_string()).or_default() += weight;
            }
        }
    }
    for host in view.hosts() {
        let weight = weights.get(&host.id.to_string()).copied();
        let contents = host.contents.as_ref();
        let capacity = contents.and_then(|contents| contents.capacity);
        let (weight, capacity) = (weight.unwrap_or(0), capacity.unwrap_or(u64::MAX));
        hold(weight <= capacity, "a plan fits", || {
            format!("{:?} has {weight} of {capacity}", host.id)
        })?;
    }
    Ok(())
}

// === durability ===

/// A replica only grows: a record is replaced only by a later one, and a tombstone is a record.
pub(crate) fn a_replica_only_grows(
    before: &BTreeMap<AppName, Arc<Record>>,
    after: &BTreeMap<AppName, Arc<Record>>,
) -> Checked {
    for (app, before) in before {
        let after = after.get(app).map(|record| record.revision());
        let grew = after.is_some_and(|after| after >= before.revision());
        hold(grew, "a replica only grows", || {
            let before = before.revision();
            format!("`{app}` went from revision {before} to {after:?}")
        })?;
    }
    Ok(())
}

// === calls ===

/// A call runs once, unless its caller declared it repeatable; then at most once for each attempt.
pub(crate) fn no_call_runs_twice(number: u64, call: &Call) -> Checked {
    let most_runs = match call.repeat {
        Repeat::Never => 1,
        Repeat::Idempotent => ATTEMPTS_MAX as u32,
    };
    let is_within = call.runs_count() <= most_runs;
    hold(is_within, "no call runs twice", || {
        let (repeat, target, runs) = (call.repeat, &call.target, &call.runs);
        format!("call {number} ({repeat:?}) to {target:?} ran on {runs:?}")
    })
}

/// A failure code that promises that the call did not run lets the caller repeat it.
pub(crate) fn a_call_reported_not_run_did_not_run(number: u64, call: &Call) -> Checked {
    let is_wrong = call.is_reported_not_run() && call.runs_count() > 0;
    hold(!is_wrong, "a call reported not run did not run", || {
        format!(
            "call {number} ended as {:?}, and ran on {:?}",
            call.end, call.runs
        )
    })
}

/// An answer comes from a host that ran the call.
pub(crate) fn an_answered_call_ran(number: u64, call: &Call) -> Checked {
    let is_wrong = call.end == Some(CallEnd::Answered) && call.runs_count() == 0;
    hold(!is_wrong, "an answered call ran", || {
        format!("call {number} was answered, and ran nowhere")
    })
}

/// A caller waits no longer than the deadline.
pub(crate) fn a_call_ends_in_time(number: u64, call: &Call, now: Duration) -> Checked {
    let is_late = now > call.deadline + CALL_ENDS_AFTER;
    hold(!is_late, "a call ends in time", || {
        format!("call {number} was to end at {:?}", call.deadline)
    })
}

fn components<'a>(
    deployed: &'a Deployed,
    share: &'a BTreeSet<ComponentName>,
) -> impl Iterator<Item = &'a ComponentSpec> {
    let components = deployed.app.spec.components.iter();
    components.filter(|component| share.contains(&component.name))
}
