//! A bounded number of turns, shared between apps: the next is of the app that has the fewest bytes
//! behind it, those of the waiter included. So what is small does not wait behind what is large,
//! and an app with many components, or with one that takes long, does not hold up the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The queue. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SizeQueue(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    turns: usize,
    /// In the order of their arrival. At most one for each component of the desired state.
    waiters: Vec<Waiter>,
    arrivals: u64,
    /// The bytes of the turns of each app since all turns were free.
    taken: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Waiter {
    arrival: u64,
    app: String,
    size: u64,
    sender: oneshot::Sender<Turn>,
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
    arrival: u64,
}

impl SizeQueue {
    /// A queue with this many turns at once.
    pub(crate) fn new(turns: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: turns,
            turns,
            waiters: Vec::new(),
            arrivals: 0,
            taken: BTreeMap::new(),
        })))
    }

    /// Waits for a turn of `size` bytes for an app. Waiters of the same size are served in their
    /// order. Dropping the future leaves the queue.
    pub(crate) async fn turn(&self, app: &str, size: u64) -> Turn {
        let (receiver, arrival) = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                state.count(app, size);
                return self.begin();
            }
            state.arrivals += 1;
            let arrival = state.arrivals;
            let (sender, receiver) = oneshot::channel();
            state.waiters.push(Waiter {
                arrival,
                app: app.to_owned(),
                size,
                sender,
            });
            (receiver, arrival)
        };
        let _place = Place {
            queue: self,
            arrival,
        };
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

    /// Passes a turn on to the next waiter.
    fn end_turn(&self) {
        loop {
            let Some(waiter) = self.state().next() else {
                return;
            };
            match waiter.sender.send(self.begin()) {
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

impl State {
    /// Takes the next waiter, or frees the turn if there is none.
    fn next(&mut self) -> Option<Waiter> {
        let taken = &self.taken;
        let order = |waiter: &Waiter| {
            let taken = taken.get(&waiter.app).copied().unwrap_or(0);
            (taken.saturating_add(waiter.size), waiter.arrival)
        };
        let waiters = self.waiters.iter().enumerate();
        let next = waiters.min_by_key(|(_, waiter)| order(waiter));
        let Some((index, _)) = next else {
            self.free += 1;
            if self.free == self.turns {
                self.taken.clear();
            }
            return None;
        };
        let waiter = self.waiters.remove(index);
        self.count(&waiter.app, waiter.size);
        Some(waiter)
    }

    fn count(&mut self, app: &str, size: u64) {
        match self.taken.get_mut(app) {
            Some(taken) => *taken = taken.saturating_add(size),
            None => drop(self.taken.insert(app.to_owned(), size)),
        }
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
        let arrival = self.arrival;
        let mut state = self.queue.state();
        state.waiters.retain(|waiter| waiter.arrival != arrival);
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
        let first = queue.turn("app", 5).await;
        let (mut large, mut small) = (pin!(queue.turn("app", 9)), pin!(queue.turn("app", 1)));
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
        let first = queue.turn("app", 1).await;
        let (mut second, mut third) = (pin!(queue.turn("app", 1)), pin!(queue.turn("app", 1)));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_waiter_that_is_dropped_takes_no_turn() {
        let queue = SizeQueue::new(1);
        let first = queue.turn("app", 1).await;
        {
            let mut dropped = pin!(queue.turn("app", 1));
            assert!(dropped.as_mut().now_or_never().is_none());
        }
        {
            // It has its turn, and is dropped before it takes it.
            let mut dropped = pin!(queue.turn("app", 1));
            assert!(dropped.as_mut().now_or_never().is_none());
            drop(first);
        }
        assert!(queue.state().waiters.is_empty());
        queue.turn("app", 1).now_or_never().unwrap();
    }

    #[tokio::test]
    async fn as_many_turns_as_the_bound_are_taken_at_once() {
        let queue = SizeQueue::new(2);
        let turns = (queue.turn("app", 1).await, queue.turn("app", 1).await);
        assert!(queue.turn("app", 1).now_or_never().is_none());
        drop(turns);
        queue.turn("app", 1).now_or_never().unwrap();
    }

    #[tokio::test]
    async fn an_app_that_has_had_many_turns_waits_for_the_others() {
        let queue = SizeQueue::new(1);
        let first = queue.turn("many", 9).await;
        let mut many = pin!(queue.turn("many", 5));
        let mut few = pin!(queue.turn("few", 10));
        assert!(many.as_mut().now_or_never().is_none());
        assert!(few.as_mut().now_or_never().is_none());
        drop(first);
        let turn = few.now_or_never().unwrap();
        assert!(many.as_mut().now_or_never().is_none());
        drop(turn);
        drop(many.now_or_never().unwrap());
        assert!(queue.state().taken.is_empty(), "what is past is forgotten");
    }
}
