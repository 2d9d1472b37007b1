//! Injected faults between hosts, driven by a generator that the caller seeds.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Source of randomness: each call returns 64 random bits.
pub type RandomSource = Box<dyn FnMut() -> u64 + Send>;

/// Faults of messages in transit. Probabilities are between 0 (never) and 1 (always).
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// Range of the delay of a message.
    pub delay: RangeInclusive<Duration>,
    /// Probability that a message is lost.
    pub loss: f64,
    /// Probability that a message is delivered twice, each copy with its own delay.
    pub duplication: f64,
    /// Probability that a message does not wait for earlier ones, and overtakes them with a shorter
    /// delay. All others stay in order.
    pub reordering: f64,
}

impl Default for Faults {
    /// No faults.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO..=Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
        }
    }
}

/// The faults of a network.
pub(super) struct FaultPlan {
    random: RandomSource,
    default: Faults,
    /// The numbers of hosts, by name.
    hosts: HashMap<String, HostNumber>,
    between: HashMap<(HostNumber, HostNumber), Faults>,
    /// The group of each host during a partition.
    groups: HashMap<HostNumber, usize>,
}

/// A host of the network; endpoints of the same name share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HostNumber(usize);

/// Delay and order of one copy of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arrival {
    pub(super) delay: Duration,
    pub(super) order: Order,
}

impl Arrival {
    /// Delivered at once, in order.
    pub(super) const IMMEDIATE: Self = Self {
        delay: Duration::ZERO,
        order: Order::Fifo,
    };
}

/// Order of a message relative to earlier ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    Fifo,
    Any,
}

impl FaultPlan {
    pub(super) fn new(random: RandomSource) -> Self {
        Self {
            random,
            default: Faults::default(),
            hosts: HashMap::new(),
            between: HashMap::new(),
            groups: HashMap::new(),
        }
    }

    pub(super) fn set_default(&mut self, faults: Faults) {
        self.default = faults;
    }

    pub(super) fn set_between(&mut self, from: &str, to: &str, faults: Faults) {
        let pair = (self.number(from), self.number(to));
        self.between.insert(pair, faults);
    }

    /// The number of a host, which may not have joined yet.
    pub(super) fn number(&mut self, name: &str) -> HostNumber {
        if let Some(number) = self.hosts.get(name) {
            return *number;
        }
        let number = HostNumber(self.hosts.len());
        self.hosts.insert(name.to_owned(), number);
        number
    }

    pub(super) fn partition(&mut self, groups: &[&[&str]]) {
        self.groups.clear();
        for (group, names) in groups.iter().enumerate() {
            for name in *names {
                let number = self.number(name);
                self.groups.insert(number, group);
            }
        }
    }

    pub(super) fn heal(&mut self) {
        self.default = Faults::default();
        self.between.clear();
        self.groups.clear();
    }

    /// True if no partition separates the hosts.
    pub(super) fn are_connected(&self, one: HostNumber, other: HostNumber) -> bool {
        self.groups.get(&one) == self.groups.get(&other)
    }

    /// The copies of a message that arrive, in the order they are sent.
    pub(super) fn copies(
        &mut self,
        from: HostNumber,
        to: HostNumber,
    ) -> impl Iterator<Item = Arrival> + use<> {
        let faults = self.faults_between(from, to);
        let mut copies = [None; 2];
        if !self.occurs(faults.loss) {
            copies[0] = Some(self.copy(&faults));
            if self.occurs(faults.duplication) {
                copies[1] = Some(self.copy(&faults));
            }
        }
        copies.into_iter().flatten()
    }

    fn faults_between(&self, from: HostNumber, to: HostNumber) -> Faults {
        let between = self.between.get(&(from, to));
        between.unwrap_or(&self.default).clone()
    }

    fn copy(&mut self, faults: &Faults) -> Arrival {
        let (least, most) = (*faults.delay.start(), *faults.delay.end());
        let span = most.saturating_sub(least);
        let delay = if span.is_zero() {
            least
        } else {
            least + span.mul_f64(self.unit_random())
        };
        let order = if self.occurs(faults.reordering) {
            Order::Any
        } else {
            Order::Fifo
        };
        Arrival { delay, order }
    }

    /// Draws a random number only if it matters, so that a disabled fault does not change the
    /// others.
    fn occurs(&mut self, chance: f64) -> bool {
        chance > 0.0 && (chance >= 1.0 || self.unit_random() < chance)
    }

    /// A number between 0 and 1, with the 53 bits of a float.
    fn unit_random(&mut self) -> f64 {
        let bits = (self.random)() >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}

/// A default generator: SplitMix64 with its published constants.
pub(super) fn seeded(seed: u64) -> RandomSource {
    let mut state = seed;
    Box::new(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}
