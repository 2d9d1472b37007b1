//! Requests that wait for an answer on one connection, by the number in the subject of its inbox.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{RequestError, Subject};

/// The most requests that wait at once on one connection. Each holds some hundred bytes; a host with
/// as many is not helped by more.
pub(super) const INFLIGHT_REQUESTS_MAX: usize = 65_536;

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Answer(Bytes),
    NoResponders,
    ConnectionLost,
}

impl Outcome {
    /// What the requester is told.
    pub(super) fn into_result(self, subject: &Subject) -> Result<Bytes, RequestError> {
        let subject = subject.clone();
        match self {
            Self::Answer(payload) => Ok(payload),
            Self::NoResponders => Err(RequestError::NoResponders { subject }),
            Self::ConnectionLost => Err(RequestError::ConnectionLost { subject }),
        }
    }
}

/// The requests that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct InflightRequests {
    state: Arc<Mutex<State>>,
}

/// One request that waits; dropping it gives the answer up.
#[derive(Debug)]
pub(super) struct InflightRequest {
    requests: InflightRequests,
    number: u64,
    outcome: oneshot::Receiver<Outcome>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last request: never used twice, so that a late answer finds nobody.
    last_number: u64,
    requests: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Which connection the request went out on, counted.
    generation: u64,
    /// The number of the first request of those that it went out together with, as one message: its own, if it is
    /// the first.
    batch_first: Option<u64>,
    sender: oneshot::Sender<Outcome>,
}

impl InflightRequests {
    /// Takes a place, or says that there is none.
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

    /// Gives request `number` its outcome; nothing happens if nobody waits for it any more.
    pub(super) fn resolve(&self, number: u64, outcome: Outcome) {
        let entry = self.lock().requests.remove(&number);
        if let Some(entry) = entry {
            // An error means that the requester has gone in this moment.
            let _ = entry.sender.send(outcome);
        }
    }

    /// Remembers that requests go out together with request `number`, as one message.
    pub(super) fn mark_batch(&self, number: u64, others: impl IntoIterator<Item = u64>) {
        let mut state = self.lock();
        for number_in_batch in std::iter::once(number).chain(others) {
            // It may have been given up meanwhile.
            if let Some(entry) = state.requests.get_mut(&number_in_batch) {
                entry.batch_first = Some(number);
            }
        }
    }

    /// Fails request `number`, and what went out together with it, since nobody takes it.
    pub(super) fn fail_no_responders(&self, number: u64) {
        let alone = {
            let mut state = self.lock();
            let is_alone = |entry: &Entry| entry.batch_first.is_none();
            let is_alone = state.requests.get(&number).is_some_and(is_alone);
            is_alone.then(|| state.requests.remove(&number)).flatten()
        };
        match alone {
            // An error means that the requester has gone in this moment.
            Some(entry) => drop(entry.sender.send(Outcome::NoResponders)),
            // Looks at all that wait: where many are refused, most are in a batch of many.
            None => self.fail(&Outcome::NoResponders, |_, entry| {
                entry.batch_first == Some(number)
            }),
        }
    }

    /// Fails what went out on connections before the one numbered `generation`.
    pub(super) fn fail_before(&self, generation: u64) {
        self.fail(&Outcome::ConnectionLost, |_, entry| {
            entry.generation < generation
        });
    }

    fn fail(&self, outcome: &Outcome, matches: impl Fn(u64, &Entry) -> bool) {
        let failed: Vec<Entry> = {
            let mut state = self.lock();
            let failed = state
                .requests
                .extract_if(|number, entry| matches(*number, entry));
            failed.map(|(_, entry)| entry).collect()
        };
        for entry in failed {
            // An error means that the requester has gone in this moment.
            let _ = entry.sender.send(outcome.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InflightRequest {
    /// The number that the answer has to carry.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Waits for the outcome, without a bound of its own.
    pub(super) async fn outcome(&mut self) -> Outcome {
        let outcome = (&mut self.outcome).await;
        outcome.unwrap_or(Outcome::ConnectionLost)
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
    async fn a_request_that_is_given_up_leaves_nothing() {
        let inflight = InflightRequests::default();
        drop(inflight.register(1));
        assert!(inflight.lock().requests.is_empty());
        inflight.resolve(1, Outcome::NoResponders);
    }

    #[tokio::test]
    async fn the_loss_of_a_connection_fails_what_went_out_on_it_alone() {
        let inflight = InflightRequests::default();
        let mut old = inflight.register(1).unwrap();
        let mut new = inflight.register(2).unwrap();
        inflight.fail_before(2);
        assert!(matches!(old.outcome().await, Outcome::ConnectionLost));
        inflight.resolve(new.number(), Outcome::NoResponders);
        assert!(matches!(new.outcome().await, Outcome::NoResponders));
    }

    #[tokio::test]
    async fn what_went_out_together_is_refused_together_and_nothing_else_is() {
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
    fn there_are_never_more_than_may_wait() {
        let inflight = InflightRequests::default();
        let requests: Vec<InflightRequest> = (0..INFLIGHT_REQUESTS_MAX)
            .map(|_| inflight.register(1).unwrap())
            .collect();
        assert!(inflight.register(1).is_none());
        drop(requests);
        assert!(inflight.register(1).is_some());
    }
}
