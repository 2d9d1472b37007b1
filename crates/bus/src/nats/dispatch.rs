//! Dispatch from the channel of a client's subscription to its receiver, without a task between.
//!
//! A task that only forwards messages would cost each of them one more turn of the scheduler, two
//! for a request. Here the channel's *waker* does the work: when the client's own task has put a
//! message into the channel, it wakes the reader, and the reader takes the message out and delivers
//! it in that call. A delivery is a push to a queue or to one request in flight, and never waits.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use async_nats::{HeaderMap, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::unconstrained;

use super::batch;
use crate::inflight::{InflightRequests, Outcome};
use crate::queue::QueueSender;
use crate::{Gap, Message, Scope, Subject};

/// Delivers the messages of one client subscription.
pub(crate) struct Dispatcher {
    /// `None` after unsubscribing. Until then the channel holds this dispatcher as its waker, and
    /// the dispatcher holds the channel.
    subscriber: Mutex<Option<Subscriber>>,
    /// Number of wakes since a thread began to read the channel; that thread continues until no
    /// more wakes arrive.
    wakes: AtomicUsize,
    scope: Scope,
    target: Target,
}

/// The receiver of messages.
pub(super) enum Target {
    /// A subscriber.
    Queue(QueueSender),
    /// The requests in flight on a connection; `inbox` is the prefix of their reply subjects.
    Requests {
        inbox: String,
        inflight: InflightRequests,
    },
}

impl Dispatcher {
    pub(super) fn start(subscriber: Subscriber, scope: Scope, target: Target) -> Arc<Self> {
        let dispatcher = Arc::new(Self {
            subscriber: Mutex::new(Some(subscriber)),
            wakes: AtomicUsize::new(0),
            scope,
            target,
        });
        dispatcher.run();
        dispatcher
    }

    /// Stops delivering, and returns the client's subscription for the caller to end.
    pub(crate) fn stop(&self) -> Option<Subscriber> {
        let mut subscriber = self
            .subscriber
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscriber.take()
    }

    /// Stops delivering, and ends the subscriber's queue.
    pub(super) fn end(&self) {
        drop(self.stop());
        if let Target::Queue(sender) = &self.target {
            sender.end();
        }
    }

    pub(super) fn push_gap(&self, gap: Gap) {
        if let Target::Queue(sender) = &self.target {
            sender.push_gap(gap);
        }
    }

    /// Reads the channel until it is empty, or leaves that to the thread that is already reading: a
    /// wake can come from another thread, or from within the read.
    fn run(self: &Arc<Self>) {
        if self.wakes.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let mut handled = 1;
        loop {
            self.deliver_queued();
            match self
                .wakes
                .compare_exchange(handled, 0, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(more) => handled = more,
            }
        }
    }

    fn deliver_queued(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut context = Context::from_waker(&waker);
        let mut subscriber = self
            .subscriber
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(channel) = subscriber.as_mut() else {
            return;
        };
        // Not limited by the budget of the current task: with the budget used up, the channel would
        // appear empty and wake us again at once.
        let mut reading = std::pin::pin!(unconstrained(async {
            while let Some(message) = channel.next().await {
                self.deliver(message);
            }
        }));
        if let Poll::Ready(()) = reading.as_mut().poll(&mut context) {
            // The client was dropped.
            if let Target::Queue(sender) = &self.target {
                sender.end();
            }
        }
    }

    fn deliver(&self, message: async_nats::Message) {
        match &self.target {
            Target::Queue(sender) => self.push_to_queue(sender, message),
            Target::Requests { inbox, inflight } => {
                let number = message.subject.strip_prefix(inbox.as_str());
                if let Some(number) = number.and_then(|number| number.parse().ok()) {
                    resolve(inflight, number, message);
                }
            }
        }
    }

    fn push_to_queue(&self, sender: &QueueSender, message: async_nats::Message) {
        let Some(subject) = self.scope.parse(&message.subject) else {
            tracing::debug!(subject = %message.subject, "message ignored: its subject was not written by a host of this lattice");
            return;
        };
        if is_no_responders(&message) {
            return sender.push_no_responders(subject);
        }
        let reply = message.reply.and_then(|reply| self.scope.parse(&reply));
        let payload = message.payload;
        let Some(headers) = message.headers.filter(batch::is_batch) else {
            return sender.push(Message {
                subject,
                reply,
                payload,
            });
        };
        // Each message has its own request number in place of the number of the batch.
        let Some((inbox, _)) = reply.as_ref().and_then(Subject::as_answer) else {
            return;
        };
        for (number, payload) in split_batch(&headers, &payload) {
            sender.push(Message {
                subject: subject.clone(),
                reply: Some(self.scope.answer(inbox, number)),
                payload,
            });
        }
    }
}

/// Hands replies to the requests that wait for them.
fn resolve(inflight: &InflightRequests, number: u64, message: async_nats::Message) {
    if is_no_responders(&message) {
        return inflight.fail_no_responders(number);
    }
    let payload = message.payload;
    let Some(headers) = message.headers.filter(batch::is_batch) else {
        return inflight.resolve(number, Outcome::Answer(payload));
    };
    for (number, payload) in split_batch(&headers, &payload) {
        inflight.resolve(number, Outcome::Answer(payload));
    }
}

/// True if a server reports that a message with a reply subject here had no subscribers.
fn is_no_responders(message: &async_nats::Message) -> bool {
    message.status == Some(StatusCode::NO_RESPONDERS)
}

/// The messages of a batch; empty if the batch is malformed.
fn split_batch(headers: &HeaderMap, payload: &Bytes) -> Vec<(u64, Bytes)> {
    batch::read(headers, payload).unwrap_or_else(|error| {
        let reason = error.source().map(ToString::to_string);
        tracing::debug!(%error, reason, "batch ignored");
        Vec::new()
    })
}

impl Wake for Dispatcher {
    fn wake(self: Arc<Self>) {
        self.run();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.run();
    }
}
