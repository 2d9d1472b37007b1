//! The newest of something that never ends, and the way to follow what comes: what `weft logs` and
//! `weft events` are made of.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

/// How far a follower may fall behind before it misses some.
const FOLLOWERS_BEHIND_MAX: usize = 1_024;

/// Something with a number that grows by one with each.
pub trait Numbered {
    fn sequence(&self) -> u64;
}

/// The newest `T`s. Cheap to clone.
#[derive(Debug)]
pub struct Ring<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    capacity: usize,
    kept: Mutex<Kept<T>>,
    new: broadcast::Sender<T>,
}

#[derive(Debug)]
struct Kept<T> {
    next: u64,
    newest: VecDeque<T>,
}

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Ring<T> {
    /// An empty ring that keeps the newest `capacity`.
    pub fn new(capacity: usize) -> Self {
        let (new, _) = broadcast::channel(FOLLOWERS_BEHIND_MAX);
        let kept = Mutex::new(Kept {
            next: 0,
            newest: VecDeque::new(),
        });
        Self(Arc::new(Shared {
            capacity,
            kept,
            new,
        }))
    }

    /// Adds what `make` makes of its number.
    pub fn push(&self, make: impl FnOnce(u64) -> T) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let one = make(kept.next);
        kept.next += 1;
        if kept.newest.len() == self.0.capacity {
            kept.newest.pop_front();
        }
        kept.newest.push_back(one.clone());
        // Nobody may be following. Sent before the next one is numbered, so that followers see them in order.
        let _ = self.0.new.send(one);
    }

    /// The newest `count` that `wanted` holds for, oldest first.
    pub fn tail(&self, count: usize, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = kept.newest.iter().rev();
        let newest = newest.filter(|one| wanted(one)).take(count);
        let mut tail: Vec<_> = newest.cloned().collect();
        tail.reverse();
        tail
    }

    /// Those that come from now on.
    pub fn follow(&self) -> broadcast::Receiver<T> {
        self.0.new.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_numbered_and_older_ones_are_forgotten() {
        let ring = Ring::new(3);
        let mut follower = ring.follow();
        for _ in 0..5 {
            ring.push(|number| number);
        }
        assert_eq!(ring.tail(10, |_| true), [2, 3, 4]);
        assert_eq!(ring.tail(2, |number| number % 2 == 0), [2, 4]);
        let heard: Vec<_> = std::iter::from_fn(|| follower.try_recv().ok()).collect();
        assert_eq!(heard, [0, 1, 2, 3, 4]);
    }
}
