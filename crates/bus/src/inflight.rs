//! Requests in flight on one connection, by the number at the end of their reply subject.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::late_reply::after_return;
use super::{OnLoss, RequestError, Status, Subject};

/// Maximum of requests in flight on one connection, at some hundred bytes each. A host at this
/// limit is overloaded, and more requests would not help it.
pub(super) const INFLIGHT_REQUESTS_MAX: usize = 65_536;

/// The outcome of a request.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Answer(Bytes),
    NoResponders,
    ConnectionLost,
}

impl Outcome {
    /// The outcome as the result of [`Bus::request`](crate::Bus::request).
    pub(super) fn into_result(self, subject: &Subject) -> Result<Bytes, RequestError> {
        let subject = subject.clone();
        match self {
            Self::Answer(payload) => Ok(payload),
            Self::NoResponders => Err(RequestError::NoResponders { subject }),
            Self::ConnectionLost => Err(RequestError::ConnectionLost { subject }),
        }
    }
}

/// The requests in flight on one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct InflightRequests {
    state: Arc<Mutex<State>>,
}

/// One request in flight; dropping it abandons the reply.
#[derive(Debug)]
pub(super) struct InflightRequest {
    requests: InflightRequests,
    number: u64,
    outcome: oneshot::Receiver<Outcome>,
}

/// The generation of a request that outlasts its connection, until the bus is closed.
pub(super) const ANY_GENERATION: u64 = u64::MAX - 1;

#[derive(Debug, Default)]
struct State {
    /// Number of the last request. Numbers are not reused, so a late reply matches no request.
    last_number: u64,
    requests: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Counter value of the connection that carried the request, or [`ANY_GENERATION`].
    generation: u64,
    /// Number of the first request in the batch that carried this one; its own number if it is the
    /// first.
    batch_first: Option<u64>,
    sender: oneshot::Sender<Outcome>,
}

impl InflightRequests {
    /// Registers a request on the connection of this generation; `None` if the maximum is in
    /// flight.
    pub(super) fn register(&self, generation: u64) -> Option<InflightRequest> {
        let (sender, outcome) = oneshot::channel();
        let mut state = self.lock();
        if state.requests.len() >= INFLIGHT_REQUESTS_MAX {
            return None;
        }
        state.last_number += 1;
        let number = state.last_number;
        let entry = Entry {
            generation,
            batch_first: None,
            sender,
        };
        state.requests.insert(number, entry);
        drop(state);
        Some(InflightRequest {
            requests: self.clone(),
            number,
            outcome,
        })
    }

    /// Completes request `number`; no-op if the request was abandoned.
    pub(super) fn resolve(&self, number: u64, outcome: Outcome) {
        let entry = self.lock().requests.remove(&number);
        if let Some(entry) = entry {
            // An error means that the requester was dropped at this moment.
            let _ = entry.sender.send(outcome);
        }
    }

    /// Records that requests are sent in one batch that begins with request `number`.
    pub(super) fn mark_batch(&self, number: u64, others: impl IntoIterator<Item = u64>) {
        let mut state = self.lock();
        for number_in_batch in std::iter::once(number).chain(others) {
            // The request may have been abandoned meanwhile.
            if let Some(entry) = state.requests.get_mut(&number_in_batch) {
                entry.batch_first = Some(number);
            }
        }
    }

    /// Fails request `number`, and all others of its batch, for lack of a responder.
    pub(super) fn fail_no_responders(&self, number: u64) {
        let alone = {
            let mut state = self.lock();
            let is_alone = |entry: &Entry| entry.batch_first.is_none();
            let is_alone = state.requests.get(&number).is_some_and(is_alone);
            is_alone.then(|| state.requests.remove(&number)).flatten()
        };
        match alone {
            // An error means that the requester was dropped at this moment.
            Some(entry) => drop(entry.sender.send(Outcome::NoResponders)),
            // Scans all requests: if many fail, most are in large batches.
            None => self.fail(&Outcome::NoResponders, |_, entry| {
                entry.batch_first == Some(number)
            }),
        }
    }

    /// Fails the requests of all connections before `generation`.
    pub(super) fn fail_before(&self, generation: u64) {
        self.fail(&Outcome::ConnectionLost, |_, entry| {
            entry.generation < generation
        });
    }

    /// Fails requests, the oldest first: their callers continue in that order.
    fn fail(&self, outcome: &Outcome, matches: impl Fn(u64, &Entry) -> bool) {
        let mut failed: Vec<(u64, Entry)> = {
            let mut state = self.lock();
            let failed = state
                .requests
                .extract_if(|number, entry| matches(*number, entry));
            failed.collect()
        };
        failed.sort_unstable_by_key(|(number, _)| *number);
        for (_, entry) in failed {
            // An error means that the requester was dropped at this moment.
            let _ = entry.sender.send(outcome.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while holding the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InflightRequest {
    /// The number that the reply subject carries.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Waits for the outcome; the caller sets the time limit.
    pub(super) async fn outcome(&mut self) -> Outcome {
        let outcome = (&mut self.outcome).await;
        outcome.unwrap_or(Outcome::ConnectionLost)
    }

    /// Waits for the outcome of a request with this effect of a lost connection; the caller sets
    /// the time limit.
    pub(super) async fn outcome_on(
        &mut self,
        on_loss: OnLoss,
        status: impl FnOnce() -> watch::Receiver<Status>,
    ) -> Outcome {
        let OnLoss::Wait(wait) = on_loss else {
            return self.outcome().await;
        };
        tokio::select! {
            biased;
            outcome = self.outcome() => outcome,
            () = after_return(status(), wait) => Outcome::ConnectionLost,
        }
    }
}

impl Drop for InflightRequest {
    fn drop(&mut self) {
        self.requests.lock().requests.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_abandoned_request_is_removed() {
        let inflight = InflightRequests::default();
        drop(inflight.register(1));
        assert!(inflight.lock().requests.is_empty());
        inflight.resolve(1, Outcome::NoResponders);
    }

    #[tokio::test]
    async fn the_loss_of_a_connection_fails_only_its_own_requests() {
        let inflight = InflightRequests::default();
        let mut old = inflight.register(1).unwrap();
        let mut new = inflight.register(2).unwrap();
        inflight.fail_before(2);
        assert!(matches!(old.outcome().await, Outcome::ConnectionLost));
        inflight.resolve(new.number(), Outcome::NoResponders);
        assert!(matches!(new.outcome().await, Outcome::NoResponders));
    }

    #[tokio::test]
    async fn missing_responders_fail_the_whole_batch_and_nothing_else() {
        let inflight = InflightRequests::default();
        let [mut first, mut second, given_up, mut other] =
            [(); 4].map(|()| inflight.register(1).unwrap());
        let others = [second.number(), given_up.number()];
        inflight.mark_batch(first.number(), others);
        drop(given_up);
        inflight.fail_no_responders(first.number());
        assert!(matches!(first.outcome().await, Outcome::NoResponders));
        assert!(matches!(second.outcome().await, Outcome::NoResponders));
        inflight.fail_before(2);
        assert!(matches!(other.outcome().await, Outcome::ConnectionLost));
    }

    #[test]
    fn the_number_of_requests_in_flight_is_bounded() {
        let inflight = InflightRequests::default();
        let requests: Vec<InflightRequest> = (0..INFLIGHT_REQUESTS_MAX)
            .map(|_| inflight.register(1).unwrap())
            .collect();
        assert!(inflight.register(1).is_none());
        drop(requests);
        assert!(inflight.register(1).is_some());
    }
}
