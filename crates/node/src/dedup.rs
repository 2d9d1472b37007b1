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
const REMEMBERED: usize = 100_000;

/// The messages that were there, the last ones of them.
#[derive(Debug, Default)]
pub(super) struct Replays {
    /// Keyed anew in each process, so that nobody can choose subjects that look alike.
    hasher: RandomState,
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Replays {
    /// Takes note of a message by where its answer goes. Says whether it is the first one with that.
    pub(super) fn is_first(&mut self, reply: &Subject) -> bool {
        let mark = self.hasher.hash_one(reply.as_str());
        if self.old.contains(&mark) || !self.young.insert(mark) {
            return false;
        }
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
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
        let mut replays = Replays::default();
        for number in 0..REMEMBERED {
            assert!(replays.is_first(&subject(number)), "{number}");
        }
        for number in [0, REMEMBERED / 2, REMEMBERED - 1] {
            assert!(!replays.is_first(&subject(number)), "{number}");
        }
        for number in REMEMBERED..3 * REMEMBERED {
            assert!(replays.is_first(&subject(number)), "{number}");
        }
        assert!(replays.is_first(&subject(0)), "it was long ago");
    }
}
