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
use futures_util::StreamExt;
use tokio::task::unconstrained;

use super::super::pending::{Outcome, Pending};
use super::super::queue::Filler;
use super::super::{Gap, Message, Scope, Subject};
use super::batch;

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
    /// The requests that wait on this connection.
    Requests(Pending),
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
        let is_refused = message.status == Some(StatusCode::NO_RESPONDERS);
        let headers = message.headers;
        let Some(subject) = self.scope.parse(&message.subject) else {
            tracing::debug!(subject = %message.subject, "a message from no host of this lattice");
            return;
        };
        if is_refused {
            return self.refuse(subject);
        }
        let reply = message.reply.and_then(|reply| self.scope.parse(&reply));
        let message = Message {
            subject,
            reply,
            payload: message.payload,
        };
        if batch::is_batch(headers.as_ref()) {
            self.take_apart(headers.as_ref(), &message);
        } else {
            self.take(message);
        }
    }

    fn take(&self, message: Message) {
        match &self.to {
            Target::Queue(filler) => filler.push(message),
            Target::Requests(pending) => {
                if let Some((_, number)) = message.subject.as_answer() {
                    pending.resolve(number, Outcome::Answer(message));
                }
            }
        }
    }

    /// Takes note that nobody subscribes to where that went whose answers were to come to `subject`.
    fn refuse(&self, subject: Subject) {
        match &self.to {
            Target::Queue(filler) => filler.push_no_responders(subject),
            Target::Requests(pending) => {
                if let Some((_, number)) = subject.as_answer() {
                    pending.refuse(number);
                }
            }
        }
    }

    /// Takes the messages of a batch, each with its own number in place of that of the batch.
    fn take_apart(&self, headers: Option<&HeaderMap>, together: &Message) {
        let entries = match batch::read(headers, &together.payload) {
            Ok(entries) => entries,
            Err(error) => {
                let reason = error.source().map(ToString::to_string);
                tracing::debug!(%error, reason, "a batch was not taken");
                return;
            }
        };
        let (subject, reply) = (&together.subject, together.reply.as_ref());
        let numbered = |subject: &Subject, number| {
            let (inbox, _) = subject.as_answer()?;
            Some(self.scope.answer(inbox, number))
        };
        for (number, payload) in entries {
            let message = match reply {
                // Requests: whose answers are to come to different places.
                Some(reply) => numbered(reply, number).map(|reply| Message {
                    subject: subject.clone(),
                    reply: Some(reply),
                    payload,
                }),
                // Answers: to different places.
                None => numbered(subject, number).map(|subject| Message {
                    subject,
                    reply: None,
                    payload,
                }),
            };
            if let Some(message) = message {
                self.take(message);
            }
        }
    }
}

impl Wake for Pump {
    fn wake(self: Arc<Self>) {
        self.run();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.run();
    }
}
