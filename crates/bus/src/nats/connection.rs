//! One NATS connection: publishing, subscriptions, and an inbox for all replies.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_nats::{Client, Event, Subscriber};
use bytes::Bytes;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::attempts::Attempts;
use super::batch::{Destination, Outgoing};
use super::dispatch::{Dispatcher, Target};
use super::send_queue::{self, SendTask};
use super::{NatsError, NatsOptions, login, options, supervisor};
use crate::inflight::{ANY_GENERATION, InflightRequest, InflightRequests, Outcome};
use crate::queue::{self, Source};
use crate::{
    Bounds, CONFIRM_WAIT_MAX, FlushError, Gap, OnLoss, Outage, PUBLISH_WAIT_MAX, Pattern,
    PublishError, RequestError, Scope, Status, Subject, Subscription,
};

/// Length of the random part of an inbox name: long enough that two hosts never share one.
const INBOX_RANDOM_BYTES: usize = 16;

/// A connection to a NATS server, reconnected without a limit on attempts.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    client: Client,
    send_queue: mpsc::Sender<Outgoing>,
    scope: Scope,
    /// The random part of reply subjects: `weft-inbox.<lattice>.<random>.<number>`
    inbox: String,
    inflight: InflightRequests,
    status: watch::Sender<Status>,
    events: Arc<ClientEvents>,
    /// The dispatchers of all subscriptions, to mark gaps and to end them.
    dispatchers: Mutex<Vec<Weak<Dispatcher>>>,
    inbox_dispatcher: Mutex<Option<Arc<Dispatcher>>>,
    attempts: Attempts,
    stopping: CancellationToken,
}

/// State that the client's event callback leaves for the supervisor.
#[derive(Default)]
pub(super) struct ClientEvents {
    /// Wakes the supervisor to check the state.
    changed: Notify,
    /// Number of messages dropped by the client, over all subscriptions.
    dropped: AtomicU64,
    /// The reason of the last failed attempt to connect.
    reason: Mutex<Option<Outage>>,
}

impl Connection {
    pub(super) async fn open(
        scope: Scope,
        options: &NatsOptions,
        purpose: &'static str,
        attempts: &Attempts,
        tasks: &TaskTracker,
        stopping: CancellationToken,
    ) -> Result<Self, NatsError> {
        let events = Arc::new(ClientEvents::default());
        let for_callback = events.clone();
        let (addresses, login) = login::addresses(options)?;
        let client = options::client(options, login.as_ref(), purpose, attempts, &events)
            .await?
            .custom_inbox_prefix(scope.inbox("client").trim_end_matches('.'))
            .event_callback(move |event| {
                for_callback.record(event);
                std::future::ready(())
            })
            .connect(addresses)
            .await
            .map_err(NatsError::Client)?;
        let (status, _) = watch::channel(Status::Disconnected {
            since: Instant::now(),
            reason: None,
        });
        let (inbox, inflight) = (random_token(), InflightRequests::default());
        let (send_queue, queued) = send_queue::channel();
        let send_task = SendTask {
            client: client.clone(),
            inbox: scope.inbox(&inbox),
            inflight: inflight.clone(),
        };
        tasks.spawn(send_task.run(queued, stopping.clone()));
        let shared = Arc::new(Shared {
            inbox,
            client,
            send_queue,
            scope,
            inflight,
            status,
            events,
            dispatchers: Mutex::default(),
            inbox_dispatcher: Mutex::default(),
            attempts: attempts.clone(),
            stopping,
        });
        let connection = Self { shared };
        connection.start_inbox().await;
        let supervisor = supervisor::run(connection.shared.clone());
        tasks.spawn(supervisor);
        Ok(connection)
    }

    /// The NATS client. For the buckets in `weft-state`; other crates use [`Bus`](crate::Bus).
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// The status of the connection, now and on every change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.shared.status.borrow().is_connected()
    }

    /// Waits until the connection is up; false if the bus was closed.
    pub(crate) async fn connected(&self) -> bool {
        let mut status = self.status();
        tokio::select! {
            biased;
            () = self.shared.stopping.cancelled() => false,
            connected = status.wait_for(Status::is_connected) => connected.is_ok(),
        }
    }

    /// The largest payload that the server accepts.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.shared.client.max_payload()
    }

    pub(crate) async fn publish(
        &self,
        subject: &Subject,
        reply: Option<&Subject>,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let max = self.max_payload();
        if payload.len() > max {
            let found = payload.len();
            return Err(PublishError::TooLarge { found, max });
        }
        if !self.is_connected() {
            return Err(PublishError::Disconnected);
        }
        let destination = Destination::Subject {
            subject: subject.clone(),
            reply: reply.cloned(),
        };
        let outgoing = match self.shared.try_send(Outgoing {
            destination,
            payload,
        }) {
            Ok(()) => return Ok(()),
            Err(outgoing) => outgoing,
        };
        let sent = self.shared.send(outgoing);
        match timeout(PUBLISH_WAIT_MAX, sent).await {
            Ok(sent) => sent,
            Err(_) if self.is_connected() => Err(PublishError::Stalled),
            Err(_) => Err(PublishError::Disconnected),
        }
    }

    pub(crate) async fn subscribe(&self, pattern: &Pattern, bounds: Bounds) -> Subscription {
        let Some(subscriber) = self.shared.subscriber(pattern.as_str()).await else {
            return Subscription::ended();
        };
        let (sender, queue) = queue::queue(bounds);
        let dispatcher = self.shared.dispatcher(subscriber, Target::Queue(sender));
        let subscription = Subscription::new(queue, Source::Dispatcher(dispatcher));
        if self.is_connected() {
            // On failure the connection is about to be replaced, which restores the subscription.
            let _ = self.confirm().await;
        }
        subscription
    }

    pub(crate) async fn request(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Instant,
        on_loss: OnLoss,
    ) -> Result<Bytes, RequestError> {
        let max = self.max_payload();
        if payload.len() > max {
            let found = payload.len();
            return Err(RequestError::TooLarge { found, max });
        }
        if !self.is_connected() {
            return Err(RequestError::Disconnected);
        }
        let request = self.shared.register(on_loss).ok_or(RequestError::TooMany)?;
        let outcome = self.shared.round_trip(subject, payload, request, on_loss);
        let Ok(outcome) = timeout_at(deadline, outcome).await else {
            let subject = subject.clone();
            return Err(RequestError::Deadline { subject });
        };
        outcome.into_result(subject)
    }

    /// Publishes a message to the connection's own inbox and waits for it. A server handles the
    /// messages of one connection in order, so it has handled all earlier ones.
    pub(super) async fn confirm(&self) -> Result<(), FlushError> {
        if !self.is_connected() {
            return Err(FlushError::Disconnected);
        }
        match timeout(CONFIRM_WAIT_MAX, self.shared.echo()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(FlushError::Disconnected),
            Err(_) => Err(FlushError::Deadline),
        }
    }

    async fn start_inbox(&self) {
        let inbox = self.shared.scope.inbox(&self.shared.inbox);
        let pattern = format!("{inbox}*");
        // Always `Some`: the client's task was started just before.
        if let Some(subscriber) = self.shared.subscriber(&pattern).await {
            let inflight = self.shared.inflight.clone();
            let target = Target::Requests { inbox, inflight };
            *lock(&self.shared.inbox_dispatcher) = Some(self.shared.dispatcher(subscriber, target));
        }
    }
}

// === for the supervisor ===

impl Shared {
    /// Sends one message to the server and back; false if the connection was lost.
    pub(super) async fn echo(&self) -> bool {
        let Some(mut request) = self.register(OnLoss::Fail) else {
            return false;
        };
        let destination = Destination::Echo {
            subject: self.scope.answer(&self.inbox, request.number()),
        };
        let payload = Bytes::new();
        let sent = self
            .send(Outgoing {
                destination,
                payload,
            })
            .await;
        sent.is_ok() && matches!(request.outcome().await, Outcome::Answer(_))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Number of connects so far, which identifies the current connection.
    pub(super) fn generation(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    pub(super) fn inflight(&self) -> &InflightRequests {
        &self.inflight
    }

    pub(super) fn status(&self) -> &watch::Sender<Status> {
        &self.status
    }

    pub(super) fn events(&self) -> &ClientEvents {
        &self.events
    }

    pub(super) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Marks a gap in every subscription.
    pub(super) fn push_gap(&self, gap: Gap) {
        for dispatcher in self.dispatchers() {
            dispatcher.push_gap(gap);
        }
    }

    /// Ends every subscription, and the inbox.
    pub(super) fn end_dispatchers(&self) {
        for dispatcher in self.dispatchers() {
            dispatcher.end();
        }
    }

    fn dispatchers(&self) -> Vec<Arc<Dispatcher>> {
        lock(&self.dispatchers)
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }
}

impl Shared {
    fn register(&self, on_loss: OnLoss) -> Option<InflightRequest> {
        self.inflight.register(match on_loss {
            OnLoss::Fail => self.generation(),
            OnLoss::Wait(_) => ANY_GENERATION,
        })
    }

    async fn round_trip(
        &self,
        subject: &Subject,
        payload: Bytes,
        mut request: InflightRequest,
        on_loss: OnLoss,
    ) -> Outcome {
        let destination = Destination::Request {
            subject: subject.clone(),
            number: request.number(),
        };
        match self
            .send(Outgoing {
                destination,
                payload,
            })
            .await
        {
            Ok(()) => {
                let status = || self.status.subscribe();
                request.outcome_on(on_loss, status).await
            }
            Err(_) => Outcome::ConnectionLost,
        }
    }

    async fn send(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        let Err(outgoing) = self.try_send(outgoing) else {
            return Ok(());
        };
        let sent = self.send_queue.send(outgoing).await;
        sent.map_err(|_| PublishError::Disconnected)
    }

    /// Queues a message if there is room, and returns it otherwise. There is nearly always room,
    /// and waiting senders go first.
    fn try_send(&self, outgoing: Outgoing) -> Result<(), Outgoing> {
        let sent = self.send_queue.try_send(outgoing);
        sent.map_err(mpsc::error::TrySendError::into_inner)
    }

    async fn subscriber(&self, pattern: &str) -> Option<Subscriber> {
        let subscribed = self.client.subscribe(pattern.to_owned());
        tokio::select! {
            subscriber = subscribed => subscriber.ok(),
            () = self.stopping.cancelled() => None,
        }
    }

    fn dispatcher(&self, subscriber: Subscriber, target: Target) -> Arc<Dispatcher> {
        let dispatcher = Dispatcher::start(subscriber, self.scope.clone(), target);
        let mut dispatchers = lock(&self.dispatchers);
        dispatchers.retain(|dispatcher| dispatcher.strong_count() > 0);
        dispatchers.push(Arc::downgrade(&dispatcher));
        dispatcher
    }
}

impl ClientEvents {
    fn record(&self, event: Event) {
        match event {
            Event::SlowConsumer(_) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            // Failures to connect are reported with more detail elsewhere.
            // A login without the permissions that a host needs is not rejected at once.
            Event::ServerError(error) => {
                self.set_reason(Outage::of_server_error(&error.to_string()));
            }
            Event::ClientError(_)
            | Event::Connected
            | Event::Disconnected
            | Event::LameDuckMode
            | Event::Draining
            | Event::Closed => {}
        }
        self.changed.notify_one();
    }

    pub(super) fn set_reason(&self, reason: Outage) {
        *lock(&self.reason) = Some(reason);
        self.changed.notify_one();
    }

    pub(super) fn reason(&self) -> Option<Outage> {
        lock(&self.reason).clone()
    }

    pub(super) fn clear_reason(&self) {
        *lock(&self.reason) = None;
    }

    /// Number of messages dropped by the client since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while holding one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A random token that makes the inbox of this connection unique.
fn random_token() -> String {
    let mut random = [0; INBOX_RANDOM_BYTES];
    // Fallback without a system source of randomness: the random keys of the process's hashers.
    if getrandom::fill(&mut random).is_err() {
        use std::hash::{BuildHasher, RandomState};
        let word = RandomState::new().hash_one(std::process::id());
        random[..8].copy_from_slice(&word.to_le_bytes());
    }
    hex::encode(random)
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("inbox", &self.shared.inbox)
            .finish_non_exhaustive()
    }
}
