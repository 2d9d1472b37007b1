//! Reconciles one app to its desired revision; on failure the old revision keeps serving.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weft_lattice_config::{App, ComponentName};
use weft_link::LocalComponents;
use weft_state::store::{Deployed, Record};
use weft_telemetry::chain;

use super::super::binding::{Binder, Failed, Start, StartEnd};
use super::super::{AppState, DeployError, DesiredApp, FailedRevision};
use super::Actor;
use super::work::{Done, PendingStart};
use crate::runtime::RunningApp;

/// The pause before a failed revision is tried again; each further failure doubles it. Most
/// failures are permanent, and some end when a provider's server restarts.
pub(in crate::controller) const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause: each attempt may cost a compilation.
const RETRY_MAX: Duration = Duration::from_secs(60);

impl Actor {
    /// Begins to reconcile one app. What serves goes on until its successor is ready; a start that
    /// is not desired any more is dropped.
    pub(super) fn reconcile(&mut self, desired: &DesiredApp) {
        match &*desired.record {
            Record::Deployed(deployed) => self.reconcile_deployed(deployed, desired),
            Record::Removed { revision, .. } => self.reconcile_removed(*revision, desired),
        }
    }

    fn reconcile_deployed(&mut self, deployed: &Deployed, desired: &DesiredApp) {
        let needs_start = self.needs_start(deployed, &desired.share);
        let work = self.work_of(desired.app.as_str());
        work.desired = Some(desired.clone());
        work.checked.take_if(|checked| *checked == deployed.app);
        let is_starting = work.start.as_ref();
        if needs_start && is_starting.is_some_and(|pending| pending.is_of(desired)) {
            return;
        }
        self.supersede(desired.app.as_str());
        if needs_start {
            self.begin_start(deployed.clone(), desired.share.clone());
        }
    }

    fn reconcile_removed(&mut self, revision: u64, desired: &DesiredApp) {
        let name = desired.app.as_str();
        if let Some(work) = self.work.get_mut(name) {
            work.desired = Some(desired.clone());
        }
        let serving = self.apps.get(name).map(|app| app.deployed.revision);
        let starting = self.work.get(name).and_then(|work| work.start.as_ref());
        let starting = starting.map(|pending| pending.start.deployed.revision);
        if serving
            .max(starting)
            .is_some_and(|current| current < revision)
        {
            self.remove_app(name);
            tracing::info!(app = name, revision, "undeployed");
            self.report_removed(name, revision);
        }
    }

    /// True if the app has to be started to reach its desired revision and share.
    fn needs_start(&mut self, deployed: &Deployed, share: &LocalComponents) -> bool {
        let name = deployed.app.metadata.name.as_str();
        let serves = self.apps.get(name).is_some_and(|app| {
            matches!(app.state, AppState::Ready(_))
                && app.deployed == *deployed
                && app.share == *share
        });
        if serves {
            // The failed revision is not desired any more.
            if self.failed.remove(name).is_some() {
                self.publish();
            }
            return false;
        }
        let failed = self.failed.get(name);
        failed.is_none_or(|failed| {
            !failed.is_of(deployed, share) || failed.retry_at <= Instant::now()
        })
    }

    /// True if a revision exceeds all that were tried here. Retries and changed shares are not new;
    /// nor are the revisions with which a host alone starts, because a deploy stages its app.
    fn is_new_revision(&self, deployed: &Deployed, was_staged: bool) -> bool {
        let app = deployed.app.metadata.name.as_str();
        let current = self.apps.get(app).map(|current| current.deployed.revision);
        let failed = self.failed.get(app);
        let failed = failed.map(|failed| failed.deployed.revision);
        let is_deploy = self.hosts.is_some() || was_staged;
        is_deploy && current.max(failed) < Some(deployed.revision)
    }

    /// Starts a revision beside the actor.
    fn begin_start(&mut self, deployed: Deployed, share: LocalComponents) {
        let start = Start {
            number: self.next_number(),
            deployed,
            share,
        };
        let superseded = CancellationToken::new();
        let binder = self.binder.clone();
        let work = self.work_of(start.deployed.app.metadata.name.as_str());
        work.start = Some(PendingStart {
            start: start.clone(),
            superseded: superseded.clone(),
        });
        let binding = work.binding.clone();
        let starting = {
            let start = start.clone();
            async move { binder.start(start, &binding, &superseded).await }
        };
        self.spawn(starting, |end| Done::Started {
            start: Box::new(start),
            end: end.unwrap_or_else(|| StartEnd::Failed(DeployError::Internal.into())),
        });
    }

    /// Drops the start in progress of an app.
    fn supersede(&mut self, app: &str) {
        let start = self.work.get_mut(app).and_then(|work| work.start.take());
        if let Some(pending) = start {
            pending.superseded.cancel();
        }
    }

    /// Drops each start that would stop a component.
    pub(super) fn keep_components(&mut self) {
        let starts = self.work.iter();
        let starts = starts.filter_map(|(app, work)| Some((app, work.start.as_ref()?)));
        let stopping = starts.filter(|(_, pending)| self.stops_component(&pending.start));
        let stopping: Vec<_> = stopping.map(|(app, _)| app.clone()).collect();
        stopping.iter().for_each(|app| self.supersede(app));
    }

    /// True if a component serves now that a start does not have.
    fn stops_component(&self, start: &Start) -> bool {
        let app = &start.deployed.app;
        let serving = self.apps.get(app.metadata.name.as_str());
        serving.is_some_and(|serving| {
            let starts = names(app, &start.share);
            let serves = names(&serving.deployed.app, &serving.share);
            serving.running().is_some() && !serves.is_subset(&starts)
        })
    }

    /// Lets a revision serve, or records its failure.
    pub(super) fn on_started(&mut self, start: Start, end: StartEnd) {
        let name = start.deployed.app.metadata.name.to_string();
        let work = self.work_of(&name);
        let is_desired = work
            .start
            .take_if(|pending| pending.start.number == start.number)
            .is_some();
        match end {
            StartEnd::Superseded => {}
            StartEnd::Started {
                running,
                was_staged,
            } if is_desired => {
                let is_new = self.is_new_revision(&start.deployed, was_staged);
                self.serve(start, running, is_new);
            }
            StartEnd::Started { running, .. } => self.on_superseded(start, running),
            StartEnd::Failed(Failed { error, restored }) => {
                self.replace_restored(&name, restored);
                if is_desired {
                    let is_new = self.is_new_revision(&start.deployed, false);
                    let revision = start.deployed.revision;
                    self.record_failure(start.deployed, start.share, chain(&error));
                    self.publish();
                    if is_new {
                        self.report_deployed(&name, revision);
                        self.report_lost_routes(&name);
                    }
                }
            }
        }
    }

    fn serve(&mut self, start: Start, running: Arc<dyn RunningApp>, is_new: bool) {
        let Start {
            deployed, share, ..
        } = start;
        let (name, revision) = (deployed.app.metadata.name.to_string(), deployed.revision);
        tracing::info!(app = name, revision, "an app serves");
        self.insert_app(deployed, share, AppState::Ready(running));
        self.publish();
        if is_new {
            self.report_deployed(&name, revision);
            self.report_lost_routes(&name);
        }
    }

    /// Handles a start that was superseded when its providers had started: what serves may have
    /// lost a provider to it. It serves in between if it has the desired share, and what is desired
    /// starts again.
    fn on_superseded(&mut self, start: Start, running: Arc<dyn RunningApp>) {
        let work = self.work_of(start.deployed.app.metadata.name.as_str());
        let Some(desired) = work.desired.clone() else {
            return;
        };
        let is_starting = work.start.is_some();
        // A removal closes the providers.
        let Record::Deployed(deployed) = &*desired.record else {
            return;
        };
        if start.share == desired.share {
            self.serve(start, running, false);
        }
        if !is_starting {
            self.begin_start(deployed.clone(), desired.share.clone());
        }
    }

    /// Removes an app at once. Its requests are done and its providers closed beside the actor.
    fn remove_app(&mut self, name: &str) {
        self.supersede(name);
        let removed = self.apps.remove(name);
        self.failed.remove(name);
        self.publish();
        let (removal, stop) = (self.next_number(), self.stop.clone());
        let work = self.work_of(name);
        work.drains += 1;
        let binding = work.binding.clone();
        let draining =
            async move { Binder::drain(removed.as_deref(), removal, &binding, &stop).await };
        let app = name.to_owned();
        self.spawn(draining, |_| Done::Drained { app });
    }

    fn record_failure(&mut self, deployed: Deployed, share: LocalComponents, reason: String) {
        let name = deployed.app.metadata.name.to_string();
        let revision = deployed.revision;
        tracing::error!(
            app = name,
            revision,
            error = reason,
            "an app does not start"
        );
        let before = self.failed.get(&name);
        let before = before.filter(|failed| failed.is_of(&deployed, &share));
        let attempts = before.map_or(0, |failed| failed.attempts) + 1;
        if attempts == 1 {
            // The log has each attempt; more events would displace others.
            self.report_failed(&name, &reason);
        }
        let serves = self.apps.get(&name);
        if !serves.is_some_and(|app| matches!(app.state, AppState::Ready(_))) {
            let failed = AppState::Failed(reason.clone());
            self.insert_app(deployed.clone(), share.clone(), failed);
        }
        let retry_at = Instant::now() + retry_delay(attempts);
        let failed = FailedRevision {
            deployed,
            share,
            reason,
            attempts,
            retry_at,
        };
        self.failed.insert(name, Arc::new(failed));
    }
}

/// The names of the components of a share.
fn names<'a>(app: &'a App, share: &LocalComponents) -> BTreeSet<&'a ComponentName> {
    let components = app.spec.components.iter().enumerate();
    let here = components.filter(|(index, _)| share.has(*index));
    here.map(|(_, component)| &component.name).collect()
}

/// The pause after a number of failures in a row.
fn retry_delay(attempts: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    RETRY_FIRST.saturating_mul(doubled).min(RETRY_MAX)
}

impl FailedRevision {
    fn is_of(&self, deployed: &Deployed, share: &LocalComponents) -> bool {
        self.deployed == *deployed && self.share == *share
    }
}
