//! The work in progress for each app, in tasks beside the actor.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, oneshot};
use tokio_util::sync::CancellationToken;
use weft_lattice_config::App;
use weft_state::store::Record;

use super::super::binding::{Binding, Failed, Restored, Start, StartEnd};
use super::super::{DeployError, DesiredApp};

/// The work for one app. At most one start, one check and the ends of removed revisions are in
/// progress: their number is bounded by that of the apps.
#[derive(Default)]
pub(super) struct AppWork {
    pub(super) binding: Arc<Mutex<Binding>>,
    /// The record and share of the last round.
    pub(super) desired: Option<DesiredApp>,
    pub(super) start: Option<PendingStart>,
    /// The app of the last check, until it is desired or discarded: its routes are taken.
    pub(super) checked: Option<App>,
    /// Number of removals whose requests are not done.
    pub(super) drains: usize,
}

/// A start in progress.
pub(super) struct PendingStart {
    pub(super) start: Start,
    /// Cancelled when another revision or share is desired.
    pub(super) superseded: CancellationToken,
}

/// Waits for the result of a task.
pub(super) type Job = BoxFuture<'static, Done>;

/// The result of a task, for the actor.
pub(super) enum Done {
    Started {
        start: Box<Start>,
        end: StartEnd,
    },
    Checked {
        app: Box<App>,
        outcome: Result<(), Failed>,
        reply: oneshot::Sender<Result<Vec<String>, DeployError>>,
    },
    Planned {
        app: Box<App>,
        outcome: Result<(), Failed>,
        reply: oneshot::Sender<Result<Vec<String>, DeployError>>,
    },
    Discarded {
        app: String,
        restored: Option<Box<Restored>>,
        reply: oneshot::Sender<()>,
    },
    Drained {
        app: String,
    },
}

/// A client that waits for work to end.
pub(super) struct Waiter {
    pub(super) condition: WaitCondition,
    pub(super) reply: oneshot::Sender<()>,
}

pub(super) enum WaitCondition {
    /// Nothing is being started.
    NoStart,
    /// An app was removed at a revision, and its requests are done.
    Removed { app: String, revision: u64 },
}

impl AppWork {
    /// True if nothing is in progress, or about to be.
    pub(super) fn is_idle(&self) -> bool {
        // Else a task is about to use the providers.
        let is_unused = Arc::strong_count(&self.binding) == 1;
        is_unused && self.start.is_none() && self.checked.is_none() && self.drains == 0
    }

    /// True if a removal at `revision` is complete, or a later record is desired.
    pub(super) fn has_removed(&self, revision: u64) -> bool {
        let desired = self.desired.as_ref().map(|desired| &*desired.record);
        desired.is_some_and(|record| match record {
            Record::Removed { .. } if record.revision() == revision => {
                self.start.is_none() && self.drains == 0
            }
            _ => record.revision() > revision,
        })
    }
}

impl PendingStart {
    /// True if the start is of this revision and share.
    pub(super) fn is_of(&self, desired: &DesiredApp) -> bool {
        let Record::Deployed(deployed) = &*desired.record else {
            return false;
        };
        self.start.deployed == *deployed && self.start.share == desired.share
    }
}
