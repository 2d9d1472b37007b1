//! Messages that come a second time: a bus that repeats one, or someone who does, must not have a call run
//! twice.
//!
//! What tells a message from all others is where its answer goes: no host ever waits there twice. Someone who
//! can write another such place is not found out here, but by the frame's authenticator.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use weft_bus::Subject;

/// How many messages are remembered at least: at a hundred thousand a second those of the last second, in
/// which a bus would repeat one, and some two megabytes.
const REMEMBERED_MIN: usize = 100_000;

/// The messages that were there, the last ones of them.
#[derive(Debug, Default)]
pub(super) struct Dedup {
    /// Keyed anew in each process, so that nobody can choose subjects that look alike.
    hasher: RandomState,
    current: HashSet<u64>,
    previous: HashSet<u64>,
}

impl Dedup {
    /// Takes note of a message by where its answer goes. Says whether it is the first one with that.
    pub(super) fn is_first(&mut self, reply: &Subject) -> bool {
        let hash = self.hasher.hash_one(reply.as_str());
        if self.previous.contains(&hash) || !self.current.insert(hash) {
            return false;
        }
        if self.current.len() >= REMEMBERED_MIN {
            self.previous = std::mem::take(&mut self.current);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use weft_bus::Scope;

    use super::*;

    #[test]
    fn a_message_is_the_first_one_once_and_forgotten_in_time() {
        let scope = Scope::new("test").unwrap();
        let subject = |number: usize| scope.subject(&["reply", &number.to_string()]).unwrap();
        let mut dedup = Dedup::default();
        for number in 0..REMEMBERED_MIN {
            assert!(dedup.is_first(&subject(number)), "{number}");
        }
        for number in [0, REMEMBERED_MIN / 2, REMEMBERED_MIN - 1] {
            assert!(!dedup.is_first(&subject(number)), "{number}");
        }
        for number in REMEMBERED_MIN..3 * REMEMBERED_MIN {
            assert!(dedup.is_first(&subject(number)), "{number}");
        }
        assert!(dedup.is_first(&subject(0)), "it was long ago");
    }
}
