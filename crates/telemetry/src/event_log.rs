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

    /// The bytes of the entry's text, about.
    fn bytes(&self) -> usize;
}

/// The newest entries, up to a number of entries and of bytes. Cheap to clone.
#[derive(Debug)]
pub(crate) struct BoundedLog<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    capacity: Capacity,
    entries: Mutex<Entries<T>>,
    followers: broadcast::Sender<T>,
}

/// The most that a log stores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    pub(crate) entries: usize,
    /// The sum of [`Numbered::bytes`]. The newest entry is stored in any case.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct Entries<T> {
    next_sequence: u64,
    bytes: usize,
    newest: VecDeque<T>,
}

impl<T> Clone for BoundedLog<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone + Numbered> BoundedLog<T> {
    /// An empty log for at most `capacity`.
    pub(crate) fn new(capacity: Capacity) -> Self {
        let (followers, _) = broadcast::channel(FOLLOWER_LAG_MAX);
        let entries = Mutex::new(Entries {
            next_sequence: 0,
            bytes: 0,
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
        entries.append(entry.clone(), self.0.capacity);
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

impl<T: Numbered> Entries<T> {
    /// Appends an entry, in place of the oldest ones if the log is full.
    fn append(&mut self, entry: T, capacity: Capacity) {
        self.bytes += entry.bytes();
        while self.newest.len() >= capacity.entries || self.bytes > capacity.bytes {
            let Some(oldest) = self.newest.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes();
        }
        self.newest.push_back(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry of that many bytes.
    impl Numbered for u64 {
        fn sequence(&self) -> u64 {
            *self
        }

        fn bytes(&self) -> usize {
            usize::try_from(*self).unwrap()
        }
    }

    /// Three entries of any size.
    const THREE: Capacity = Capacity {
        entries: 3,
        bytes: usize::MAX,
    };

    #[test]
    fn the_oldest_entries_give_way_to_the_bytes_of_new_ones() {
        let log = BoundedLog::new(Capacity {
            entries: 100,
            bytes: 10,
        });
        for _ in 0..6 {
            log.push(|sequence| sequence);
        }
        assert_eq!(log.tail(10, |_| true), [4, 5]);
        log.push(|_| 50);
        assert_eq!(log.tail(10, |_| true), [50]);
        log.push(|_| 3);
        assert_eq!(log.tail(10, |_| true), [3]);
    }

    #[test]
    fn the_newest_entries_are_stored_and_older_ones_are_dropped() {
        let log = BoundedLog::new(THREE);
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
        let log = BoundedLog::new(THREE);
        log.push(|sequence| sequence);
        let mut follower = log.follow();
        log.push(|sequence| sequence);
        assert_eq!(follower.try_recv(), Ok(1));
        assert!(follower.try_recv().is_err());
    }
}
