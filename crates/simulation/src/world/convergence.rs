//! Convergence after the last fault: all hosts agree, and run the desired apps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weft_lattice_config::placement::{self, Input, Plan};
use weft_lattice_config::{AppName, ComponentName, Labels};
use weft_membership::message::HostState;
use weft_membership::{DAMPING_MAX, DEAD_AFTER};
use weft_state::desired::record_codec::app_key;
use weft_state::store::{Deployed, Record};

use super::{CHECK_EVERY, World};
use crate::event_queue::WorldEvent;
use crate::invariants::{Checked, anti_affinity_holds, hold};
use crate::reconciler::{app_record, component_id, deployed};

/// The longest time from the last fault to convergence: a host that came and went is damped for so
/// long before it gets work, and then moves that work.
pub(super) const CONVERGES_WITHIN: Duration = DAMPING_MAX.saturating_add(Duration::from_secs(40));

/// The time from the last fault to the first check: earlier messages have arrived by then, and
/// silent hosts are declared dead.
pub(super) const FIRST_CHECK_AFTER: Duration = DEAD_AFTER.saturating_add(Duration::from_secs(2));

/// The time from convergence until every call has to succeed: until then, calls to hosts that just
/// moved a component may fail.
pub(super) const CALLS_SUCCEED_AFTER: Duration = Duration::from_secs(2);

/// The time for which a converged lattice has to stay converged, with every call succeeding.
const STABLE_FOR: Duration = Duration::from_secs(8);

impl World {
    /// Checks for convergence; and after it, that the lattice stays converged.
    pub(super) fn check_convergence(&mut self) -> Checked {
        self.events
            .push(self.now + CHECK_EVERY, WorldEvent::CheckConvergence);
        let divergence = self.divergence();
        let faults_ended_for = self.now - self.scenario.faults_end_at;
        match (self.converged_at, divergence) {
            (None, None) => {
                self.converged_at = Some(self.now);
                self.trace_line("the lattice has converged");
                Ok(())
            }
            (None, Some(reason)) => {
                let is_time_left = faults_ended_for < CONVERGES_WITHIN;
                hold(is_time_left, "the lattice converges", || reason)
            }
            (Some(converged_at), divergence) => {
                hold(
                    divergence.is_none(),
                    "a converged lattice stays converged",
                    || divergence.unwrap_or_default(),
                )?;
                self.is_over = self.now >= converged_at + STABLE_FOR;
                Ok(())
            }
        }
    }

    /// The first divergence found; `None` if the lattice has converged.
    fn divergence(&self) -> Option<String> {
        let view = (0..self.hosts.len()).find_map(|host| self.view_divergence(host));
        view.or_else(|| self.bucket_divergence())
            .or_else(|| self.plan_divergence())
    }

    /// The first false entry in the view of a host.
    fn view_divergence(&self, host: usize) -> Option<String> {
        let Some(process) = &self.hosts[host].process else {
            return Some(format!("{host} does not run"));
        };
        if let Some(freeze) = process.membership.freeze() {
            return Some(format!("{host} is frozen: {freeze:?}"));
        }
        if process.preparing.is_some() || !process.steps.is_empty() {
            return Some(format!("{host} has remaining steps"));
        }
        let view = process.membership.view();
        for (number, site) in self.scenario.sites.iter().enumerate() {
            let Some(other) = &self.hosts[number].process else {
                return Some(format!("{number} does not run"));
            };
            let Some(entry) = view.host(site.id) else {
                return Some(format!("the view of {host} lacks {number}"));
            };
            let contents = entry.contents.as_deref();
            let is_true = entry.is_placeable()
                && entry.incarnation == other.life
                && entry.state == HostState::Ready
                && contents == Some(&other.contents());
            if !is_true {
                return Some(format!("the view of {host} has {number} as {entry:?}"));
            }
        }
        None
    }

    /// The first app of which the bucket, or the replica of a host, lacks the last change.
    fn bucket_divergence(&self) -> Option<String> {
        for app in self.history.apps() {
            let bucket = self.in_bucket(app);
            let bucket = bucket.as_ref();
            let is_lost = bucket.is_none() && !self.history.is_expected(app);
            let mut acceptable = self.history.acceptable(app);
            if !is_lost && !acceptable.any(|record| Some(&**record) == bucket) {
                let revision = bucket.map(Record::revision);
                return Some(format!(
                    "`{app}` in the bucket is at {revision:?}, which is not the last revision"
                ));
            }
            for (number, host) in self.hosts.iter().enumerate() {
                let desired = host
                    .process
                    .as_ref()
                    .map(|process| process.reconciler.replica.apps());
                let desired = desired.and_then(|desired| desired.get(app));
                for copy in [desired, host.disk.get(app)] {
                    if copy.map(|copy| &**copy) != bucket {
                        return Some(format!(
                            "{number} and the bucket have different records of `{app}`"
                        ));
                    }
                }
            }
        }
        None
    }

    fn in_bucket(&self, app: &AppName) -> Option<Record> {
        use futures_util::FutureExt as _;
        let process = self.hosts.first()?.process.as_ref()?;
        let key = app_key(app).ok()?;
        let found = process.records.get(&key).now_or_never()?.ok()??;
        app_record(&key, &found.value)
    }

    /// The first host that runs something other than the plan of all hosts.
    fn plan_divergence(&self) -> Option<String> {
        let desired = self.hosts.first()?.process.as_ref()?;
        let desired: Vec<&Arc<Record>> = desired.reconciler.replica.apps().values().collect();
        let plan = self.true_plan(&desired);
        let deployed: Vec<_> = desired
            .iter()
            .filter_map(|record| deployed(record))
            .collect();
        for (number, host) in self.hosts.iter().enumerate() {
            let process = host.process.as_ref()?;
            for deployed in &deployed {
                let app = &deployed.app.metadata.name;
                let planned = self.planned(&plan, deployed, number);
                let running = process.running.get(app);
                let runs = running.map(|app| (app.record.revision(), &app.share));
                let has_to = (deployed.revision, &planned);
                let is_as_planned = runs.is_some_and(|(revision, share)| {
                    let mut others = share.difference(&planned);
                    let stays = |name| !is_placed(&plan, deployed, name);
                    revision == deployed.revision && planned.is_subset(share) && others.all(stays)
                });
                if !is_as_planned {
                    return Some(format!(
                        "{number} is to run {has_to:?} of `{app}`, found {runs:?}"
                    ));
                }
                if let Err(violation) = anti_affinity_holds(deployed, &planned) {
                    return Some(violation.to_string());
                }
            }
            let mut running = process.running.values();
            let is_desired = |running: &crate::process::Running| {
                let revision = running.deployed().map(|deployed| deployed.revision);
                let same = |deployed: &&&Deployed| Some(deployed.revision) == revision;
                let mut of_app = deployed.iter().filter(same);
                of_app.any(|deployed| running.deployed() == Some(*deployed))
            };
            if !running.all(is_desired) {
                return Some(format!("{number} runs an app that is not desired"));
            }
        }
        None
    }

    fn true_plan(&self, desired: &[&Arc<Record>]) -> Plan {
        let sites = self.scenario.sites.iter().zip(&self.names);
        let hosts = sites.map(|(site, id)| {
            let labels = site.contents.labels.iter();
            let labels =
                labels.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
            placement::Host {
                id: id.clone(),
                labels: labels.collect::<Labels>(),
                capacity: site.contents.capacity,
                state: placement::HostState::Ready,
            }
        });
        let hosts: Vec<_> = hosts.collect();
        let deployed = desired.iter().filter_map(|record| deployed(record));
        let apps = deployed.map(|deployed| placement::Desired {
            app: &deployed.app,
            since: deployed.changed_at_ms,
        });
        placement::plan(&Input {
            apps: &apps.collect::<Vec<_>>(),
            hosts: &hosts,
            demand: &BTreeMap::new(),
            local_stores: &BTreeSet::new(),
            homes: &BTreeMap::new(),
        })
    }

    fn planned(&self, plan: &Plan, deployed: &Deployed, host: usize) -> BTreeSet<ComponentName> {
        let components = deployed.app.spec.components.iter();
        let here = components.filter(|component| {
            let id = component_id(&deployed.app, &component.name);
            let hosts = plan.assignments.get(&id);
            hosts.is_some_and(|hosts| hosts.contains(&self.names[host]))
        });
        here.map(|component| component.name.clone()).collect()
    }
}

/// Returns whether a component has a host. Without one it stays where it runs: it may be needed,
/// and no other host has it.
fn is_placed(plan: &Plan, deployed: &Deployed, component: &ComponentName) -> bool {
    let hosts = plan
        .assignments
        .get(&component_id(&deployed.app, component));
    hosts.is_some_and(|hosts| !hosts.is_empty())
}
