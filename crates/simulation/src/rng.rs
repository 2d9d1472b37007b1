//! Random numbers from the seed. All randomness of a simulation comes from here.

use std::ops::RangeInclusive;
use std::time::Duration;

use weft_membership::Random;

/// A generator for one purpose. Each purpose has its own, so that an additional message does not
/// change the generated apps.
#[derive(Debug)]
pub(crate) struct Rng {
    random: Random,
}

/// The purpose of a generator.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The hosts, apps and faults.
    Scenario = 1,
    /// The fate of messages.
    Network = 2,
    /// The durations of a host's actions.
    Hosts = 3,
    /// The calls, with callers and targets.
    Calls = 4,
    /// The hosts that take changes.
    Changes = 5,
    /// The snapshots of the bucket that come back.
    Faults = 6,
    /// The random choices of a host.
    Choices = 7,
}

impl Rng {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        // The first number of a generator is well mixed, so neighbouring seeds are unrelated.
        let mixed = Random::from_seed(seed).next_u64();
        Self {
            random: Random::from_seed(mixed ^ purpose as u64),
        }
    }

    /// A generator for a process of a host.
    pub(crate) fn of_host(seed: u64, purpose: Purpose, host: usize, life: u64) -> Self {
        let mut of_purpose = Self::new(seed, purpose);
        let seed = of_purpose.next_u64() ^ (((host as u64) << 32) | life);
        Self::new(seed, purpose)
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

    /// True in `chance` of a hundred cases. Uses no number for a chance of zero.
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

    /// One of these; `None` if the slice is empty.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}
