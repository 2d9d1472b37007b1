//! Delivery queue of a subscription, bounded in messages and bytes.
//!
//! When the queue is full, new messages are dropped and counted, and queued ones stay: a subscriber
//! that catches up reads a contiguous run, then one [`Gap`], then the next run.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use tokio::time::timeout;

use super::nats::Dispatcher;
use super::{Delivery, Gap, Message, PUBLISH_WAIT_MAX, Subject};

/// Capacity of a subscription's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum number of messages.
    pub messages: usize,
    /// Maximum of payload bytes. A single message may exceed it.
    pub bytes: usize,
}

impl Default for Bounds {
    /// 4,096 messages: a subscriber that handles 10,000 messages a second may pause for 0.4
    /// seconds. 64 MiB: the amount that a NATS server buffers for a slow client before it
    /// disconnects it.
    fn default() -> Self {
        Self {
            messages: 4096,
            bytes: 64 << 20,
        }
    }
}

/// The messages of one pattern, as a stream that ends when the bus is closed. Dropping it
/// unsubscribes soon, without waiting; [`Subscription::close`] waits.
pub struct Subscription {
    queue: Arc<Queue>,
    source: Source,
}

/// The writer of a queue.
pub(super) enum Source {
    /// The publishers, each of which checks whether the queue is still subscribed.
    Publishers,
    /// The dispatcher of a NATS client's subscription; stopped on unsubscribe.
    Dispatcher(Arc<Dispatcher>),
}

/// The writing end of a queue.
pub(super) struct QueueSender {
    queue: Arc<Queue>,
}

/// The queue of one subscriber.
pub(super) struct Queue {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    deliveries: VecDeque<Delivery>,
    messages: usize,
    bytes: usize,
    lost: u64,
    waker: Option<Waker>,
    /// No more deliveries will follow.
    is_ended: bool,
    /// The subscriber was dropped.
    is_unsubscribed: bool,
}

pub(super) fn queue(bounds: Bounds) -> (QueueSender, Arc<Queue>) {
    let queue = Arc::new(Queue {
        bounds,
        state: Mutex::default(),
    });
    let sender = QueueSender {
        queue: queue.clone(),
    };
    (sender, queue)
}

// === reading end ===

impl Subscription {
    pub(super) fn new(queue: Arc<Queue>, source: Source) -> Self {
        Self { queue, source }
    }

    /// A subscription to a closed bus.
    pub(super) fn ended() -> Self {
        let (sender, queue) = queue(Bounds::default());
        sender.end();
        Self::new(queue, Source::Publishers)
    }

    /// The dispatcher of a NATS client's subscription.
    pub(super) fn dispatcher(&self) -> Option<&Arc<Dispatcher>> {
        match &self.source {
            Source::Publishers => None,
            Source::Dispatcher(dispatcher) => Some(dispatcher),
        }
    }

    /// Returns the next message or gap, or `None` if the bus was closed.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Delivery> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// Returns the next message and skips gaps: for subscribers that recover from losses in another
    /// way.
    ///
    /// Dropping the future loses nothing.
    pub async fn next_message(&mut self) -> Option<Message> {
        loop {
            match self.next().await? {
                Delivery::Message(message) => return Some(message),
                Delivery::NoResponders { .. } | Delivery::Gap(_) => {}
            }
        }
    }

    /// Number of messages dropped so far because the subscriber was slow.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queue.lock().lost
    }

    /// Unsubscribes, and waits until the command is queued on the connection. After a
    /// [`flush`](super::Bus::flush) the unsubscription is in force at the server, and requests
    /// without another subscriber have no responder.
    ///
    /// Dropping the future unsubscribes all the same.
    pub async fn close(self) {
        if let Source::Dispatcher(dispatcher) = &self.source
            && let Some(mut subscriber) = dispatcher.stop()
        {
            // On timeout the connection is dead, and the subscription ends with it.
            let _ = timeout(PUBLISH_WAIT_MAX, subscriber.unsubscribe()).await;
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let mut state = self.queue.lock();
        if let Some(delivery) = state.pop() {
            return Poll::Ready(Some(delivery));
        }
        if state.is_ended {
            return Poll::Ready(None);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            empty => *empty = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Stream for Subscription {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.poll(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.queue.lock().is_unsubscribed = true;
        if let Source::Dispatcher(dispatcher) = &self.source {
            // The client unsubscribes when its subscriber is dropped.
            drop(dispatcher.stop());
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.queue.lock();
        formatter
            .debug_struct("Subscription")
            .field("messages", &state.messages)
            .field("lost", &state.lost)
            .finish_non_exhaustive()
    }
}

// === writing end ===

impl QueueSender {
    /// Appends a message, or counts it as lost if the queue is full.
    pub(super) fn push(&self, message: Message) {
        let size = message.payload.len();
        self.push_sized(Delivery::Message(message), size);
    }

    /// Appends a [`Delivery::NoResponders`] for a message whose reply subject was `subject`.
    pub(super) fn push_no_responders(&self, subject: Subject) {
        self.push_sized(Delivery::NoResponders { subject }, 0);
    }

    fn push_sized(&self, delivery: Delivery, size: usize) {
        let waker = self.queue.lock().push(delivery, size, self.queue.bounds);
        wake(waker);
    }

    /// Appends a gap.
    pub(super) fn push_gap(&self, gap: Gap) {
        let waker = self.queue.lock().push_gap(gap);
        wake(waker);
    }

    /// Ends the queue: no more deliveries will follow.
    pub(super) fn end(&self) {
        let mut state = self.queue.lock();
        state.is_ended = true;
        let waker = state.waker.take();
        drop(state);
        wake(waker);
    }

    /// True if the subscriber was dropped.
    pub(super) fn is_unsubscribed(&self) -> bool {
        self.queue.lock().is_unsubscribed
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while holding the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, delivery: Delivery, size: usize, bounds: Bounds) -> Option<Waker> {
        let is_full = self.messages >= bounds.messages
            || (self.messages > 0 && self.bytes + size > bounds.bytes);
        if is_full {
            return self.push_gap(Gap::Overflow { count: 1 });
        }
        self.messages += 1;
        self.bytes += size;
        self.deliveries.push_back(delivery);
        self.waker.take()
    }

    /// Adjacent gaps of one kind are merged, so gaps never outnumber the messages between them.
    fn push_gap(&mut self, gap: Gap) -> Option<Waker> {
        if let Gap::Overflow { count } = gap {
            self.lost += count;
        }
        match (self.deliveries.back_mut(), gap) {
            (Some(Delivery::Gap(Gap::Overflow { count })), Gap::Overflow { count: more }) => {
                *count += more;
            }
            (Some(Delivery::Gap(Gap::Reconnected)), Gap::Reconnected) => {}
            // Both kinds at one place: losing the connection includes the overflow.
            (Some(Delivery::Gap(Gap::Reconnected)), Gap::Overflow { .. }) => {}
            _ => self.deliveries.push_back(Delivery::Gap(gap)),
        }
        self.waker.take()
    }

    fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front()?;
        match &delivery {
            Delivery::Message(message) => {
                self.messages -= 1;
                self.bytes -= message.payload.len();
            }
            Delivery::NoResponders { .. } => self.messages -= 1,
            Delivery::Gap(_) => {}
        }
        Some(delivery)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Scope;

    fn message(size: usize) -> Message {
        Message {
            subject: Scope::new("test").unwrap().subject(&["a"]).unwrap(),
            reply: None,
            payload: Bytes::from(vec![0; size]),
        }
    }

    fn subscription(messages: usize, bytes: usize) -> (QueueSender, Subscription) {
        let (sender, queue) = queue(Bounds { messages, bytes });
        (sender, Subscription::new(queue, Source::Publishers))
    }

    #[tokio::test]
    async fn dropped_messages_are_counted_and_marked_in_place() {
        let (sender, mut subscription) = subscription(2, 10);
        for size in [1, 2, 3, 4] {
            sender.push(message(size));
        }
        assert_eq!(
            subscription.next().await,
            Some(Delivery::Message(message(1)))
        );
        sender.push(message(5));
        sender.end();
        let mut rest = Vec::new();
        while let Some(delivery) = subscription.next().await {
            rest.push(delivery);
        }
        let expected = [
            Delivery::Message(message(2)),
            Delivery::Gap(Gap::Overflow { count: 2 }),
            Delivery::Message(message(5)),
        ];
        assert_eq!(rest, expected);
        assert_eq!(subscription.lost(), 2);
    }

    #[tokio::test]
    async fn bytes_are_bounded_and_one_message_always_fits() {
        let (sender, mut subscription) = subscription(9, 10);
        sender.push(message(11));
        sender.push(message(1));
        assert_eq!(
            subscription.next().await,
            Some(Delivery::Message(message(11)))
        );
        let gap = Delivery::Gap(Gap::Overflow { count: 1 });
        assert_eq!(subscription.next().await, Some(gap));
    }

    #[tokio::test]
    async fn adjacent_gaps_are_merged() {
        let (sender, mut subscription) = subscription(1, 1);
        for _ in 0..100 {
            sender.push_gap(Gap::Reconnected);
            sender.push_gap(Gap::Overflow { count: 1 });
        }
        assert_eq!(
            subscription.next().await,
            Some(Delivery::Gap(Gap::Reconnected))
        );
        sender.end();
        assert_eq!(subscription.next().await, None);
    }
}
