//! Drops messages that are delivered twice: a bus or an attacker that repeats a message must not
//! have a call run twice.
//!
//! The reply subject identifies a message, because no host uses one twice. A repeated message with
//! another reply subject is detected by the frame's authenticator, not here.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use weft_bus::Subject;

/// The least number of messages that are remembered: those of the last second at a hundred thousand
/// a second, in which a bus would repeat one. They take some two megabytes.
const REMEMBERED_MIN: usize = 100_000;

/// The reply subjects of the latest messages, as hashes in two generations.
#[derive(Debug, Default)]
pub(super) struct Dedup {
    /// Keyed in each process, so that an attacker cannot choose subjects that collide.
    hasher: RandomState,
    current: HashSet<u64>,
    previous: HashSet<u64>,
}

impl Dedup {
    /// Records a message by its reply subject. Returns whether it is the first with that subject.
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
    fn a_message_is_first_once_and_forgotten_in_time() {
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
        assert!(dedup.is_first(&subject(0)), "the subject is forgotten");
    }
}
