//! Chance, from a seed: what a simulation draws, it draws here.

use std::ops::RangeInclusive;
use std::time::Duration;

use weft_membership::Random;

/// A generator for one purpose. Each purpose has its own, so that one more message does not change which
/// apps there are.
#[derive(Debug)]
pub(crate) struct Rng {
    random: Random,
}

/// What a generator is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// What there is, and what goes wrong.
    Scenario = 1,
    /// What becomes of messages.
    Network = 2,
    /// How long a host takes for what it does.
    Hosts = 3,
    /// Who calls whom.
    Calls = 4,
    /// Who deploys.
    Changes = 5,
}

impl Rng {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        // A generator's first number is well mixed, so neighbouring seeds have nothing in common.
        let mixed = Random::from_seed(seed).next_u64();
        Self {
            random: Random::from_seed(mixed ^ purpose as u64),
        }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.random.next_u64()
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u32::try_from(bound).unwrap_or(u32::MAX);
        self.random.below(bound) as usize
    }

    pub(crate) fn in_range(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// Whether something happens that does in so many of a hundred cases. Draws nothing for what never does.
    pub(crate) fn percent(&mut self, chance: u32) -> bool {
        chance > 0 && self.random.below(100) < chance
    }

    pub(crate) fn duration(&mut self, range: RangeInclusive<Duration>) -> Duration {
        let span = range.end().saturating_sub(*range.start());
        let span = u32::try_from(span.as_micros()).unwrap_or(u32::MAX);
        *range.start() + Duration::from_micros(self.random.below(span.saturating_add(1)).into())
    }

    pub(crate) fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        self.duration(Duration::from_millis(*range.start())..=Duration::from_millis(*range.end()))
    }

    /// One of these; nothing if there are none.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}
