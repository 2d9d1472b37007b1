//! The tasks of a host, and the gate that suspends them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Owns the tasks of a host. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct HostTasks {
    tracker: TaskTracker,
    gate: Option<Arc<Gate>>,
    /// The runtime of the tasks; `None` for that of the caller.
    runtime: Option<Handle>,
    /// The runtime of the tasks in which guests run; `None` for that of the caller.
    guest_runtime: Option<Handle>,
}

/// Suspends all tasks of a host while it is closed, as a stopped process suspends its threads: time
/// passes, messages queue up, and timers fire without effect. For simulations.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<GateState>,
}

#[derive(Debug, Default)]
struct GateState {
    is_closed: bool,
    /// The tasks that were woken while the gate was closed.
    suspended: Vec<Waker>,
}

pin_project! {
    /// A task that makes progress while its gate is open.
    struct Gated<F> {
        gate: Option<Arc<Gate>>,
        #[pin]
        future: F,
    }
}

impl HostTasks {
    /// Tasks that `gate` suspends.
    #[must_use]
    pub fn with_gate(gate: Arc<Gate>) -> Self {
        Self {
            gate: Some(gate),
            ..Self::default()
        }
    }

    /// Tasks of `tracker` on a runtime that no guest enters, and calls on that of the guests.
    #[must_use]
    pub fn on(tracker: TaskTracker, control: Handle, guests: Handle) -> Self {
        Self {
            tracker,
            gate: None,
            runtime: Some(control),
            guest_runtime: Some(guests),
        }
    }

    /// The same tasks, on the runtime of the guests: for calls, which are a part of a request.
    #[must_use]
    pub fn for_guests(&self) -> Self {
        Self {
            runtime: self.guest_runtime.clone(),
            ..self.clone()
        }
    }

    /// The runtime of the tasks in which guests run; `None` for that of the caller.
    pub(crate) fn guest_runtime(&self) -> Option<&Handle> {
        self.guest_runtime.as_ref()
    }

    /// Spawns a task.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let gate = self.gate.clone();
        let task = Gated { gate, future };
        match &self.runtime {
            Some(runtime) => self.tracker.spawn_on(task, runtime),
            None => self.tracker.spawn(task),
        }
    }

    /// The tracker of the tasks, for code that spawns tasks without a gate.
    #[must_use]
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }
}

impl From<TaskTracker> for HostTasks {
    fn from(tracker: TaskTracker) -> Self {
        Self {
            tracker,
            ..Self::default()
        }
    }
}

impl Gate {
    /// Suspends the tasks.
    pub fn close(&self) {
        self.state().is_closed = true;
    }

    /// Resumes the tasks.
    pub fn open(&self) {
        let suspended = {
            let mut state = self.state();
            state.is_closed = false;
            std::mem::take(&mut state.suspended)
        };
        suspended.into_iter().for_each(Waker::wake);
    }

    /// True if the gate is open. A closed one wakes the task when it opens.
    fn pass(&self, context: &Context<'_>) -> bool {
        let mut state = self.state();
        if state.is_closed {
            let waker = context.waker();
            if !state.suspended.iter().any(|other| other.will_wake(waker)) {
                state.suspended.push(waker.clone());
            }
        }
        !state.is_closed
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        // The code under the lock does not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future> Future for Gated<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.gate {
            Some(gate) if !gate.pass(context) => Poll::Pending,
            _ => this.future.poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::time::{interval, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_suspends_tasks_until_it_opens() {
        let gate = Arc::new(Gate::default());
        let tasks = HostTasks::with_gate(gate.clone());
        let ticks = watch::Sender::new(0);
        let (sender, second) = (ticks.clone(), Duration::from_secs(1));
        tasks.spawn(async move {
            let mut interval = interval(second);
            loop {
                interval.tick().await;
                sender.send_modify(|ticks| *ticks += 1);
            }
        });
        let half = Duration::from_millis(500);
        sleep(second + half).await;
        assert_eq!(*ticks.borrow(), 2);
        gate.close();
        sleep(second * 3).await;
        assert_eq!(*ticks.borrow(), 2);
        gate.open();
        sleep(half / 2).await;
        assert_eq!(*ticks.borrow(), 5, "an interval makes up for missed ticks");
    }
}
