//! One connection: publishing, subscriptions, and an inbox for all answers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_nats::{Client, Event, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::pending::{Outcome, Pending, Waiting};
use super::super::queue::{self, Feeder, Filler};
use super::super::{
    Bounds, CONFIRM_WAIT_MAX, FlushError, Gap, Message, PUBLISH_WAIT_MAX, Pattern, PublishError,
    RequestError, Scope, Status, Subject, Subscription,
};
use super::{NatsError, NatsOptions, options, supervisor};

/// Room for the random part of an inbox's name: two hosts never share one.
const INBOX_RANDOM_BYTES: usize = 16;

/// A connection to a server, remade for ever.
#[derive(Clone)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    client: Client,
    scope: Scope,
    /// What the subjects of answers begin with: `weft-inbox.<lattice>.<random>.`
    inbox: String,
    pending: Pending,
    status: watch::Sender<Status>,
    signals: Arc<Signals>,
    subscriptions: Mutex<Vec<Weak<Filler>>>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// What the client's callback leaves for the supervisor.
#[derive(Default)]
pub(super) struct Signals {
    /// Something happened: look at the state.
    changed: Notify,
    /// How often the client threw a message away, for whatever subscription.
    slow: AtomicU64,
    /// What last went wrong.
    reason: Mutex<Option<Arc<str>>>,
}

impl Connection {
    pub(super) async fn open(
        scope: Scope,
        options: &NatsOptions,
        purpose: &'static str,
        tasks: TaskTracker,
        stopping: CancellationToken,
    ) -> Result<Self, NatsError> {
        let signals = Arc::new(Signals::default());
        let for_callback = signals.clone();
        let client = options::client(options, purpose)
            .await?
            .custom_inbox_prefix(scope.inbox("client").trim_end_matches('.'))
            .event_callback(move |event| {
                for_callback.take(event);
                std::future::ready(())
            })
            .connect(options::addresses(options)?)
            .await
            .map_err(NatsError::Client)?;
        let (status, _) = watch::channel(Status::Disconnected {
            since: Instant::now(),
            reason: None,
        });
        let shared = Arc::new(Shared {
            inbox: inbox(&scope),
            client,
            scope,
            pending: Pending::default(),
            status,
            signals,
            subscriptions: Mutex::default(),
            tasks,
            stopping,
        });
        let connection = Self { shared };
        connection.start_inbox().await;
        let supervisor = supervisor::run(connection.shared.clone());
        connection.shared.tasks.spawn(supervisor);
        Ok(connection)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.shared.client
    }

    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.shared.status.borrow().is_connected()
    }

    pub(crate) fn max_payload(&self) -> usize {
        self.shared.client.max_payload()
    }

    pub(in super::super) async fn publish(
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
        let reply = reply.map(Subject::as_str);
        let sent = self.shared.send(subject.as_str(), reply, payload);
        match timeout(PUBLISH_WAIT_MAX, sent).await {
            Ok(sent) => sent,
            Err(_) if self.is_connected() => Err(PublishError::Stalled),
            Err(_) => Err(PublishError::Disconnected),
        }
    }

    pub(in super::super) async fn subscribe(
        &self,
        pattern: &Pattern,
        bounds: Bounds,
    ) -> Subscription {
        let (filler, subscription) = queue::queue(bounds, Feeder::Task);
        let filler = Arc::new(filler);
        self.shared.remember(&filler);
        match self.shared.subscriber(pattern.as_str()).await {
            Some(subscriber) => {
                let pump = pump(self.shared.clone(), subscriber, filler);
                self.shared.tasks.spawn(pump);
            }
            None => filler.end(),
        }
        if self.is_connected() {
            // If this fails, the connection is about to be remade, and the subscription with it.
            let _ = self.confirm().await;
        }
        subscription
    }

    pub(in super::super) async fn request(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<Message, RequestError> {
        let max = self.max_payload();
        if payload.len() > max {
            let found = payload.len();
            return Err(RequestError::TooLarge { found, max });
        }
        if !self.is_connected() {
            return Err(RequestError::Disconnected);
        }
        let waiting = self.shared.enter().ok_or(RequestError::TooMany)?;
        let answered = self.shared.exchange(subject, payload, waiting);
        let Ok(outcome) = timeout_at(deadline, answered).await else {
            let subject = subject.clone();
            return Err(RequestError::Deadline { subject });
        };
        outcome.for_request(subject)
    }

    /// Sends a message to the own inbox and waits for it. The server takes what a connection sends in
    /// order, so it has taken all that was sent before.
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
        let pattern = format!("{}*", self.shared.inbox);
        // There is always one: the client's task was started a moment ago.
        if let Some(subscriber) = self.shared.subscriber(&pattern).await {
            let answers = answers(self.shared.clone(), subscriber);
            self.shared.tasks.spawn(answers);
        }
    }
}

// === for the supervisor ===

impl Shared {
    /// Goes once to the server and back; false if the connection was lost.
    pub(super) async fn echo(&self) -> bool {
        let Some(mut waiting) = self.enter() else {
            return false;
        };
        let subject = self.answer_subject(&waiting);
        let sent = self.send(&subject, None, Bytes::new()).await;
        sent.is_ok() && matches!(waiting.outcome().await, Outcome::Answer(_))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// How often this was connected: what tells one connection from the next.
    pub(super) fn generation(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    pub(super) fn pending(&self) -> &Pending {
        &self.pending
    }

    pub(super) fn status(&self) -> &watch::Sender<Status> {
        &self.status
    }

    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Marks a gap in every subscription.
    pub(super) fn push_gap(&self, gap: Gap) {
        for filler in self.fillers() {
            filler.push_gap(gap);
        }
    }
}

impl Shared {
    fn enter(&self) -> Option<Waiting> {
        self.pending.enter(self.generation())
    }

    fn answer_subject(&self, waiting: &Waiting) -> String {
        format!("{}{}", self.inbox, waiting.number())
    }

    async fn exchange(&self, subject: &Subject, payload: Bytes, mut waiting: Waiting) -> Outcome {
        let reply = self.answer_subject(&waiting);
        match self.send(subject.as_str(), Some(&reply), payload).await {
            Ok(()) => waiting.outcome().await,
            Err(_) => Outcome::ConnectionLost,
        }
    }

    async fn send(
        &self,
        subject: &str,
        reply: Option<&str>,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let found = payload.len();
        let subject = subject.to_owned();
        let sent = match reply {
            Some(reply) => {
                let reply = reply.to_owned();
                self.client
                    .publish_with_reply(subject, reply, payload)
                    .await
            }
            None => self.client.publish(subject, payload).await,
        };
        sent.map_err(|error| match error.kind() {
            // The server was replaced by one that takes less, just now.
            async_nats::PublishErrorKind::MaxPayloadExceeded => PublishError::TooLarge {
                found,
                max: self.client.max_payload(),
            },
            _ => PublishError::Disconnected,
        })
    }

    async fn subscriber(&self, pattern: &str) -> Option<Subscriber> {
        let subscribed = self.client.subscribe(pattern.to_owned());
        tokio::select! {
            subscriber = subscribed => subscriber.ok(),
            () = self.stopping.cancelled() => None,
        }
    }

    fn remember(&self, filler: &Arc<Filler>) {
        let mut subscriptions = self
            .subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscriptions.retain(|filler| filler.strong_count() > 0);
        subscriptions.push(Arc::downgrade(filler));
    }

    fn fillers(&self) -> Vec<Arc<Filler>> {
        let subscriptions = self
            .subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscriptions.iter().filter_map(Weak::upgrade).collect()
    }

    fn message(&self, message: async_nats::Message) -> Option<Message> {
        let Some(subject) = self.scope.parse(&message.subject) else {
            tracing::debug!(subject = %message.subject, "a message from no host of this lattice");
            return None;
        };
        let reply = message.reply.and_then(|reply| self.scope.parse(&reply));
        Some(Message {
            subject,
            reply,
            payload: message.payload,
        })
    }
}

impl Signals {
    fn take(&self, event: Event) {
        match event {
            Event::SlowConsumer(_) => {
                self.slow.fetch_add(1, Ordering::Relaxed);
            }
            Event::ServerError(error) => self.set_reason(&error.to_string()),
            Event::ClientError(error) => self.set_reason(&error.to_string()),
            Event::Connected
            | Event::Disconnected
            | Event::LameDuckMode
            | Event::Draining
            | Event::Closed => {}
        }
        self.changed.notify_one();
    }

    fn set_reason(&self, reason: &str) {
        let mut stored = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        *stored = Some(reason.into());
    }

    pub(super) fn reason(&self) -> Option<Arc<str>> {
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn forget_reason(&self) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How often the client threw a message away since this was asked last.
    pub(super) fn take_slow(&self) -> u64 {
        self.slow.swap(0, Ordering::Relaxed)
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Moves messages from the client to the subscriber's queue, which has the bounds that count.
async fn pump(shared: Arc<Shared>, mut subscriber: Subscriber, filler: Arc<Filler>) {
    let forward = async {
        while let Some(message) = subscriber.next().await {
            let is_refused = message.status == Some(StatusCode::NO_RESPONDERS);
            match shared.message(message) {
                Some(message) if is_refused => filler.push_no_responders(message.subject),
                Some(message) => filler.push(message),
                None => {}
            }
        }
    };
    tokio::select! {
        () = forward => {}
        () = filler.unwanted().cancelled() => {}
        () = shared.stopping.cancelled() => {}
    }
    // A connection that takes nothing keeps the subscription no longer than itself.
    let _ = timeout(PUBLISH_WAIT_MAX, subscriber.unsubscribe()).await;
    filler.end();
}

/// Hands each answer to the request that waits for it.
async fn answers(shared: Arc<Shared>, mut subscriber: Subscriber) {
    let forward = async {
        while let Some(message) = subscriber.next().await {
            let number = message.subject.strip_prefix(shared.inbox.as_str());
            let Some(number) = number.and_then(|number| number.parse().ok()) else {
                continue;
            };
            let outcome = match message.status {
                Some(StatusCode::NO_RESPONDERS) => Some(Outcome::NoResponders),
                _ => shared.message(message).map(Outcome::Answer),
            };
            if let Some(outcome) = outcome {
                shared.pending.resolve(number, outcome);
            }
        }
    };
    tokio::select! {
        () = forward => {}
        () = shared.stopping.cancelled() => {}
    }
}

/// `weft-inbox.<lattice>.<random>.`
fn inbox(scope: &Scope) -> String {
    let mut random = [0; INBOX_RANDOM_BYTES];
    // Without the system's source of randomness, what the hasher took at the start of the process is left.
    if getrandom::fill(&mut random).is_err() {
        use std::hash::{BuildHasher, RandomState};
        let word = RandomState::new().hash_one(std::process::id());
        random[..8].copy_from_slice(&word.to_le_bytes());
    }
    scope.inbox(&hex::encode(random))
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("inbox", &self.shared.inbox)
            .finish_non_exhaustive()
    }
}
