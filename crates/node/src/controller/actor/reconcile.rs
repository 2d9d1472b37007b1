//! Making what runs of an app what is wanted of it, without taking from what serves where that fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weft_state::store::{Deployed, Record};

use super::super::providers::bound;
use super::super::{AppState, DeployError, Refused, RunningApp, Wanted};
use super::Actor;
use weft_link::Share;
use weft_telemetry::chain;

/// How long after it failed a revision is tried again; twice as long after each further time. Mostly it fails
/// for ever, and sometimes for a provider's server that is restarted.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest time between two attempts: each may cost a compilation.
const RETRY_MAX: Duration = Duration::from_secs(60);

impl Actor {
    /// Makes what runs of an app what is wanted of it.
    pub(super) async fn follow(&mut self, wanted: Wanted) {
        let Wanted { app, record, share } = wanted;
        match record {
            Record::Deployed(deployed) => {
                if self.is_to_start(&deployed, &share) {
                    let revision = deployed.revision;
                    let is_change = self.is_change(app.as_str(), revision);
                    self.start(deployed, share).await;
                    self.publish();
                    if is_change {
                        self.tell_deployed(app.as_str(), revision);
                    }
                }
            }
            Record::Removed { revision, .. } => {
                let runs = self.apps.get(app.as_str());
                if runs.is_some_and(|runs| runs.deployed.revision < revision) {
                    self.end(app.as_str()).await;
                    tracing::info!(%app, revision, "undeployed with the lattice");
                    self.tell_removed(app.as_str(), revision);
                }
            }
        }
    }

    /// Whether something is to be done for an app to be what is wanted of it.
    fn is_to_start(&mut self, deployed: &Deployed, share: &Share) -> bool {
        let name = deployed.app.metadata.name.as_str();
        let serves = self.apps.get(name).is_some_and(|app| {
            matches!(app.state, AppState::Ready(_))
                && app.deployed == *deployed
                && app.share == *share
        });
        if serves {
            // It was to be another one in the meantime, and is not any more.
            if self.refused.remove(name).is_some() {
                self.publish();
            }
            return false;
        }
        let refused = self.refused.get(name);
        refused.is_none_or(|refused| {
            !refused.is_of(deployed, share) || refused.again_at <= Instant::now()
        })
    }

    /// Whether a revision of an app is newer than all that was tried here: one that is tried again, or of which
    /// another share is to run here, is not.
    fn is_change(&self, app: &str, revision: u64) -> bool {
        let runs = self.apps.get(app).map(|runs| runs.deployed.revision);
        let refused = self.refused.get(app);
        let refused = refused.map(|refused| refused.deployed.revision);
        runs.max(refused) < Some(revision)
    }

    /// Starts an app that is wanted. One that fails stays wanted, and says why; what served before goes on.
    pub(super) async fn start(&mut self, deployed: Deployed, share: Share) {
        let app = deployed.app.clone();
        let outcome = match self.prepare(&app, &share).await {
            Ok(prepared) => self.bind(&app, prepared).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(running) => {
                let revision = deployed.revision;
                tracing::info!(app = %app.metadata.name, revision, "serves");
                self.run_app(deployed, share, AppState::Ready(running));
            }
            Err(error) => self.refuse(deployed, share, chain(&error)),
        }
    }

    fn refuse(&mut self, deployed: Deployed, share: Share, reason: String) {
        let name = deployed.app.metadata.name.to_string();
        let revision = deployed.revision;
        tracing::error!(
            app = name,
            revision,
            error = reason,
            "an app does not start"
        );
        let before = self.refused.get(&name);
        let before = before.filter(|refused| refused.is_of(&deployed, &share));
        let attempts = before.map_or(0, |refused| refused.attempts) + 1;
        if attempts == 1 {
            // The log has each attempt; more events would push others out.
            self.tell_failed(&name, &reason);
        }
        let serves = self.apps.get(&name);
        if !serves.is_some_and(|app| matches!(app.state, AppState::Ready(_))) {
            let failed = AppState::Failed(reason.clone());
            self.run_app(deployed.clone(), share.clone(), failed);
        }
        let again_at = Instant::now() + pause_after(attempts);
        let refused = Refused {
            deployed,
            share,
            reason,
            attempts,
            again_at,
        };
        self.refused.insert(name, Arc::new(refused));
    }

    /// Binds what runs of an app anew: a provider of it was closed for one that does not start.
    pub(super) async fn recover(&mut self, name: &str) {
        let Some(runs) = self.apps.get(name).cloned() else {
            return;
        };
        let (deployed, share) = (runs.deployed.clone(), runs.share.clone());
        let app = &deployed.app;
        let mut left = self.providers.get(name).cloned().unwrap_or_default();
        let recovered = async {
            let prepared = self.prepare(app, &share).await?;
            let made = self.maker.make(app, &mut left).await?;
            let running = prepared.bind(&bound(&made))?;
            Ok::<_, DeployError>((made, running))
        };
        match recovered.await {
            Ok((made, running)) => {
                self.providers.insert(name.to_owned(), made);
                let state = AppState::Ready(running);
                self.apps.insert(
                    name.to_owned(),
                    Arc::new(RunningApp {
                        deployed,
                        share,
                        state,
                    }),
                );
                self.publish();
            }
            Err(error) => {
                tracing::error!(
                    app = name,
                    error = chain(&error),
                    "a provider could not be made again after a failed change"
                );
            }
        }
    }
}

/// How long to wait after so many attempts in a row.
fn pause_after(attempts: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    RETRY_FIRST.saturating_mul(doubled).min(RETRY_MAX)
}

impl Refused {
    fn is_of(&self, deployed: &Deployed, share: &Share) -> bool {
        self.deployed == *deployed && self.share == *share
    }
}
