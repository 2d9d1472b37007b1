//! Message bus between hosts: NATS, or an in-process network.
//!
//! A [`Bus`] is a cheap handle. Both implementations give the same guarantees, and
//! `tests/bus/conformance.rs` runs one suite over both:
//!
//! 1. A message is delivered at most once to each subscription with a matching [`Pattern`], in the
//!    order of its publisher, lane and subject; requests are unordered, and so are messages with a
//!    reply subject beside ones without ([`Bus::beside`] orders them). Messages are lost when a
//!    connection goes down or a subscriber is slow. The subscription then gets a [`Delivery::Gap`]
//!    in the place of the missing messages.
//! 2. [`Bus::request`] returns a reply, or fails by its deadline with an error that reports if the
//!    request may have arrived ([`RequestError::may_have_arrived`]).
//! 3. A message without responders is reported on its reply subject, to a subscription of the
//!    publisher's lane ([`Delivery::NoResponders`]).
//! 4. No call waits without a bound, and no queue grows without one.
//! 5. Lattices that share a server are isolated: every subject begins with the name of its lattice.
//!
//! Traffic is split into *lanes* with connections of their own, so that bulk data does not delay a
//! heartbeat. A handle is for one lane; [`Bus::lane`] returns a handle for another.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

mod inflight;
mod late_reply;
pub mod local;
pub mod nats;
mod outage;
mod queue;
pub mod subject;

pub use outage::{Outage, OutageKind};
pub use queue::{Bounds, Subscription};
pub use subject::{Part, Pattern, Scope, Subject, SubjectError};

/// Longest wait of a publisher for a connection that accepts nothing. A dead connection is detected
/// after three [`nats::PING_INTERVAL`], so a longer wait means a server that crawls.
pub const PUBLISH_WAIT_MAX: Duration = Duration::from_secs(5);

/// Longest wait of [`Bus::flush`] and [`Bus::subscribe`] for the server's confirmation.
pub const CONFIRM_WAIT_MAX: Duration = Duration::from_secs(5);

/// A handle to the bus, for one lane of traffic.
#[derive(Clone, Debug)]
pub struct Bus {
    lane: Lane,
    transport: Transport,
    /// The connection of the lane that carries all messages; `None` for one chosen by subject.
    beside: Option<usize>,
}

/// The implementation behind a bus. `weft-state` chooses its backend by it.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Connections to NATS servers.
    Nats(nats::Connections),
    /// A host in an in-process network.
    Local(local::Endpoint),
}

/// The kind of traffic that a handle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Calls over links and HTTP requests: many and large messages.
    Calls,
    /// Inventories, commands and operator requests.
    Control,
    /// Heartbeats only: a late one costs a failover.
    Heartbeats,
}

/// A message as delivered to a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The subject of publication.
    pub subject: Subject,
    /// The subject on which the sender expects a reply. `None` also for a subject outside of the
    /// lattice, because replies never leave it.
    pub reply: Option<Subject>,
    /// The content, not interpreted by the bus.
    pub payload: Bytes,
}

/// An item of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The next message.
    Message(Message),
    /// A message was published on this lane with a reply subject that this subscription matches,
    /// and had no responders.
    NoResponders {
        /// The reply subject of that message.
        subject: Subject,
    },
    /// Messages may be missing at this place.
    Gap(Gap),
}

/// The reason why messages are missing from a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// More messages arrived than the subscription has room for.
    Overflow {
        /// Number of dropped messages.
        count: u64,
    },
    /// The connection was lost and restored; messages published in between did not arrive.
    Reconnected,
}

/// Connection status of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every connection of the lane is up: a message made the round trip to the server, and the
    /// subscriptions are in force there.
    Connected {
        /// By this host's clock.
        since: Instant,
    },
    /// At least one connection is down and being reconnected, without a limit on attempts.
    Disconnected {
        /// By this host's clock.
        since: Instant,
        /// The reason of the last failed attempt, if there was one.
        reason: Option<Outage>,
    },
}

impl Status {
    /// True if all connections of the lane are up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    /// The reason of the last failed attempt to connect, while disconnected.
    #[must_use]
    pub fn outage(&self) -> Option<&Outage> {
        match self {
            Self::Connected { .. } => None,
            Self::Disconnected { reason, .. } => reason.as_ref(),
        }
    }
}

/// The effect of a lost connection on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnLoss {
    /// The request fails at once.
    Fail,
    /// The request goes on waiting for its reply, so long after the return of the connection.
    Wait(Duration),
}

/// The reason why a message was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The connection is down. Nothing was sent.
    #[error("bus connection is down")]
    Disconnected,
    /// The payload is larger than the server accepts. Nothing was sent.
    #[error("payload of {found} bytes is too large for the bus: the server accepts at most {max}")]
    TooLarge {
        /// Size of the payload.
        found: usize,
        /// The limit, as [`Bus::max_payload`].
        max: usize,
    },
    /// The connection accepted nothing for [`PUBLISH_WAIT_MAX`]. Nothing was sent.
    #[error("bus connection accepted no message for {} seconds", PUBLISH_WAIT_MAX.as_secs())]
    Stalled,
}

/// The reason why a request has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The subject has no subscriber, so the request reached no host.
    #[error("no responder on `{subject}`")]
    NoResponders {
        /// The subject of the request.
        subject: Subject,
    },
    /// No reply arrived in time. The request may have arrived.
    #[error("no reply on `{subject}` before the deadline")]
    Deadline {
        /// The subject of the request.
        subject: Subject,
    },
    /// The connection was down. Nothing was sent.
    #[error("bus connection is down")]
    Disconnected,
    /// The connection was lost before the reply arrived. The request may have arrived.
    #[error("bus connection was lost before the reply on `{subject}` arrived")]
    ConnectionLost {
        /// The subject of the request.
        subject: Subject,
    },
    /// The payload is larger than the server accepts. Nothing was sent.
    #[error("payload of {found} bytes is too large for the bus: the server accepts at most {max}")]
    TooLarge {
        /// Size of the payload.
        found: usize,
        /// The limit, as [`Bus::max_payload`].
        max: usize,
    },
    /// The connection has its maximum of requests in flight. Nothing was sent.
    #[error(
        "too many requests in flight on the bus connection: at most {} are allowed",
        inflight::INFLIGHT_REQUESTS_MAX
    )]
    TooMany,
}

impl RequestError {
    /// True if the request may have arrived: only requests that may run twice are safe to repeat.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Deadline { .. } | Self::ConnectionLost { .. } => true,
            Self::NoResponders { .. }
            | Self::Disconnected
            | Self::TooLarge { .. }
            | Self::TooMany => false,
        }
    }
}

/// The reason why the server did not confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlushError {
    /// The connection is down, or was lost while waiting.
    #[error("bus connection is down")]
    Disconnected,
    /// No confirmation arrived within [`CONFIRM_WAIT_MAX`].
    #[error("no confirmation from the bus within {} seconds", CONFIRM_WAIT_MAX.as_secs())]
    Deadline,
}

impl Bus {
    /// Returns a handle for another lane, over the same connections.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Self {
        Self {
            lane,
            transport: self.transport.clone(),
            beside: None,
        }
    }

    /// Returns a handle whose messages go over the connection that is subscribed to `subject` on
    /// this lane: they stay in order, with a reply subject or without.
    #[must_use]
    pub fn beside(&self, subject: &Subject) -> Self {
        let beside = match &self.transport {
            Transport::Nats(connections) => connections.lane(self.lane).subscribed(subject),
            Transport::Local(_) => None,
        };
        Self {
            beside,
            ..self.clone()
        }
    }

    /// The lattice of this bus, from which subjects and patterns are made.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match &self.transport {
            Transport::Nats(connections) => connections.scope(),
            Transport::Local(endpoint) => endpoint.scope(),
        }
    }

    /// Publishes a message. On return the message is in the queue of the connection, behind earlier
    /// messages to the same subject. It is lost if the connection goes down.
    ///
    /// Dropping the future early publishes either nothing or the whole message.
    ///
    /// # Errors
    /// A [`PublishError`]: nothing was sent.
    pub async fn publish(
        &self,
        subject: &Subject,
        reply: Option<&Subject>,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        match &self.transport {
            Transport::Nats(connections) => {
                let lane = connections.lane(self.lane);
                let connection = lane.for_message(self.beside, subject, reply);
                connection.publish(subject, reply, payload).await
            }
            Transport::Local(endpoint) => endpoint.publish(subject, reply, payload),
        }
    }

    /// Publishes a message as [`Bus::publish`] does, and waits for a connection that is down: for
    /// replies, which must not be lost because their sender is not back yet.
    ///
    /// Dropping the future early publishes either nothing or the whole message.
    ///
    /// # Errors
    /// A [`PublishError`], by `deadline` at the latest unless the connection is stalled: nothing
    /// was sent.
    pub async fn publish_until(
        &self,
        subject: &Subject,
        reply: Option<&Subject>,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<(), PublishError> {
        loop {
            let published = self.publish(subject, reply, payload.clone()).await;
            if published != Err(PublishError::Disconnected) {
                return published;
            }
            let connected = async {
                match &self.transport {
                    Transport::Nats(connections) => {
                        let lane = connections.lane(self.lane);
                        let connection = lane.for_message(self.beside, subject, reply);
                        connection.connected().await
                    }
                    Transport::Local(endpoint) => endpoint.connected().await,
                }
            };
            match timeout_at(deadline, connected).await {
                Ok(true) => {}
                // The deadline has passed, or the bus was closed.
                Ok(false) | Err(_) => return published,
            }
        }
    }

    /// Subscribes with the default [`Bounds`]; see [`Bus::subscribe_within`].
    pub async fn subscribe(&self, pattern: &Pattern) -> Subscription {
        self.subscribe_within(pattern, Bounds::default()).await
    }

    /// Subscribes to every message on a matching subject. While the bus is connected, this returns
    /// when the server has confirmed, or after [`CONFIRM_WAIT_MAX`]; while disconnected, at once.
    /// The subscription survives the loss of the connection, and ends when dropped.
    ///
    /// Dropping the future leaves no subscription behind.
    pub async fn subscribe_within(&self, pattern: &Pattern, bounds: Bounds) -> Subscription {
        match &self.transport {
            Transport::Nats(connections) => {
                connections.lane(self.lane).subscribe(pattern, bounds).await
            }
            Transport::Local(endpoint) => endpoint.subscribe(pattern, bounds),
        }
    }

    /// Publishes a request and returns the payload of the first reply.
    ///
    /// Dropping the future abandons the reply; the request may have been sent.
    ///
    /// # Errors
    /// A [`RequestError`], by `deadline` at the latest.
    pub async fn request(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, RequestError> {
        self.request_with(subject, payload, deadline, OnLoss::Fail)
            .await
    }

    /// Publishes a request as [`Bus::request`] does. If the connection is lost, it goes on waiting
    /// until `late_reply_wait` after the connection has returned: a responder that was cut off too
    /// can still reply.
    ///
    /// Dropping the future abandons the reply; the request may have been sent.
    ///
    /// # Errors
    /// A [`RequestError`], by `deadline` at the latest.
    pub async fn request_across_losses(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Instant,
        late_reply_wait: Duration,
    ) -> Result<Bytes, RequestError> {
        self.request_with(subject, payload, deadline, OnLoss::Wait(late_reply_wait))
            .await
    }

    async fn request_with(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Instant,
        on_loss: OnLoss,
    ) -> Result<Bytes, RequestError> {
        match &self.transport {
            Transport::Nats(connections) => {
                let lane = connections.lane(self.lane);
                let connection = lane.for_request(subject, payload.len());
                let reply = connection.request(subject, payload, deadline, on_loss);
                reply.await
            }
            Transport::Local(endpoint) => {
                let reply = endpoint.request(subject, payload, deadline, on_loss);
                reply.await
            }
        }
    }

    /// Waits until the server has received all messages published on this lane so far, and has put
    /// all earlier subscriptions into force.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`FlushError`] if the server did not confirm.
    pub async fn flush(&self) -> Result<(), FlushError> {
        match &self.transport {
            Transport::Nats(connections) => connections.lane(self.lane).flush().await,
            Transport::Local(endpoint) => endpoint.flush(),
        }
    }

    /// The largest payload that the server accepts. Before the first connection this is NATS'
    /// default. It can change at any reconnect to a server with another configuration.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        match &self.transport {
            Transport::Nats(connections) => connections.lane(self.lane).max_payload(),
            Transport::Local(endpoint) => endpoint.max_payload(),
        }
    }

    /// The status of this lane, now and on every change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        match &self.transport {
            Transport::Nats(connections) => connections.lane(self.lane).status(),
            Transport::Local(endpoint) => endpoint.status(),
        }
    }

    /// Waits until this lane is up. Returns false if the bus was closed.
    ///
    /// Dropping the future changes nothing.
    pub async fn connected(&self) -> bool {
        match &self.transport {
            Transport::Nats(connections) => connections.connected(self.lane).await,
            Transport::Local(endpoint) => endpoint.connected().await,
        }
    }

    /// True if no other host can join this bus; see [`local::alone`].
    #[must_use]
    pub fn is_alone(&self) -> bool {
        match &self.transport {
            Transport::Nats(_) => false,
            Transport::Local(endpoint) => endpoint.is_alone,
        }
    }

    /// The implementation behind this bus. For the buckets in `weft-state`.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Closes the connections of all handles and lanes, and waits for their tasks. Subscriptions
    /// end, and requests fail as disconnected. Messages that were not flushed may be lost.
    ///
    /// Dropping the future does not stop the close.
    pub async fn close(&self) {
        match &self.transport {
            Transport::Nats(connections) => connections.close().await,
            Transport::Local(endpoint) => endpoint.close(),
        }
    }
}
