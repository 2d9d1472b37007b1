//! The desired state: its changes, and the reconciliation of each host.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt as _;
use weft_lattice_config::placement::Plan;
use weft_lattice_config::{AppName, ComponentName};
use weft_membership::{Freeze, STALL_MIN};
use weft_state::desired::record_codec::{app_key, encode_app};
use weft_state::desired::{Key, Revision, share};
use weft_state::store::{Deployed, Record};

use super::World;
use crate::event_queue::{ProcessEvent, ProcessId, WorldEvent};
use crate::invariants::{self, ALONE_AFTER, Checked};
use crate::mutations::Mutation;
use crate::process::{Process, Running};
use crate::reconciler::{AppStep, app_record, component_id, deployed, has_ready};
use crate::scenario::Change;

/// The pause before a process repeats a failed action; as in the `reconciler` of `weft-node`.
const RETRY_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

impl World {
    // === changes ===

    /// An operator changes the desired state, through any host that takes changes.
    pub(super) fn change(&mut self, change: Change) {
        let can = |host: &usize| {
            let host = &self.hosts[*host];
            host.process.is_some() && host.is_connected && host.hung_since.is_none()
        };
        let hosts: Vec<_> = (0..self.hosts.len()).filter(can).collect();
        let Some(host) = self.change_rng.pick(&hosts).copied() else {
            return;
        };
        let (app, deploys) = match change {
            Change::Deploy(app) => (app.metadata.name.clone(), Some(app)),
            Change::Remove(app) => (app, None),
        };
        let ahead = self.scenario.sites[host].wall_ahead_ms;
        let changed_at_ms = ahead + self.now.as_millis() as u64;
        let Some((expected, old)) = self.read(host, &app) else {
            self.trace_line(&format!("{host} cannot change {app}"));
            return;
        };
        let revision = self.next_revision(host, &app, old.as_ref());
        let record = match deploys {
            Some(app) => Record::Deployed(Deployed {
                revision,
                changed_at_ms,
                app: *app,
            }),
            None if matches!(old, Some(Record::Deployed(_))) => Record::Removed {
                revision,
                changed_at_ms,
            },
            None => return,
        };
        self.write(host, app, record, expected);
    }

    /// The revision after the last one, counted like in the `desired_writer` of `weft-node`: a
    /// bucket that came back older may not be refilled yet.
    fn next_revision(&self, host: usize, app: &AppName, old: Option<&Record>) -> u64 {
        let process = self.hosts[host].process.as_ref();
        let known = process.and_then(|process| process.reconciler.replica.apps().get(app));
        let by_bucket = self.options.mutation == Some(Mutation::CountsFromBucketOnly);
        let known = known.filter(|_| !by_bucket).map(|known| &**known);
        let revisions = old.into_iter().chain(known).map(Record::revision);
        revisions.max().unwrap_or(0) + 1
    }

    /// Reads an app's record from the store; `None` if the store is unavailable.
    fn read(&self, host: usize, app: &AppName) -> Option<(Revision, Option<Record>)> {
        let process = self.hosts[host].process.as_ref()?;
        let key = app_key(app).ok()?;
        let found = process.records.get(&key).now_or_never()?.ok()?;
        let found = found.map(|found| (found.revision, app_record(&key, &found.value)));
        Some(found.unwrap_or((Revision::NONE, None)))
    }

    fn write(&mut self, host: usize, app: AppName, record: Record, expected: Revision) {
        let Some(process) = self.hosts[host].process.as_ref() else {
            return;
        };
        let (Ok(key), Ok(value)) = (app_key(&app), encode_app(&record)) else {
            return;
        };
        let put = process.records.put(&key, value, expected).now_or_never();
        let is_confirmed = matches!(put, Some(Ok(_)));
        let revision = record.revision();
        self.trace_line(&format!(
            "{host} changes {app} to revision {revision}: {is_confirmed}"
        ));
        if is_confirmed {
            self.history.confirm(app, Arc::new(record));
            self.poll_store_soon();
        }
    }

    // === reconciliation ===

    /// Applies the events of the watch of the store.
    pub(super) fn poll_store(&mut self, id: ProcessId) -> Checked {
        let mutation = self.options.mutation;
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let before = process.reconciler.replica.apps().clone();
        let mut events = Vec::new();
        while let Some(Some(event)) = process.watch.next().now_or_never() {
            events.push(
                format!("{event:?}")
                    .split(['{', ' '])
                    .next()
                    .map(str::to_owned),
            );
            process.reconciler.observe(event, mutation);
        }
        if events.is_empty() {
            return Ok(());
        }
        invariants::a_copy_only_grows(&before, process.reconciler.replica.apps())?;
        let events: Vec<_> = events.into_iter().flatten().collect();
        self.trace_line(&format!(
            "{} receives from the store: {}",
            id.host,
            events.join(" ")
        ));
        self.reconcile(id)
    }

    pub(super) fn retry(&mut self, id: ProcessId) -> Checked {
        self.events.push(
            self.now + RETRY_EVERY,
            WorldEvent::Process(id, ProcessEvent::Retry),
        );
        let process = self.process(id);
        if process.is_some_and(|process| process.reconciler.is_behind) {
            return self.reconcile(id);
        }
        Ok(())
    }

    /// Reconciles a host with its desired apps, after its remaining steps.
    pub(super) fn reconcile(&mut self, id: ProcessId) -> Checked {
        let (now, mutation) = (self.now, self.options.mutation);
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        if process.preparing.is_some() || !process.steps.is_empty() {
            process.reconcile_pending = true;
            return Ok(());
        }
        process.reconcile_pending = false;
        process.reconciler.is_behind = false;
        if mutation != Some(Mutation::NeverRefills) {
            let written = process.reconciler.refill(&process.records);
            self.on_refilled(id, &written);
        }
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        let alone_for = now.saturating_sub(process.started);
        if now.saturating_sub(process.last_tick_at) >= STALL_MIN {
            // The process hung and has not detected that yet: it does so with its next tick.
            process.reconciler.is_behind = true;
            return Ok(());
        }
        let may_act = match process.membership.freeze() {
            None => true,
            Some(Freeze::Unconnected) => alone_for >= ALONE_AFTER,
            Some(Freeze::Joining | Freeze::Away | Freeze::Returning) => false,
        };
        if !may_act || process.reconciler.replica.is_reading() {
            process.reconciler.is_behind = true;
            return Ok(());
        }
        let steps = self.steps(id)?;
        if let Some(process) = self.process_mut(id) {
            process.steps = steps.into();
        }
        self.run_steps(id)
    }

    fn on_refilled(&mut self, id: ProcessId, written: &[Key]) {
        if !written.is_empty() {
            let names: Vec<_> = written.iter().map(Key::to_string).collect();
            let line = format!("{} refills the store: {}", id.host, names.join(" "));
            self.trace_line(&line);
            self.poll_store_soon();
        }
    }

    /// The steps of the current plan, one for each app.
    fn steps(&self, id: ProcessId) -> Result<Vec<AppStep>, invariants::Violation> {
        let Some(process) = self.process(id) else {
            return Ok(Vec::new());
        };
        let view = process.membership.view();
        let (plan, hosts) = process.reconciler.plan(view, self.options.mutation);
        let desired = process.reconciler.replica.apps();
        let all = desired.values().filter_map(|record| deployed(record));
        invariants::a_plan_fits(&plan, all, &hosts)?;
        let steps = desired.iter().map(|(app, record)| AppStep {
            app: app.clone(),
            record: record.clone(),
            share: self.share(process, app, record, &plan, id),
        });
        let steps: Vec<_> = steps.collect();
        for step in &steps {
            self.check_step(id, process, step, &plan)?;
        }
        Ok(steps)
    }

    fn share(
        &self,
        process: &Process,
        app: &AppName,
        record: &Record,
        plan: &Plan,
        id: ProcessId,
    ) -> BTreeSet<ComponentName> {
        let Some(deployed) = deployed(record) else {
            return BTreeSet::new();
        };
        let runs = match self.options.mutation {
            Some(Mutation::StopsBeforeHandover) => BTreeSet::new(),
            _ => process.share_of(app),
        };
        let view = process.membership.view();
        let me = &self.names[id.host];
        share(deployed, me, &plan.assignments, &runs, view)
    }

    /// Checks a step before a host takes it.
    fn check_step(&self, id: ProcessId, process: &Process, step: &AppStep, plan: &Plan) -> Checked {
        let runs = process.share_of(&step.app);
        let stops: BTreeSet<_> = runs.difference(&step.share).cloned().collect();
        let starts: BTreeSet<_> = step.share.difference(&runs).cloned().collect();
        if !stops.is_empty() || !starts.is_empty() {
            invariants::a_frozen_host_does_not_act(&process.truth, process.started, self.now)?;
        }
        let view = process.membership.view();
        invariants::a_stopped_component_runs_elsewhere(
            &step.app,
            &step.record,
            &stops,
            |component| {
                let Some(deployed) = deployed(&step.record) else {
                    return true;
                };
                let alone = BTreeSet::from([component.clone()]);
                let contents = &process.base_contents;
                let may =
                    invariants::a_host_has_what_its_components_require(contents, deployed, &alone);
                if may.is_err() {
                    return true;
                }
                let component = component_id(&deployed.app, component);
                let me = self.scenario.sites[id.host].id;
                let mut others = view.hosts().filter(|host| host.id != me);
                others.any(|host| has_ready(host, &component, deployed.revision))
            },
        )?;
        let Some(deployed) = deployed(&step.record) else {
            return Ok(());
        };
        invariants::a_plan_has_one_per_host(plan, deployed)?;
        let me = &self.names[id.host];
        let components = deployed.app.spec.components.iter();
        let planned = components.filter(|component| {
            let hosts = plan
                .assignments
                .get(&component_id(&deployed.app, &component.name));
            hosts.is_some_and(|hosts| hosts.contains(me))
        });
        let planned: BTreeSet<_> = planned.map(|component| component.name.clone()).collect();
        invariants::anti_affinity_holds(deployed, &planned)?;
        invariants::a_host_has_what_its_components_require(
            &process.base_contents,
            deployed,
            &planned,
        )
    }

    /// Runs the steps of one app after another; the preparation of an app takes time.
    fn run_steps(&mut self, id: ProcessId) -> Checked {
        let pause = self.host_rng.millis(10..=700);
        let due = self.now + pause;
        loop {
            let host = &mut self.hosts[id.host];
            let Some(process) = &mut host.process else {
                return Ok(());
            };
            let Some(step) = process.steps.pop_front() else {
                break;
            };
            let before = host.disk.get(&step.app);
            if before.is_none_or(|known| step.record.is_newer_than(known)) {
                host.disk.insert(step.app.clone(), step.record.clone());
            }
            let runs = process.running.get(&step.app);
            match &*step.record {
                Record::Deployed(deployed) => {
                    let is_new = runs.is_none_or(|runs| {
                        runs.record.revision() < deployed.revision
                            || runs.record != step.record
                            || runs.share != step.share
                    });
                    if is_new {
                        process.preparing = Some(step);
                        self.events
                            .push(due, WorldEvent::Process(id, ProcessEvent::Prepared));
                        return Ok(());
                    }
                }
                Record::Removed { revision, .. } => {
                    if runs.is_some_and(|runs| runs.record.revision() < *revision) {
                        process.running.remove(&step.app);
                        self.trace_line(&format!("{} ends {}", id.host, step.app));
                        self.publish_contents(id);
                    }
                }
            }
        }
        let is_due = self
            .process(id)
            .is_some_and(|process| process.reconcile_pending);
        if is_due { self.reconcile(id) } else { Ok(()) }
    }

    /// Runs the prepared revision from now on, in place of the one before.
    pub(super) fn on_prepared(&mut self, id: ProcessId) -> Checked {
        let Some(process) = self.process_mut(id) else {
            return Ok(());
        };
        if let Some(step) = process.preparing.take() {
            let AppStep { app, record, share } = step;
            if let Some(deployed) = deployed(&record) {
                invariants::a_host_has_what_its_components_require(
                    &process.base_contents,
                    deployed,
                    &share,
                )?;
            }
            let components: Vec<_> = share.iter().map(ComponentName::as_str).collect();
            let components = components.join(" ");
            let revision = record.revision();
            process
                .running
                .insert(app.clone(), Running { record, share });
            self.trace_line(&format!("{} runs {app}@{revision}: {components}", id.host));
            self.publish_contents(id);
        }
        self.run_steps(id)
    }
}
