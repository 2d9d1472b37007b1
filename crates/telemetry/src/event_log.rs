//! A bounded in-memory log with followers: the newest entries, and a channel of new ones. Both
//! `weft logs` and `weft events` read from one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

/// Number of entries that a follower may fall behind before it misses the oldest of them.
const FOLLOWER_LAG_MAX: usize = 1_024;

/// An entry with a sequence number, which grows by one with each entry.
pub trait Numbered {
    /// Sequence number of the entry.
    fn sequence(&self) -> u64;
}

/// The newest entries, up to a capacity. Cheap to clone.
#[derive(Debug)]
pub(crate) struct BoundedLog<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    capacity: usize,
    entries: Mutex<Entries<T>>,
    followers: broadcast::Sender<T>,
}

#[derive(Debug)]
struct Entries<T> {
    next_sequence: u64,
    newest: VecDeque<T>,
}

impl<T> Clone for BoundedLog<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> BoundedLog<T> {
    /// An empty log for at most `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        let (followers, _) = broadcast::channel(FOLLOWER_LAG_MAX);
        let entries = Mutex::new(Entries {
            next_sequence: 0,
            newest: VecDeque::new(),
        });
        Self(Arc::new(Shared {
            capacity,
            entries,
            followers,
        }))
    }

    /// Appends the entry that `make` returns for its sequence number.
    pub(crate) fn push(&self, make: impl FnOnce(u64) -> T) {
        let entries = self.0.entries.lock();
        let mut entries = entries.unwrap_or_else(PoisonError::into_inner);
        let entry = make(entries.next_sequence);
        entries.next_sequence += 1;
        if entries.newest.len() == self.0.capacity {
            entries.newest.pop_front();
        }
        entries.newest.push_back(entry.clone());
        // Fails without followers. Sent under the lock, so that followers receive entries in order.
        let _ = self.0.followers.send(entry);
    }

    /// The newest `count` entries that match `filter`, oldest first.
    pub(crate) fn tail(&self, count: usize, filter: impl Fn(&T) -> bool) -> Vec<T> {
        let entries = self.0.entries.lock();
        let entries = entries.unwrap_or_else(PoisonError::into_inner);
        let newest = entries.newest.iter().rev();
        let newest = newest.filter(|entry| filter(entry)).take(count);
        let mut tail: Vec<_> = newest.cloned().collect();
        tail.reverse();
        tail
    }

    /// The oldest `count` entries that match `filter`, oldest first.
    pub(crate) fn head(&self, count: usize, filter: impl Fn(&T) -> bool) -> Vec<T> {
        let entries = self.0.entries.lock();
        let entries = entries.unwrap_or_else(PoisonError::into_inner);
        let oldest = entries.newest.iter().filter(|entry| filter(entry));
        oldest.take(count).cloned().collect()
    }

    /// A receiver of the entries from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<T> {
        self.0.followers.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entries_are_stored_and_older_ones_are_dropped() {
        let log = BoundedLog::new(3);
        let mut follower = log.follow();
        for _ in 0..5 {
            log.push(|sequence| sequence);
        }
        assert_eq!(log.tail(10, |_| true), [2, 3, 4]);
        assert_eq!(log.tail(2, |sequence| sequence % 2 == 0), [2, 4]);
        assert_eq!(log.head(2, |_| true), [2, 3]);
        assert_eq!(log.head(2, |sequence| sequence % 2 == 0), [2, 4]);
        let received: Vec<_> = std::iter::from_fn(|| follower.try_recv().ok()).collect();
        assert_eq!(received, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_follower_receives_only_entries_from_then_on() {
        let log = BoundedLog::new(3);
        log.push(|sequence| sequence);
        let mut follower = log.follow();
        log.push(|sequence| sequence);
        assert_eq!(follower.try_recv(), Ok(1));
        assert!(follower.try_recv().is_err());
    }
}
