//! What waits for a subscriber: bounded in messages and bytes, with the places marked where
//! something was thrown away.
//!
//! When it is full, what arrives is thrown away and counted, and what waits stays: a subscriber that
//! catches up reads a whole stretch, then one [`Gap`], then the next stretch.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use tokio::time::timeout;

use super::nats::Dispatcher;
use super::{Delivery, Gap, Message, PUBLISH_WAIT_MAX, Subject};

/// How much may wait for a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many messages.
    pub messages: usize,
    /// How many bytes of payload. One message alone may be more.
    pub bytes: usize,
}

impl Default for Bounds {
    /// 4,096 messages: a subscriber that does its work at 10,000 a second may pause for 0.4 seconds.
    /// 64 MiB: as much as a NATS server holds for a slow client before it cuts it off.
    fn default() -> Self {
        Self {
            messages: 4096,
            bytes: 64 << 20,
        }
    }
}

/// The messages of one pattern, as a stream that ends when the bus is closed. Dropping it unsubscribes,
/// soon and without deliveries; [`Subscription::close`] waits.
pub struct Subscription {
    queue: Arc<Queue>,
    source: Source,
}

/// Who fills a queue.
pub(super) enum Source {
    /// Whoever publishes, who looks each time whether the queue is wanted.
    Publishers,
    /// What takes messages from a client of NATS, and is to be stopped.
    Dispatcher(Arc<Dispatcher>),
}

/// The end of a queue that messages are put into.
pub(super) struct QueueSender {
    queue: Arc<Queue>,
}

/// What waits, for one subscriber.
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
    /// Nothing comes any more.
    is_ended: bool,
    /// The subscriber is gone.
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

// === the subscriber's end ===

impl Subscription {
    pub(super) fn new(queue: Arc<Queue>, source: Source) -> Self {
        Self { queue, source }
    }

    /// What a bus gives that was closed.
    pub(super) fn ended() -> Self {
        let (sender, queue) = queue(Bounds::default());
        sender.end();
        Self::new(queue, Source::Publishers)
    }

    /// The next message or gap; `None` when the bus was closed.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Delivery> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// The next message, with gaps passed over: for those who ask again by themselves.
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

    /// How many messages were thrown away so far because the subscriber was slow.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queue.lock().lost
    }

    /// Unsubscribes, and waits until the connection was told. After a [`flush`](super::Bus::flush) the
    /// server knows, and requests that nobody else takes have no responder.
    ///
    /// Dropping the future unsubscribes all the same.
    pub async fn close(self) {
        if let Source::Dispatcher(dispatcher) = &self.source
            && let Some(mut subscriber) = dispatcher.stop()
        {
            // A connection that takes nothing keeps the subscription no longer than itself.
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
            // The client unsubscribes when its part is dropped.
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

// === the bus's end ===

impl QueueSender {
    /// Puts a message at the end, or counts it as lost if there is no room.
    pub(super) fn push(&self, message: Message) {
        let size = message.payload.len();
        self.push_sized(Delivery::Message(message), size);
    }

    /// Puts the note at the end that nobody subscribes to where the message went whose answers were to
    /// come to `subject`.
    pub(super) fn push_no_responders(&self, subject: Subject) {
        self.push_sized(Delivery::NoResponders { subject }, 0);
    }

    fn push_sized(&self, delivery: Delivery, size: usize) {
        let waker = self.queue.lock().push(delivery, size, self.queue.bounds);
        wake(waker);
    }

    /// Marks that messages may be missing here.
    pub(super) fn push_gap(&self, gap: Gap) {
        let waker = self.queue.lock().push_gap(gap);
        wake(waker);
    }

    /// Says that nothing comes any more.
    pub(super) fn end(&self) {
        let mut state = self.queue.lock();
        state.is_ended = true;
        let waker = state.waker.take();
        drop(state);
        wake(waker);
    }

    /// Whether the subscriber is gone.
    pub(super) fn is_unsubscribed(&self) -> bool {
        self.queue.lock().is_unsubscribed
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
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

    /// Gaps of one kind that touch are one, so they take no more room than the messages between them.
    fn push_gap(&mut self, gap: Gap) -> Option<Waker> {
        if let Gap::Overflow { count } = gap {
            self.lost += count;
        }
        match (self.deliveries.back_mut(), gap) {
            (Some(Delivery::Gap(Gap::Overflow { count })), Gap::Overflow { count: more }) => {
                *count += more;
            }
            (Some(Delivery::Gap(Gap::Reconnected)), Gap::Reconnected) => {}
            // Both kinds at one place: the loss of the connection says more.
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
    async fn what_does_not_fit_is_counted_and_told_in_its_place() {
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
    async fn gaps_alone_do_not_pile_up() {
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
