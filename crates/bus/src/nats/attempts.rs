//! The attempts to connect of all connections of a host: their times, and the log of their
//! failures.

use std::sync::{Arc, Mutex, PoisonError};

use super::reconnect_schedule::ReconnectSchedule;
use crate::Outage;

/// Maximum of different reasons in the log for one outage. More than one is rare: servers of a
/// cluster that fail differently.
const LOGGED_MAX: usize = 8;

/// The attempts of a host. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Attempts {
    pub(super) schedule: ReconnectSchedule,
    /// The reasons that are in the log since the last connect.
    logged: Arc<Mutex<Vec<Outage>>>,
}

impl Attempts {
    /// Logs the reason of a failed attempt, once for all connections and attempts of an outage.
    pub(super) fn log_failure(&self, outage: &Outage) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() < LOGGED_MAX && !logged.contains(outage) {
            tracing::warn!("{outage}; connecting is retried until it succeeds");
            logged.push(outage.clone());
        }
    }

    /// Logs a connect after failures.
    pub(super) fn log_success(&self) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if !logged.is_empty() {
            tracing::info!("connected to NATS");
            logged.clear();
        }
    }
}
