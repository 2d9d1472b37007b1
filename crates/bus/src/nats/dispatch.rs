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
use crate::inflight::{Outcome, Pending};
use crate::queue::Filler;
use crate::{Gap, Message, Scope, Subject};

/// Delivers what one subscription of a client gets.
pub(crate) struct Pump {
    /// Gone when nothing is wanted any more. The channel holds this pump as its waker, and this the
    /// channel, until then.
    subscriber: Mutex<Option<Subscriber>>,
    /// How often the pump was woken since somebody began to empty the channel; that one goes on until
    /// no more turns have come.
    turns: AtomicUsize,
    scope: Scope,
    to: Target,
}

/// To whom messages are delivered.
pub(super) enum Target {
    /// A subscriber.
    Queue(Filler),
    /// The requests that wait on a connection, whose answers go to subjects that begin with this text.
    Requests { inbox: String, pending: Pending },
}

impl Pump {
    pub(super) fn start(subscriber: Subscriber, scope: Scope, to: Target) -> Arc<Self> {
        let pump = Arc::new(Self {
            subscriber: Mutex::new(Some(subscriber)),
            turns: AtomicUsize::new(0),
            scope,
            to,
        });
        pump.run();
        pump
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
        if let Target::Queue(filler) = &self.to {
            filler.end();
        }
    }

    pub(super) fn push_gap(&self, gap: Gap) {
        if let Target::Queue(filler) = &self.to {
            filler.push_gap(gap);
        }
    }

    /// Empties the channel, or leaves that to who is at it already: a wake may come from another thread,
    /// or from within the emptying.
    fn run(self: &Arc<Self>) {
        if self.turns.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let mut seen = 1;
        loop {
            self.empty();
            match self
                .turns
                .compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(more) => seen = more,
            }
        }
    }

    fn empty(self: &Arc<Self>) {
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
        let mut emptying = std::pin::pin!(unconstrained(async {
            while let Some(message) = channel.next().await {
                self.deliver(message);
            }
        }));
        if let Poll::Ready(()) = emptying.as_mut().poll(&mut context) {
            // The client is gone.
            if let Target::Queue(filler) = &self.to {
                filler.end();
            }
        }
    }

    fn deliver(&self, message: async_nats::Message) {
        match &self.to {
            Target::Queue(filler) => self.queue(filler, message),
            Target::Requests { inbox, pending } => {
                let number = message.subject.strip_prefix(inbox.as_str());
                if let Some(number) = number.and_then(|number| number.parse().ok()) {
                    resolve(pending, number, message);
                }
            }
        }
    }

    fn queue(&self, filler: &Filler, message: async_nats::Message) {
        let Some(subject) = self.scope.parse(&message.subject) else {
            tracing::debug!(subject = %message.subject, "a message from no host of this lattice");
            return;
        };
        if is_refused(&message) {
            return filler.push_no_responders(subject);
        }
        let reply = message.reply.and_then(|reply| self.scope.parse(&reply));
        let payload = message.payload;
        let Some(headers) = message.headers.filter(batch::is_batch) else {
            return filler.push(Message {
                subject,
                reply,
                payload,
            });
        };
        // Each has its own number in place of that of the batch.
        let Some((inbox, _)) = reply.as_ref().and_then(Subject::as_answer) else {
            return;
        };
        for (number, payload) in taken_apart(&headers, &payload) {
            filler.push(Message {
                subject: subject.clone(),
                reply: Some(self.scope.answer(inbox, number)),
                payload,
            });
        }
    }
}

/// Hands answers to who waits for them.
fn resolve(pending: &Pending, number: u64, message: async_nats::Message) {
    if is_refused(&message) {
        return pending.refuse(number);
    }
    let payload = message.payload;
    let Some(headers) = message.headers.filter(batch::is_batch) else {
        return pending.resolve(number, Outcome::Answer(payload));
    };
    for (number, payload) in taken_apart(&headers, &payload) {
        pending.resolve(number, Outcome::Answer(payload));
    }
}

/// Whether it says that nobody subscribes to where something went whose answer was to come here.
fn is_refused(message: &async_nats::Message) -> bool {
    message.status == Some(StatusCode::NO_RESPONDERS)
}

/// The messages of a batch; none of one that cannot be read.
fn taken_apart(headers: &HeaderMap, payload: &Bytes) -> Vec<(u64, Bytes)> {
    batch::read(headers, payload).unwrap_or_else(|error| {
        let reason = error.source().map(ToString::to_string);
        tracing::debug!(%error, reason, "a batch was not taken");
        Vec::new()
    })
}

impl Wake for Pump {
    fn wake(self: Arc<Self>) {
        self.run();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.run();
    }
}
