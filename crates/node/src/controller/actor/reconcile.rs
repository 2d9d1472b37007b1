//! Reconciles one app to its desired revision; on failure the old revision keeps serving.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weft_link::LocalComponents;
use weft_state::store::{Deployed, Record};
use weft_telemetry::chain;

use super::super::providers::{ProviderStarter, bound};
use super::super::{AppState, DeployError, DesiredApp, FailedRevision, HostedApp};
use super::Actor;

/// The pause before a failed revision is tried again; each further failure doubles it. Most
/// failures are permanent, and some end when a provider's server restarts.
pub(in crate::controller) const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause: each attempt may cost a compilation.
const RETRY_MAX: Duration = Duration::from_secs(60);

impl Actor {
    /// Reconciles one app.
    pub(super) async fn reconcile(&mut self, desired: DesiredApp) {
        let DesiredApp { app, record, share } = desired;
        match &*record {
            Record::Deployed(deployed) => {
                if self.needs_start(deployed, &share) {
                    let revision = deployed.revision;
                    let is_new_revision = self.is_new_revision(deployed);
                    self.start(deployed.clone(), share).await;
                    self.publish();
                    if is_new_revision {
                        self.report_deployed(app.as_str(), revision);
                        self.report_lost_routes(app.as_str());
                    }
                }
            }
            Record::Removed { revision, .. } => {
                let current = self.apps.get(app.as_str());
                if current.is_some_and(|current| current.deployed.revision < *revision) {
                    self.remove_app(app.as_str()).await;
                    tracing::info!(%app, revision, "undeployed");
                    self.report_removed(app.as_str(), *revision);
                }
            }
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
    fn is_new_revision(&self, deployed: &Deployed) -> bool {
        let app = deployed.app.metadata.name.as_str();
        let current = self.apps.get(app).map(|current| current.deployed.revision);
        let failed = self.failed.get(app);
        let failed = failed.map(|failed| failed.deployed.revision);
        let staged = self.staged.as_ref().map(|(staged, _)| staged);
        let is_deploy = self.hosts.is_some() || staged == Some(&deployed.app);
        is_deploy && current.max(failed) < Some(deployed.revision)
    }

    /// Starts a revision. One that fails is recorded and tried again; the old revision keeps
    /// serving.
    pub(super) async fn start(&mut self, deployed: Deployed, share: LocalComponents) {
        let app = deployed.app.clone();
        // Another revision would close the providers of the staged one.
        let staged = self
            .staged
            .take_if(|(staged, _)| staged.metadata.name == app.metadata.name);
        let outcome = match staged {
            Some((staged, running)) if staged == app => Ok(running),
            _ => match self.prepare(&app, &share).await {
                Ok(prepared) => self.bind(&app, prepared).await,
                Err(error) => Err(error),
            },
        };
        match outcome {
            Ok(running) => {
                let revision = deployed.revision;
                tracing::info!(app = %app.metadata.name, revision, "an app serves");
                self.insert_app(deployed, share, AppState::Ready(running));
            }
            Err(error) => self.record_failure(deployed, share, chain(&error)),
        }
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

    /// Binds the current revision again: one of its providers was closed for one of a revision that
    /// does not start or is not stored. Closes the other providers of that revision.
    pub(super) async fn restore_providers(&mut self, name: &str) {
        let Some(current) = self.apps.get(name).cloned() else {
            return;
        };
        let (deployed, share) = (current.deployed.clone(), current.share.clone());
        let app = &deployed.app;
        let mut remaining = self.providers.get(name).cloned().unwrap_or_default();
        let restored = async {
            let prepared = self.prepare(app, &share).await?;
            let started = self.provider_starter.start(app, &mut remaining).await?;
            let running = prepared.bind(&bound(&started))?;
            Ok::<_, DeployError>((started, running))
        };
        match restored.await {
            Ok((started, running)) => {
                ProviderStarter::close_removed(&remaining, &started).await;
                self.providers.insert(name.to_owned(), started);
                let state = AppState::Ready(running);
                self.apps.insert(
                    name.to_owned(),
                    Arc::new(HostedApp {
                        deployed,
                        share,
                        state,
                    }),
                );
                self.publish();
            }
            Err(error) => {
                // Those that were closed must not be reused.
                self.providers.insert(name.to_owned(), remaining);
                tracing::error!(
                    app = name,
                    error = chain(&error),
                    "a provider cannot be started again after a failed change"
                );
            }
        }
    }
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
