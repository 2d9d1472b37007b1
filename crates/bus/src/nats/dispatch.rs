//! From the client's channel of a subscription to whoever waits: without a task between.
//!
//! A task that only moves messages on would cost each of them a turn of the scheduler, twice for a
//! request. Here the work is done by the *waker* that the channel is given: the client's own task, when
//! it has put a message into the channel, wakes the reader, and that takes the message out and delivers
//! it, there and then. Delivering is a push to a queue or to one waiting request, and never waits.

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

/// Delivers what one subscription of a client gets.
pub(crate) struct Dispatcher {
    /// Gone when nothing is wanted any more. The channel holds this dispatcher as its waker, and this the
    /// channel, until then.
    subscriber: Mutex<Option<Subscriber>>,
    /// How often the dispatcher was woken since somebody began to empty the channel; that one goes on until
    /// no more wakes have come.
    wakes: AtomicUsize,
    scope: Scope,
    target: Target,
}

/// To whom messages are delivered.
pub(super) enum Target {
    /// A subscriber.
    Queue(QueueSender),
    /// The requests that wait on a connection, whose answers go to subjects that begin with this text.
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

    /// Delivers nothing from now on, and gives the client's subscription back, to be ended.
    pub(crate) fn stop(&self) -> Option<Subscriber> {
        let mut subscriber = self
            .subscriber
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscriber.take()
    }

    /// Stops, and tells the subscriber that nothing comes any more.
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

    /// Empties the channel, or leaves that to who is at it already: a wake may come from another thread,
    /// or from within the reading.
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
        // The budget of the task that we are in is not ours to keep: without it the channel would say
        // that it is empty when it is not, and wake us to say so.
        let mut reading = std::pin::pin!(unconstrained(async {
            while let Some(message) = channel.next().await {
                self.deliver(message);
            }
        }));
        if let Poll::Ready(()) = reading.as_mut().poll(&mut context) {
            // The client is gone.
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
            tracing::debug!(subject = %message.subject, "a message from no host of this lattice");
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
        // Each has its own number in place of that of the batch.
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

/// Hands answers to who waits for them.
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

/// Whether it says that nobody subscribes to where something went whose answer was to come here.
fn is_no_responders(message: &async_nats::Message) -> bool {
    message.status == Some(StatusCode::NO_RESPONDERS)
}

/// The messages of a batch; none of one that cannot be read.
fn split_batch(headers: &HeaderMap, payload: &Bytes) -> Vec<(u64, Bytes)> {
    batch::read(headers, payload).unwrap_or_else(|error| {
        let reason = error.source().map(ToString::to_string);
        tracing::debug!(%error, reason, "a batch was not taken");
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
