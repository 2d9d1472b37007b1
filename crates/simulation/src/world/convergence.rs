//! Convergence after the last fault: all hosts agree, and run the desired apps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use weft_lattice_config::placement::{self, Input, Plan};
use weft_lattice_config::{AppName, ComponentName, Labels};
use weft_membership::message::{HostState, Readiness};
use weft_membership::{DAMPING_MAX, DEAD_AFTER};
use weft_state::store::{Deployed, Record};

use super::{CHECK_EVERY, World};
use crate::invariants::{
    Checked, a_host_has_what_its_components_require, anti_affinity_holds, hold,
};
use crate::records::{component_id, deployed, is_placed};
use crate::schedule::WorldEvent;
use crate::truth::{Running, running_apps};

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
        let now = self.shared.now();
        self.schedule
            .push(now + CHECK_EVERY, WorldEvent::CheckConvergence);
        let divergence = self.divergence();
        let converged_at = self.shared.state().converged_at;
        match (converged_at, divergence) {
            (None, None) => {
                self.shared.state().converged_at = Some(now);
                self.shared.trace("the lattice has converged");
                Ok(())
            }
            (None, Some(reason)) => {
                let faults_ended_for = now - self.shared.scenario.faults_end_at;
                let is_time_left = faults_ended_for < CONVERGES_WITHIN;
                hold(is_time_left, "the lattice converges", || reason)
            }
            (Some(converged_at), divergence) => {
                hold(
                    divergence.is_none(),
                    "a converged lattice stays converged",
                    || divergence.unwrap_or_default(),
                )?;
                self.is_over = now >= converged_at + STABLE_FOR;
                Ok(())
            }
        }
    }

    /// The first divergence found; `None` if the lattice has converged.
    fn divergence(&self) -> Option<String> {
        let running: Option<Vec<_>> = self
            .hosts
            .iter()
            .map(|host| Some(running_apps(&host.process.as_ref()?.controller.snapshot())))
            .collect();
        let Some(running) = running else {
            return Some("a host does not run".to_owned());
        };
        let view = (0..self.hosts.len()).find_map(|host| self.view_divergence(host, &running));
        view.or_else(|| self.bucket_divergence())
            .or_else(|| self.plan_divergence(&running))
    }

    /// The first false entry in the view of a host.
    fn view_divergence(
        &self,
        host: usize,
        running: &[BTreeMap<AppName, Running>],
    ) -> Option<String> {
        let process = self.process(host)?;
        let membership = process.joined.membership();
        let membership = membership.borrow();
        if let Some(pause) = membership.pause {
            return Some(format!("{host} is paused: {pause:?}"));
        }
        for (number, site) in self.shared.scenario.sites.iter().enumerate() {
            let Some(entry) = membership.view.host(site.id) else {
                return Some(format!("the view of {host} lacks {number}"));
            };
            let is_true = entry.is_placeable()
                && entry.incarnation == self.hosts[number].disk.incarnation.load(Ordering::Relaxed)
                && entry.state == HostState::Ready
                && entry.contents.as_ref().is_some_and(|contents| {
                    let ready = contents.components.iter();
                    let ready = ready.map(|held| {
                        assert_eq!(held.readiness, Readiness::Ready, "nothing fails to start");
                        let id = &held.component;
                        (id.app.clone(), id.component.clone(), held.revision.0)
                    });
                    ready.collect::<BTreeSet<_>>() == components(&running[number])
                });
            if !is_true {
                return Some(format!("the view of {host} has {number} as {entry:?}"));
            }
        }
        None
    }

    /// The first app of which the bucket, or the replica of a host, lacks the last change.
    fn bucket_divergence(&self) -> Option<String> {
        let disks: Option<Vec<BTreeMap<_, _>>> = self
            .hosts
            .iter()
            .map(|host| Some(host.disk.store.all().ok()?.into_iter().collect()))
            .collect();
        let disks = disks?;
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        for app in history.apps() {
            let (_, bucket) = self.in_bucket(app);
            let bucket = bucket.as_ref();
            let is_lost = bucket.is_none() && !history.is_expected(app);
            let mut acceptable = history.acceptable(app);
            if !is_lost && !acceptable.any(|record| Some(&**record) == bucket) {
                let revision = bucket.map(Record::revision);
                return Some(format!(
                    "`{app}` in the bucket is at {revision:?}, which is not the last revision"
                ));
            }
            for (number, disk) in disks.iter().enumerate() {
                let replica = self.process(number)?.joined.replica();
                let replica = replica.borrow().apps().get(app).cloned();
                for copy in [replica.as_deref(), disk.get(app)] {
                    if copy != bucket {
                        return Some(format!(
                            "{number} and the bucket have different records of `{app}`"
                        ));
                    }
                }
            }
        }
        None
    }

    /// The first host that runs something other than the plan of all hosts.
    fn plan_divergence(&self, running: &[BTreeMap<AppName, Running>]) -> Option<String> {
        let desired = self.process(0)?.joined.replica();
        let desired: Vec<Arc<Record>> = desired.borrow().apps().values().cloned().collect();
        let plan = self.true_plan(&desired);
        let deployed: Vec<_> = desired
            .iter()
            .filter_map(|record| deployed(record))
            .collect();
        for deployed in &deployed {
            let divergence = self.app_divergence(&plan, deployed, running);
            if divergence.is_some() {
                return divergence;
            }
        }
        let is_desired = |app: &AppName| {
            deployed
                .iter()
                .any(|desired| desired.app.metadata.name == *app)
        };
        let others = running
            .iter()
            .position(|running| !running.keys().all(is_desired));
        others.map(|number| format!("{number} runs an app that is not desired"))
    }

    /// The first host whose share of an app is not the planned one.
    fn app_divergence(
        &self,
        plan: &Plan,
        deployed: &Deployed,
        running: &[BTreeMap<AppName, Running>],
    ) -> Option<String> {
        let app = &deployed.app.metadata.name;
        let keeps = |number: usize| {
            let runs = running[number].get(app);
            runs.is_some_and(|runs| self.keeps_revision(plan, deployed, number, runs, running))
        };
        // A component without a host stays where it runs, and so does one whose new host keeps its
        // current revision.
        let stays = |name: &ComponentName| {
            let sites = self.shared.scenario.sites.iter().enumerate();
            let hosts = plan.assignments.get(&component_id(&deployed.app, name));
            let mut planned = sites.filter(|(_, site)| {
                let hosts = hosts.into_iter().flatten();
                hosts.into_iter().any(|host| *host == site.name)
            });
            !is_placed(&plan.assignments, deployed, name) || planned.any(|(host, _)| keeps(host))
        };
        for (number, running) in running.iter().enumerate() {
            let planned = self.planned(plan, deployed, number);
            let runs = running.get(app);
            // A host without components of an app does not start it.
            let is_as_planned = runs.is_some_and(|runs| {
                let mut others = runs.share.difference(&planned);
                runs.deployed == *deployed && planned.is_subset(&runs.share) && others.all(&stays)
            });
            if !is_as_planned && !keeps(number) {
                let runs = runs.map(|runs| (runs.deployed.revision, &runs.share));
                let revision = deployed.revision;
                return Some(format!(
                    "{number} is to run {planned:?} of `{app}` at {revision}, found {runs:?}"
                ));
            }
            if let Err(violation) = anti_affinity_holds(deployed, &planned) {
                return Some(violation.to_string());
            }
        }
        None
    }

    /// True if a host keeps an earlier revision of an app for good: the desired one has no host for
    /// a component, and takes another one, or the same, from this host by a label.
    fn keeps_revision(
        &self,
        plan: &Plan,
        deployed: &Deployed,
        host: usize,
        runs: &Running,
        running: &[BTreeMap<AppName, Running>],
    ) -> bool {
        let planned = self.planned(plan, deployed, host);
        let labels = &self.shared.scenario.sites[host].labels;
        let mut components = deployed.app.spec.components.iter();
        let is_placed = components
            .clone()
            .all(|component| is_placed(&plan.assignments, deployed, &component.name));
        let takes_one = components.any(|component| {
            let alone = BTreeSet::from([component.name.clone()]);
            runs.share.contains(&component.name)
                && !planned.contains(&component.name)
                && a_host_has_what_its_components_require(labels, deployed, &alone).is_err()
        });
        // One that is ready elsewhere is about to stop here.
        let mut kept = runs.share.iter().filter(|name| !planned.contains(*name));
        let is_settled = kept.all(|name| !self.runs_as_planned(plan, deployed, name, running));
        runs.deployed.revision < deployed.revision && !is_placed && takes_one && is_settled
    }

    /// True if a component runs on all of its hosts, at the desired revision.
    fn runs_as_planned(
        &self,
        plan: &Plan,
        deployed: &Deployed,
        name: &ComponentName,
        running: &[BTreeMap<AppName, Running>],
    ) -> bool {
        let sites = self.shared.scenario.sites.iter().zip(running);
        let runs = |running: &BTreeMap<AppName, Running>| {
            let runs = running.get(&deployed.app.metadata.name);
            runs.is_some_and(|runs| runs.deployed == *deployed && runs.share.contains(name))
        };
        let hosts = plan.assignments.get(&component_id(&deployed.app, name));
        let mut hosts = hosts.into_iter().flatten().peekable();
        hosts.peek().is_some()
            && hosts.all(|host| {
                let mut sites = sites.clone();
                sites.any(|(site, running)| site.name == *host && runs(running))
            })
    }

    fn true_plan(&self, desired: &[Arc<Record>]) -> Plan {
        let hosts = self.shared.scenario.sites.iter().map(|site| {
            let labels = site.labels.iter();
            let labels =
                labels.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
            placement::Host {
                id: site.name.clone(),
                labels: labels.collect::<Labels>(),
                capacity: site.capacity,
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
            hosts.is_some_and(|hosts| hosts.contains(&self.shared.scenario.sites[host].name))
        });
        here.map(|component| component.name.clone()).collect()
    }
}

/// The components of a host, with their revisions.
fn components(running: &BTreeMap<AppName, Running>) -> BTreeSet<(AppName, ComponentName, u64)> {
    let components = running.iter().flat_map(|(app, running)| {
        let share = running.share.iter();
        let revision = running.deployed.revision;
        share.map(move |component| (app.clone(), component.clone(), revision))
    });
    components.collect()
}
