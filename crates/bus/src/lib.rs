//! How hosts exchange messages: over NATS, or within one process.
//!
//! A [`Bus`] is a cheap handle. What it promises is the same for both implementations, and
//! `tests/lattice/bus.rs` is one suite for both:
//!
//! 1. A message is delivered at most once to each subscription whose [`Pattern`] matches, in the order
//!    of its publisher, lane and subject; requests are in no order. It may be lost: when a connection goes
//!    down, or a subscriber is slow. What a subscription may have missed is said in its place ([`Delivery::Gap`]).
//! 2. [`Bus::request`] is answered, or fails by its deadline, with an error that says whether anyone
//!    may have got the request ([`RequestError::may_have_arrived`]).
//! 3. No call waits without a bound, and no queue grows without one.
//! 4. Lattices that share a server do not see each other: every subject begins with its own.
//!
//! Traffic goes by *lanes*, each with connections of its own, so that bulk data does not delay a
//! heartbeat. A handle is for one lane; [`Bus::lane`] gives one for another.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

mod inflight;
pub mod local;
pub mod nats;
mod queue;
pub mod subject;

pub use queue::{Bounds, Subscription};
pub use subject::{Part, Pattern, Scope, Subject, SubjectError};

/// How long a publisher waits for a connection that takes no more. It is seen to be dead in
/// [`nats::PING_INTERVAL`] × 3, so what waits longer has met a server that crawls.
pub const PUBLISH_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long [`Bus::flush`] and [`Bus::subscribe`] wait for the server to confirm.
pub const CONFIRM_WAIT_MAX: Duration = Duration::from_secs(5);

/// A handle to the bus, for one lane of traffic.
#[derive(Clone, Debug)]
pub struct Bus {
    lane: Lane,
    transport: Transport,
}

/// Which implementation a bus is; the stores beside it are chosen by it.
#[derive(Clone, Debug)]
pub enum Transport {
    Nats(nats::Connections),
    Local(local::Endpoint),
}

/// What kind of traffic a handle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Calls over links and requests: much, and large.
    Calls,
    /// Inventories, commands, questions of operators.
    Control,
    /// Heartbeats and nothing else: late ones cost a failover.
    Heartbeats,
}

/// One message, as a subscriber gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub subject: Subject,
    /// Where its sender waits for an answer, if it does. A subject outside of the lattice is no place
    /// to answer to, and is `None`.
    pub reply: Option<Subject>,
    /// What it says.
    pub payload: Bytes,
}

/// What a subscription gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The next message.
    Message(Message),
    /// Nobody subscribes to where a message went that was published with a subject to answer to, and
    /// this subscription is for that.
    NoResponders {
        /// Where the answer was to come.
        subject: Subject,
    },
    /// Here messages may be missing.
    Gap(Gap),
}

/// Why messages are missing from a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// More arrived than the subscription holds.
    Overflow {
        /// How many were thrown away.
        count: u64,
    },
    /// The connection was down and is back; what was published meanwhile did not arrive.
    Reconnected,
}

/// Whether a lane's connections are up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// All are: messages went to the server and came back, and the subscriptions are in force there.
    Connected {
        /// Since when, by this host's clock.
        since: Instant,
    },
    /// One is not, and is being made again, for as long as it takes.
    Disconnected {
        /// Since when, by this host's clock.
        since: Instant,
        /// What the last attempt failed with, if there was one.
        reason: Option<std::sync::Arc<str>>,
    },
}

impl Status {
    /// Whether all connections of the lane are up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}

/// Why a message was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The connection is down. Nothing was sent.
    #[error("the bus is disconnected")]
    Disconnected,
    /// The payload is more than the server takes. Nothing was sent.
    #[error("expected a payload of at most {max} bytes, found {found}")]
    TooLarge {
        /// Its size.
        found: usize,
        /// [`Bus::max_payload`].
        max: usize,
    },
    /// The connection took nothing for [`PUBLISH_WAIT_MAX`]. Nothing was sent.
    #[error("the bus took no message for {} seconds", PUBLISH_WAIT_MAX.as_secs())]
    Stalled,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Nobody subscribes to the subject. Nobody got the request.
    #[error("nobody answers on `{subject}`")]
    NoResponders {
        /// Where the request went.
        subject: Subject,
    },
    /// No answer came in time. Somebody may have got the request.
    #[error("no answer on `{subject}` within the deadline")]
    Deadline {
        /// Where the request went.
        subject: Subject,
    },
    /// The connection was down. Nothing was sent.
    #[error("the bus is disconnected")]
    Disconnected,
    /// The connection went down while the answer was awaited. Somebody may have got the request.
    #[error("the bus was disconnected while an answer on `{subject}` was awaited")]
    ConnectionLost {
        /// Where the request went.
        subject: Subject,
    },
    /// The payload is more than the server takes. Nothing was sent.
    #[error("expected a payload of at most {max} bytes, found {found}")]
    TooLarge {
        /// Its size.
        found: usize,
        /// [`Bus::max_payload`].
        max: usize,
    },
    /// As many requests wait for answers as may. Nothing was sent.
    #[error(
        "expected at most {} requests that wait on one connection",
        inflight::INFLIGHT_REQUESTS_MAX
    )]
    TooMany,
}

impl RequestError {
    /// Whether somebody may have got the request: then it is made again only if that does no harm.
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

/// Why the server did not confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlushError {
    /// The connection is down, or went down.
    #[error("the bus is disconnected")]
    Disconnected,
    /// Nothing came back for [`CONFIRM_WAIT_MAX`].
    #[error("the bus confirmed nothing for {} seconds", CONFIRM_WAIT_MAX.as_secs())]
    Deadline,
}

impl Bus {
    /// A handle for another lane, over the same connections.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Self {
        Self {
            lane,
            transport: self.transport.clone(),
        }
    }

    /// The lattice that this bus is for: what makes subjects and patterns.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match &self.transport {
            Transport::Nats(connections) => connections.scope(),
            Transport::Local(endpoint) => endpoint.scope(),
        }
    }

    /// Publishes a message. When this returns, the message is on its way: in the queue of the
    /// connection, behind what was published to the same subject before. It is lost if the connection goes
    /// down.
    ///
    /// Dropping the future before it is done publishes nothing, or the whole message.
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
                let connection = connections.for_subject(self.lane, subject);
                connection.publish(subject, reply, payload).await
            }
            Transport::Local(endpoint) => endpoint.publish(subject, reply, payload),
        }
    }

    /// Subscribes with the ordinary [`Bounds`]; see [`Bus::subscribe_within`].
    pub async fn subscribe(&self, pattern: &Pattern) -> Subscription {
        self.subscribe_within(pattern, Bounds::default()).await
    }

    /// Asks for every message on a subject that matches. While the bus is connected, this returns when
    /// the server that it is connected to has confirmed, or after [`CONFIRM_WAIT_MAX`]; while it is
    /// not, at once. The subscription is kept over every loss of the connection. It ends when it is
    /// dropped.
    ///
    /// Dropping the future asks for nothing.
    pub async fn subscribe_within(&self, pattern: &Pattern, bounds: Bounds) -> Subscription {
        match &self.transport {
            Transport::Nats(connections) => {
                let connection = connections.for_pattern(self.lane, pattern);
                connection.subscribe(pattern, bounds).await
            }
            Transport::Local(endpoint) => endpoint.subscribe(pattern, bounds),
        }
    }

    /// Publishes a request and waits for the payload of the first answer.
    ///
    /// Dropping the future gives up the answer; the request may have been sent.
    ///
    /// # Errors
    /// A [`RequestError`], by `deadline` at the latest.
    pub async fn request(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, RequestError> {
        match &self.transport {
            Transport::Nats(connections) => {
                let connection = connections.for_request(self.lane, subject, payload.len());
                connection.request(subject, payload, deadline).await
            }
            Transport::Local(endpoint) => endpoint.request(subject, payload, deadline).await,
        }
    }

    /// Waits until the server has taken all that was published in this lane before, and has put the
    /// subscriptions into force that were made before.
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    /// A [`FlushError`] if that is not known.
    pub async fn flush(&self) -> Result<(), FlushError> {
        match &self.transport {
            Transport::Nats(connections) => connections.flush(self.lane).await,
            Transport::Local(endpoint) => endpoint.flush(),
        }
    }

    /// The largest payload that the server takes. It is known when a connection was made, and until
    /// then a guess: NATS' own default. A server that is set up otherwise may take its place at any
    /// reconnect.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        match &self.transport {
            Transport::Nats(connections) => connections.max_payload(self.lane),
            Transport::Local(endpoint) => endpoint.max_payload(),
        }
    }

    /// Whether this lane is connected, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        match &self.transport {
            Transport::Nats(connections) => connections.status(self.lane),
            Transport::Local(endpoint) => endpoint.status(),
        }
    }

    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Ends every connection, of all handles and lanes, and waits for their tasks. Subscriptions end,
    /// requests fail as disconnected. What was published but not flushed may be lost.
    ///
    /// Dropping the future leaves the rest of the ending to go on by itself.
    pub async fn close(&self) {
        match &self.transport {
            Transport::Nats(connections) => connections.close().await,
            Transport::Local(endpoint) => endpoint.close(),
        }
    }
}
