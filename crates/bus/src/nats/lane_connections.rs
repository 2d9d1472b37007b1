//! The connections of one lane, and the choice of one for a message or a subscription.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::batch::BATCHED_BYTES_MAX;
use super::connection::Connection;
use super::dispatch::Dispatcher;
use super::supervisor;
use crate::queue::{Bounds, Subscription};
use crate::{FlushError, Pattern, Status, Subject};

/// The connections of one lane.
pub(crate) struct LaneConnections {
    connections: Vec<Connection>,
    status: watch::Receiver<Status>,
    turn: AtomicUsize,
    subscriptions: RwLock<Vec<Subscribed>>,
}

/// A subscription of this lane.
struct Subscribed {
    pattern: Pattern,
    connection: usize,
    dispatcher: Weak<Dispatcher>,
}

impl LaneConnections {
    pub(super) fn new(
        connections: Vec<Connection>,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Self {
        let each = connections.iter().map(Connection::status).collect();
        Self {
            status: supervisor::combined_status(each, tasks, stopping),
            connections,
            turn: AtomicUsize::new(0),
            subscriptions: RwLock::default(),
        }
    }

    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    pub(crate) fn max_payload(&self) -> usize {
        let connections = self.connections.iter();
        connections.map(Connection::max_payload).min().unwrap_or(0)
    }

    pub(crate) async fn flush(&self) -> Result<(), FlushError> {
        for connection in &self.connections {
            connection.confirm().await?;
        }
        Ok(())
    }

    /// Subscribes on the connection with the fewest subscriptions.
    pub(crate) async fn subscribe(&self, pattern: &Pattern, bounds: Bounds) -> Subscription {
        let connection = self.least_subscribed();
        let subscription = self.connections[connection].subscribe(pattern, bounds);
        let subscription = subscription.await;
        if let Some(dispatcher) = subscription.dispatcher() {
            let subscribed = Subscribed {
                pattern: pattern.clone(),
                connection,
                dispatcher: Arc::downgrade(dispatcher),
            };
            let subscriptions = self.subscriptions.write();
            let mut subscriptions = subscriptions.unwrap_or_else(PoisonError::into_inner);
            subscriptions.retain(Subscribed::is_open);
            subscriptions.push(subscribed);
        }
        subscription
    }

    fn least_subscribed(&self) -> usize {
        let mut counts = vec![0_usize; self.connections.len()];
        let subscriptions = self.subscriptions.read();
        let subscriptions = subscriptions.unwrap_or_else(PoisonError::into_inner);
        for subscribed in subscriptions.iter().filter(|each| each.is_open()) {
            counts[subscribed.connection] += 1;
        }
        let least = (0..counts.len()).min_by_key(|connection| counts[*connection]);
        least.unwrap_or(0)
    }

    /// The connection whose subscription matches a subject.
    pub(crate) fn subscribed(&self, subject: &Subject) -> Option<usize> {
        let subscriptions = self.subscriptions.read();
        let subscriptions = subscriptions.unwrap_or_else(PoisonError::into_inner);
        let matching = subscriptions
            .iter()
            .find(|subscribed| subscribed.is_open() && subscribed.pattern.matches(subject));
        matching.map(|subscribed| subscribed.connection)
    }

    /// The connection for a message. A server reports missing responders to the connection that
    /// published, so it is the one that is subscribed to the reply subject. Otherwise it is always
    /// the same one for a subject, to keep messages in order; all replies to one inbox share a
    /// connection, so that they can be batched.
    pub(crate) fn for_message(
        &self,
        beside: Option<usize>,
        subject: &Subject,
        reply: Option<&Subject>,
    ) -> &Connection {
        let subscribed = || reply.and_then(|reply| self.subscribed(reply));
        let index = beside.or_else(subscribed).unwrap_or_else(|| {
            let recipient = subject
                .as_answer()
                .map_or(subject.as_str(), |(inbox, _)| inbox);
            hash(recipient)
        });
        &self.connections[index % self.connections.len()]
    }

    /// The connection for a request, or another one of the lane that is up. Small requests to one
    /// subject share a connection, so that they can be batched; large ones rotate.
    pub(crate) fn for_request(&self, subject: &Subject, size: usize) -> &Connection {
        let count = self.connections.len();
        let turn = if size <= BATCHED_BYTES_MAX {
            hash(subject.as_str()) % count
        } else {
            self.turn.fetch_add(1, Ordering::Relaxed) % count
        };
        let by_turn = (0..count).map(|step| &self.connections[(turn + step) % count]);
        by_turn
            .clone()
            .find(|connection| connection.is_connected())
            .unwrap_or(&self.connections[turn])
    }
}

impl Subscribed {
    /// True until the subscription is dropped.
    fn is_open(&self) -> bool {
        self.dispatcher.strong_count() > 0
    }
}

/// Spreads subjects over a few connections, eight bytes at a time because every request needs it.
fn hash(text: &str) -> usize {
    let mixed = text.as_bytes().chunks(8).fold(0_u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95)
    });
    (mixed >> 32) as usize
}
