//! Calls of other hosts that run here, so that a caller that is gone ends its call at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The running calls, by number. Hosts begin their numbers at random, so two of them hardly have
/// the same; then the older call cannot be cancelled.
#[derive(Default)]
pub(super) struct RunningCalls(Mutex<HashMap<u64, Arc<Notify>>>);

/// A running call. It is removed when dropped.
pub(super) struct RunningCall<'a> {
    calls: &'a RunningCalls,
    call: u64,
    cancelled: Arc<Notify>,
}

impl RunningCalls {
    /// Adds a call.
    pub(super) fn start(&self, call: u64) -> RunningCall<'_> {
        let cancelled = Arc::new(Notify::new());
        self.lock().insert(call, cancelled.clone());
        RunningCall {
            calls: self,
            call,
            cancelled,
        }
    }

    /// Cancels a call. Unknown calls have ended already.
    pub(super) fn cancel(&self, call: u64) {
        if let Some(cancelled) = self.lock().get(&call) {
            cancelled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Notify>>> {
        // The code under the lock does not panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningCall<'_> {
    /// Resolves once the call is cancelled.
    pub(super) async fn cancelled(&self) {
        self.cancelled.notified().await;
    }
}

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        let mut calls = self.calls.lock();
        let own = calls.get(&self.call);
        if own.is_some_and(|own| Arc::ptr_eq(own, &self.cancelled)) {
            calls.remove(&self.call);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_call_is_cancelled_by_its_number_and_no_other_is() {
        let calls = RunningCalls::default();
        let (first, second) = (calls.start(1), calls.start(2));
        calls.cancel(1);
        first.cancelled().await;
        assert!(second.cancelled().now_or_never().is_none());
    }

    #[test]
    fn a_call_that_has_ended_is_forgotten() {
        let calls = RunningCalls::default();
        drop(calls.start(1));
        assert!(calls.lock().is_empty());
        calls.cancel(1);
    }

    #[test]
    fn the_end_of_a_call_keeps_a_later_one_of_the_same_number() {
        let calls = RunningCalls::default();
        let first = calls.start(1);
        let second = calls.start(1);
        drop(first);
        calls.cancel(1);
        assert!(second.cancelled().now_or_never().is_some());
    }
}
