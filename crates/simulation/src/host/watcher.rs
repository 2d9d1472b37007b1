//! The task that checks the invariants of a host at each change of its state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::interval;
use weft_lattice_config::AppName;
use weft_membership::TICK_EVERY;
use weft_membership::View;
use weft_node::controller::{Controller, DesiredApp};
use weft_node::{Decision, Joined, MembershipSnapshot};
use weft_state::store::Record;

use crate::invariants::{self, Checked, hold};
use crate::records::{component_id, deployed, has_ready};
use crate::shared::Shared;
use crate::truth::{HostTruth, Running, running_apps};

/// Checks a host until its process ends.
pub(super) async fn watch(
    shared: Arc<Shared>,
    host: usize,
    joined: Joined,
    controller: Controller,
) {
    let (mut membership, mut replica) = (joined.membership(), joined.replica());
    let (mut decision, mut snapshots) = (joined.decision(), controller.watch());
    let mut ticks = interval(TICK_EVERY);
    check_replica(&shared, host, replica.borrow_and_update().apps());
    loop {
        tokio::select! {
            biased;
            // Before the apps that run: a host publishes a removal, and acts on it at once.
            Ok(()) = replica.changed() => {
                check_replica(&shared, host, replica.borrow_and_update().apps());
            }
            Ok(()) = snapshots.changed() => {
                let running = running_apps(&snapshots.borrow_and_update());
                let removed = removed_apps(replica.borrow().apps());
                shared.check(check_running(&shared, host, running, &removed));
            }
            Ok(()) = decision.changed() => {
                let decision = decision.borrow_and_update().clone();
                shared.check(check_decision(&shared, host, &decision));
            }
            Ok(()) = membership.changed() => {
                let snapshot = membership.borrow_and_update().clone();
                trace_view(&shared, host, &snapshot);
                shared.check(check_deaths(&shared, host, &snapshot));
            }
            _ = ticks.tick() => {
                let snapshot = membership.borrow().clone();
                shared.check(check_silence(&shared, host, &snapshot));
            }
        }
    }
}

/// Records that a host stops an app while it prepares another share of it.
pub(super) fn stops(shared: &Arc<Shared>, host: usize, app: &AppName) {
    let mut running = shared.state().truths[host].running.clone();
    running.remove(app);
    shared.check(check_running(shared, host, running, &BTreeSet::new()));
}

fn trace_view(shared: &Shared, host: usize, snapshot: &MembershipSnapshot) {
    let hosts = snapshot.view.hosts().map(|view| {
        let (liveness, state) = (view.liveness, view.state);
        format!("{} {liveness:?} {state:?}", view.id.short())
    });
    let hosts: Vec<_> = hosts.collect();
    let (pause, hosts) = (snapshot.pause, hosts.join(", "));
    shared.trace(&format!("{host} sees ({pause:?}): {hosts}"));
}

// === views ===

/// Compares the view of a host that is not frozen with the heartbeats that arrived, for hosts that
/// count as dead.
fn check_deaths(shared: &Shared, host: usize, snapshot: &MembershipSnapshot) -> Checked {
    let (now, state) = (shared.now(), shared.state());
    let truth = &state.truths[host];
    others(shared, host, snapshot).try_for_each(|(number, view)| {
        let last = truth.heartbeats[number].and_then(|last| last.before(now));
        invariants::a_heard_host_is_not_dead(view, last, now)
    })
}

/// As [`check_deaths`], for hosts that count as alive.
fn check_silence(shared: &Shared, host: usize, snapshot: &MembershipSnapshot) -> Checked {
    let (now, state) = (shared.now(), shared.state());
    let truth = &state.truths[host];
    let is_back = |at: std::time::Duration| now.saturating_sub(at) > TICK_EVERY * 2;
    if truth.is_hung || !truth.hung_until.is_none_or(is_back) {
        return Ok(());
    }
    others(shared, host, snapshot).try_for_each(|(number, view)| {
        let last = truth.heartbeats[number].map(|last| last.at);
        invariants::a_silent_host_is_dead(view, last, now)
    })
}

/// The other hosts in the view of a host that is not frozen, with their numbers.
fn others<'a>(
    shared: &'a Shared,
    host: usize,
    snapshot: &'a MembershipSnapshot,
) -> impl Iterator<Item = (usize, &'a weft_membership::HostView)> {
    let views = snapshot.view.hosts();
    let views = views.filter(|_| snapshot.pause.is_none());
    let numbered = views.filter_map(|view| Some((shared.scenario.number(view.id)?, view)));
    numbered.filter(move |(number, _)| *number != host)
}

// === the desired state ===

fn check_replica(shared: &Shared, host: usize, replica: &BTreeMap<AppName, Arc<Record>>) {
    let checked = {
        let before = &mut shared.state().truths[host].replica;
        let checked = invariants::a_replica_only_grows(before, replica);
        before.clone_from(replica);
        checked
    };
    shared.check(checked);
}

/// Checks a decision before the host acts on it.
fn check_decision(shared: &Shared, host: usize, decision: &Decision) -> Checked {
    let (now, scenario) = (shared.now(), &shared.scenario);
    let view = &decision.membership.view;
    let truth = &mut shared.state().truths[host];
    let kept = decision.kept.values().map(|kept| &kept.current);
    let mut apps = decision.desired.iter().chain(kept);
    let acts = apps.any(|desired| acts(truth, desired));
    if acts {
        invariants::a_frozen_host_does_not_act(truth, now)?;
    }
    let all = decision.desired.iter();
    let all = all.filter_map(|desired| deployed(&desired.record));
    invariants::a_plan_fits(&decision.plan, all.clone(), view)?;
    for deployed in all {
        invariants::a_plan_has_one_per_host(&decision.plan, deployed)?;
        let site = &scenario.sites[host];
        let components = deployed.app.spec.components.iter();
        let planned = components.filter(|component| {
            let id = component_id(&deployed.app, &component.name);
            let hosts = decision.plan.assignments.get(&id);
            hosts.is_some_and(|hosts| hosts.contains(&site.name))
        });
        let planned = planned.map(|component| component.name.clone()).collect();
        invariants::anti_affinity_holds(deployed, &planned)?;
        invariants::a_host_has_what_its_components_require(&site.labels, deployed, &planned)?;
    }
    truth.decision_view = Some(view.clone());
    truth.assignments.clone_from(&decision.plan.assignments);
    Ok(())
}

/// True if a desired app differs from what runs.
fn acts(truth: &HostTruth, desired: &DesiredApp) -> bool {
    let runs = truth.share_of(&desired.app);
    match &*desired.record {
        Record::Deployed(deployed) => {
            let components = deployed.app.spec.components.iter().enumerate();
            let share = components.filter(|(index, _)| desired.share.has(*index));
            let share: BTreeSet<_> = share.map(|(_, component)| component.name.clone()).collect();
            share != runs
        }
        Record::Removed { .. } => false,
    }
}

// === components ===

/// The removed apps of a replica, which the host may have published at the instant at which it acts
/// on them.
fn removed_apps(replica: &BTreeMap<AppName, Arc<Record>>) -> BTreeSet<AppName> {
    let removed = replica.iter();
    let removed = removed.filter(|(_, record)| deployed(record).is_none());
    removed.map(|(app, _)| app.clone()).collect()
}

/// Checks a change of the apps that run, except of `removed` ones.
fn check_running(
    shared: &Shared,
    host: usize,
    running: BTreeMap<AppName, Running>,
    removed: &BTreeSet<AppName>,
) -> Checked {
    let truth = &mut shared.state().truths[host];
    let before = std::mem::replace(&mut truth.running, running);
    let site = &shared.scenario.sites[host];
    for (app, running) in &truth.running {
        if before.get(app) != Some(running) {
            let (deployed, share) = (&running.deployed, &running.share);
            invariants::a_host_has_what_its_components_require(&site.labels, deployed, share)?;
        }
    }
    for (app, before) in before.iter().filter(|(app, _)| !removed.contains(*app)) {
        let stops: BTreeSet<_> = before
            .share
            .difference(&truth.share_of(app))
            .cloned()
            .collect();
        let record = truth.replica.get(app);
        let Some(deployed) = record.and_then(|record| deployed(record)) else {
            continue;
        };
        for component in &deployed.app.spec.components {
            let alone = BTreeSet::from([component.name.clone()]);
            let may_stay =
                invariants::a_host_has_what_its_components_require(&site.labels, deployed, &alone);
            // A host that may not run it leaves at last, if the plan has a host for the whole app.
            let may_leave = may_stay.is_err() && truth.is_placed(deployed);
            if !stops.contains(&component.name) || may_leave {
                continue;
            }
            let id = component_id(&deployed.app, &component.name);
            let view = truth.decision_view.iter().flat_map(View::hosts);
            let mut others = view.filter(|other| other.id != site.id);
            let is_elsewhere = others.any(|other| has_ready(other, &id, deployed.revision));
            hold(is_elsewhere, "a stopped component runs elsewhere", || {
                format!("`{id}` stops on {host}, and is not reported ready on another host")
            })?;
        }
    }
    Ok(())
}
