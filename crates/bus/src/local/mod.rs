//! The bus within one process: for a host alone ([`alone`]), for tests, and for the simulation.
//!
//! A [`LocalNetwork`] takes the place of the servers. Each host joins it and gets a [`Bus`] of its
//! own. The path between two hosts can be made slow, lossy or cut, per direction, and a host can be
//! disconnected ([`Faults`]). The only clock is tokio's, so everything runs under
//! `tokio::time::pause`, and randomness comes from one generator that the caller seeds. On a
//! single-threaded runtime the same calls give the same deliveries in the same order.
//!
//! Without faults a message is in its subscriber's queue when `publish` returns. One task holds
//! delayed messages, ordered by time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use self::faults::{Faults, RandomSource};
use self::jetstream::LocalJetStream;
pub use self::jetstream::{BucketContent, JetStreamContent, ObjectContent, WriteFilter};
pub use self::router::DeliveryFilter;
use self::router::Router;
use super::inflight::{ANY_GENERATION, InflightRequests};
use super::queue::{self, Source};
use super::{
    Bounds, Bus, FlushError, Lane, Message, OnLoss, Pattern, PublishError, RequestError, Scope,
    Status, Subject, Subscription, Transport,
};

mod faults;
mod jetstream;
mod router;

/// The default payload limit of a NATS server.
pub const MAX_PAYLOAD_DEFAULT: usize = 1 << 20;

/// Options of a network.
pub struct LocalOptions {
    /// Largest payload that the network accepts.
    pub max_payload: usize,
    /// Source of randomness for the faults.
    pub random: RandomSource,
}

/// The in-process replacement of the servers. A cheap handle; messages in transit are lost when the
/// last handle and the last [`Bus`] are dropped.
#[derive(Clone)]
pub struct LocalNetwork {
    shared: Arc<Shared>,
}

/// A host's connection to a network. Also the access to its buckets, for `weft-state`.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
    name: Arc<str>,
    number: usize,
    scope: Scope,
    inflight: InflightRequests,
    status: watch::Receiver<Status>,
    closed: CancellationToken,
    /// True for the only host that the network ever has.
    pub(super) is_alone: bool,
}

struct Shared {
    router: Arc<Mutex<Router>>,
    jetstream: LocalJetStream,
    max_payload: usize,
    tasks: TaskTracker,
    _stop_on_drop: DropGuard,
}

/// The bus of a host alone, on a network of its own that no other host can join. Call this within a
/// tokio runtime.
#[must_use]
pub fn alone(scope: &Scope, options: LocalOptions) -> Bus {
    let mut bus = LocalNetwork::new(options).join("alone", scope);
    if let Transport::Local(endpoint) = &mut bus.transport {
        endpoint.is_alone = true;
    }
    bus
}

impl Default for LocalOptions {
    /// The payload limit of NATS, and a fixed seed.
    fn default() -> Self {
        Self {
            max_payload: MAX_PAYLOAD_DEFAULT,
            random: faults::seeded(0),
        }
    }
}

impl LocalNetwork {
    /// Creates a network without faults. Call this within a tokio runtime.
    #[must_use]
    pub fn new(options: LocalOptions) -> Self {
        let stopping = CancellationToken::new();
        let earlier_due = Arc::new(Notify::new());
        let router = Router::new(options.random, earlier_due.clone());
        let shared = Shared {
            router: Arc::new(Mutex::new(router)),
            jetstream: LocalJetStream::new(),
            max_payload: options.max_payload,
            tasks: TaskTracker::new(),
            _stop_on_drop: stopping.clone().drop_guard(),
        };
        let deliver = deliver(shared.router.clone(), earlier_due);
        shared.tasks.spawn(async move {
            stopping.run_until_cancelled(deliver).await;
        });
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Joins as a host of a lattice, connected. A host that joined earlier under the same name
    /// stays, and faults by this name apply to both.
    #[must_use]
    pub fn join(&self, name: &str, scope: &Scope) -> Bus {
        let inflight = InflightRequests::default();
        let (number, status) = self.lock().join(name, scope, inflight.clone());
        Bus {
            lane: Lane::Control,
            transport: Transport::Local(Endpoint {
                shared: self.shared.clone(),
                name: name.into(),
                number,
                scope: scope.clone(),
                inflight,
                status,
                closed: CancellationToken::new(),
                is_alone: false,
            }),
            beside: None,
        }
    }

    /// Disconnects a host from the network, like the loss of its server: its status changes, its
    /// requests fail, and it misses messages published meanwhile.
    pub fn disconnect(&self, name: &str) {
        self.lock().set_connected(name, false);
        self.shared.jetstream.notify_changed();
    }

    /// Reconnects a host after [`LocalNetwork::disconnect`]. Its subscriptions continue with a gap.
    pub fn connect(&self, name: &str) {
        self.lock().set_connected(name, true);
        self.shared.jetstream.notify_changed();
    }

    /// Sets the faults between any two hosts without faults of their own.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults.set_default(faults);
    }

    /// Sets the faults of messages from one host to another, in this direction only.
    pub fn set_faults_between(&self, from: &str, to: &str, faults: Faults) {
        self.lock().faults.set_between(from, to, faults);
    }

    /// Partitions the hosts: messages do not cross groups, and a request across has no responder.
    /// Hosts in no group form one of their own. All stay connected.
    pub fn partition(&self, groups: &[&[&str]]) {
        self.lock().faults.partition(groups);
    }

    /// Removes all faults and partitions. Messages in transit keep their delay.
    pub fn heal(&self) {
        self.lock().faults.heal();
    }

    /// Makes the buckets unreachable for these hosts and reachable for all others, while all stay
    /// connected. Disconnected hosts cannot reach them either.
    pub fn set_jetstream_unreachable(&self, names: &[&str]) {
        self.shared.jetstream.set_unreachable_for(names);
    }

    /// Passes all messages through a filter when they arrive.
    pub fn set_delivery_filter(&self, filter: DeliveryFilter) {
        self.lock().delivery_filter = Some(filter);
    }

    /// Passes all writes of records through a filter, one after another.
    pub fn set_write_filter(&self, filter: WriteFilter) {
        self.shared.jetstream.set_write_filter(filter);
    }

    /// A copy of the buckets' content, for [`LocalNetwork::replace_jetstream`].
    #[must_use]
    pub fn jetstream_content(&self) -> JetStreamContent {
        self.shared.jetstream.content()
    }

    /// Replaces the buckets' content by an older or empty one (`JetStreamContent::default()`).
    pub fn replace_jetstream(&self, content: JetStreamContent) {
        self.shared.jetstream.replace(content);
    }

    fn lock(&self) -> MutexGuard<'_, Router> {
        lock(&self.shared.router)
    }
}

// === the methods of `Bus`, which documents them ===

impl Endpoint {
    /// The lattice that this host joined.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn publish(
        &self,
        subject: &Subject,
        reply: Option<&Subject>,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let (found, max) = (payload.len(), self.shared.max_payload);
        if found > max {
            return Err(PublishError::TooLarge { found, max });
        }
        let message = Message {
            subject: subject.clone(),
            reply: reply.cloned(),
            payload,
        };
        let published = lock(&self.shared.router).publish(self.number, &message);
        if published {
            Ok(())
        } else {
            Err(PublishError::Disconnected)
        }
    }

    pub(super) fn subscribe(&self, pattern: &Pattern, bounds: Bounds) -> Subscription {
        let (sender, queue) = queue::queue(bounds);
        lock(&self.shared.router).subscribe(self.number, pattern.clone(), sender);
        Subscription::new(queue, Source::Publishers)
    }

    /// Waits until the host is connected; false if the bus was closed.
    pub(super) async fn connected(&self) -> bool {
        let mut status = self.status.clone();
        tokio::select! {
            biased;
            () = self.closed.cancelled() => false,
            connected = status.wait_for(Status::is_connected) => connected.is_ok(),
        }
    }

    pub(super) async fn request(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Instant,
        on_loss: OnLoss,
    ) -> Result<Bytes, RequestError> {
        let generation = match on_loss {
            OnLoss::Fail => lock(&self.shared.router).generation(self.number),
            OnLoss::Wait(_) => ANY_GENERATION,
        };
        let mut request = self
            .inflight
            .register(generation)
            .ok_or(RequestError::TooMany)?;
        let reply = lock(&self.shared.router).answer_subject(self.number, request.number());
        self.publish(subject, Some(&reply), payload)
            .map_err(|error| match error {
                PublishError::TooLarge { found, max } => RequestError::TooLarge { found, max },
                PublishError::Disconnected | PublishError::Stalled => RequestError::Disconnected,
            })?;
        let outcome = request.outcome_on(on_loss, || self.status());
        match timeout_at(deadline, outcome).await {
            Ok(outcome) => outcome.into_result(subject),
            Err(_) => Err(RequestError::Deadline {
                subject: subject.clone(),
            }),
        }
    }

    pub(super) fn flush(&self) -> Result<(), FlushError> {
        if self.status.borrow().is_connected() {
            Ok(())
        } else {
            Err(FlushError::Disconnected)
        }
    }

    /// The largest payload that the network accepts.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.shared.max_payload
    }

    pub(super) fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    pub(super) fn close(&self) {
        lock(&self.shared.router).leave(self.number);
        self.closed.cancel();
    }
}

// === for weft-state ===

impl Endpoint {
    /// Calls `visit` with the buckets' content; `None` if this host cannot reach them.
    pub fn with_jetstream<T>(&self, visit: impl FnOnce(&mut JetStreamContent) -> T) -> Option<T> {
        if !self.status.borrow().is_connected() {
            return None;
        }
        self.shared.jetstream.visit(&self.name, visit)
    }

    /// True if the network's filter of writes admits this one.
    #[must_use]
    pub fn admits_write(&self, bucket: &str, key: &str, value: &[u8]) -> bool {
        self.shared.jetstream.admits(bucket, key, value)
    }

    /// Wakes the watchers of the buckets after a change of their content.
    pub fn notify_jetstream_changed(&self) {
        self.shared.jetstream.notify_changed();
    }

    /// Changes with the buckets' content, or with the hosts that can reach it.
    #[must_use]
    pub fn jetstream_changes(&self) -> watch::Receiver<u64> {
        self.shared.jetstream.changes()
    }

    /// Resolves when the bus is closed.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }
}

/// Delivers messages in transit when they are due.
async fn deliver(router: Arc<Mutex<Router>>, earlier_due: Arc<Notify>) {
    loop {
        let next = lock(&router).deliver_due(Instant::now());
        match next {
            Some(due) => {
                tokio::select! {
                    biased;
                    () = sleep_until(due) => {}
                    () = earlier_due.notified() => {}
                }
            }
            None => earlier_due.notified().await,
        }
    }
}

fn lock(router: &Mutex<Router>) -> MutexGuard<'_, Router> {
    // No code panics while holding the lock.
    router.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for LocalNetwork {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LocalNetwork")
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("number", &self.number)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
