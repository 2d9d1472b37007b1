//! A bounded number of turns, given to the smallest waiter first: what is small is soon done, and
//! must not wait behind what is large.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The queue. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SizeQueue(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// By size and arrival.
    waiters: BTreeMap<(u64, u64), oneshot::Sender<Turn>>,
    arrivals: u64,
}

/// A turn; it ends on drop.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` if the turn was passed on.
    queue: Option<SizeQueue>,
}

/// The place of a waiter in the queue; left on drop.
struct Place<'a> {
    queue: &'a SizeQueue,
    key: (u64, u64),
}

impl SizeQueue {
    /// A queue with this many turns at once.
    pub(crate) fn new(turns: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: turns,
            waiters: BTreeMap::new(),
            arrivals: 0,
        })))
    }

    /// Waits for a turn. Waiters of the same size are served in their order. Dropping the future
    /// leaves the queue.
    pub(crate) async fn turn(&self, size: u64) -> Turn {
        let (receiver, key) = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return self.begin();
            }
            state.arrivals += 1;
            let key = (size, state.arrivals);
            let (sender, receiver) = oneshot::channel();
            state.waiters.insert(key, sender);
            (receiver, key)
        };
        let _place = Place { queue: self, key };
        match receiver.await {
            Ok(turn) => turn,
            // A sender leaves the queue only by sending.
            Err(_) => self.begin(),
        }
    }

    fn begin(&self) -> Turn {
        Turn {
            queue: Some(self.clone()),
        }
    }

    /// Passes a turn on to the smallest waiter.
    fn end_turn(&self) {
        loop {
            let waiter = {
                let mut state = self.state();
                match state.waiters.pop_first() {
                    Some((_, waiter)) => waiter,
                    None => {
                        state.free += 1;
                        return;
                    }
                }
            };
            match waiter.send(self.begin()) {
                Ok(()) => return,
                // The waiter is gone; the turn is passed on by this loop.
                Err(mut turn) => drop(turn.queue.take()),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The code under the lock does not panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.end_turn();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.state().waiters.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_smallest_waiter_is_next() {
        let queue = SizeQueue::new(1);
        let first = queue.turn(5).await;
        let (mut large, mut small) = (pin!(queue.turn(9)), pin!(queue.turn(1)));
        assert!(large.as_mut().now_or_never().is_none());
        assert!(small.as_mut().now_or_never().is_none());
        drop(first);
        assert!(large.as_mut().now_or_never().is_none());
        let small = small.now_or_never().unwrap();
        drop(small);
        large.now_or_never().unwrap();
    }

    #[tokio::test]
    async fn waiters_of_one_size_are_served_in_their_order() {
        let queue = SizeQueue::new(1);
        let first = queue.turn(1).await;
        let (mut second, mut third) = (pin!(queue.turn(1)), pin!(queue.turn(1)));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_waiter_that_is_dropped_takes_no_turn() {
        let queue = SizeQueue::new(1);
        let first = queue.turn(1).await;
        {
            let mut dropped = pin!(queue.turn(1));
            assert!(dropped.as_mut().now_or_never().is_none());
        }
        {
            // It has its turn, and is dropped before it takes it.
            let mut dropped = pin!(queue.turn(1));
            assert!(dropped.as_mut().now_or_never().is_none());
            drop(first);
        }
        assert!(queue.state().waiters.is_empty());
        queue.turn(1).now_or_never().unwrap();
    }

    #[tokio::test]
    async fn as_many_turns_as_the_bound_are_taken_at_once() {
        let queue = SizeQueue::new(2);
        let turns = (queue.turn(1).await, queue.turn(1).await);
        assert!(queue.turn(1).now_or_never().is_none());
        drop(turns);
        queue.turn(1).now_or_never().unwrap();
    }
}
