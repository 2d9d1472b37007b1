//! Cancellation of running commands.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// Ends the commands of all shells that share it, and refuses new ones. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_cancelled: bool,
    /// The process groups of running commands. The leader of each is not reaped yet, so no id
    /// belongs to another group.
    groups: BTreeSet<i32>,
}

impl Cancel {
    /// Sends SIGTERM to the process groups of all running commands. Their shells return
    /// [`Error::Cancelled`](crate::Error::Cancelled) once they have ended.
    pub fn cancel(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL, for commands that ignore SIGTERM.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// True once [`Cancel::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state().is_cancelled
    }

    fn signal(&self, signal: Signal) {
        let mut state = self.state();
        state.is_cancelled = true;
        for group in state.groups.iter().copied().filter_map(Pid::from_raw) {
            // A group that ends at this moment needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Starts a process group, unless the build is cancelled: under one lock, so that a signal
    /// reaches every group.
    pub(crate) fn start<T>(&self, start: impl FnOnce() -> (T, Option<Pid>)) -> Option<T> {
        let mut state = self.state();
        if state.is_cancelled {
            return None;
        }
        let (started, group) = start();
        state.groups.extend(group.map(Pid::as_raw_pid));
        Some(started)
    }

    /// Forgets a group whose leader has ended and is about to be reaped. The rest of a cancelled
    /// group is killed.
    pub(crate) fn ended(&self, group: Pid) {
        let mut state = self.state();
        if state.is_cancelled {
            let _ = kill_process_group(group, Signal::KILL);
        }
        state.groups.remove(&group.as_raw_pid());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
