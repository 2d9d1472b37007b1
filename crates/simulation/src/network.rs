//! What lies between hosts: delay, loss, doubling, overtaking, and cuts.
//!
//! It does what `weft_bus::local` does, with a queue that the simulation owns instead of tasks: a
//! hundred hosts send ten thousand heartbeats a second, and a subscription, a task and a timer for each would
//! be most of the work. What a bus promises holds: order by sender unless a message may overtake, and no
//! message twice to one subscriber. Heartbeats and inventories do come twice all the same, because a
//! replay is hostile input that hosts have to bear; calls do not.

use std::time::Duration;

use crate::rng::{Purpose, Rng};
use crate::scenario::{FaultKind, MessageFaults, Site};

/// How long a message takes at least.
const DELAY_MIN: Duration = Duration::from_micros(200);

/// How much longer it takes from one cloud to another: about as long as across an ocean.
const BETWEEN_CLOUDS: Duration = Duration::from_millis(40);

/// The way from any host to any other.
#[derive(Debug)]
pub(crate) struct Network {
    rng: Rng,
    clouds: Vec<usize>,
    message_faults: MessageFaults,
    /// The cuts there are.
    cuts: Vec<Cut>,
    /// When the last message from one host to another that keeps its order arrives.
    last_due: Vec<Duration>,
}

/// Some hosts do not reach others.
#[derive(Debug)]
struct Cut {
    side: Vec<bool>,
    is_one_way: bool,
    reports_no_responders: bool,
}

/// Whether a message gets from one host to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reachability {
    Reachable,
    /// It is lost.
    Lost,
    /// It is lost, and the bus says that nobody is there.
    NoResponders,
}

impl Network {
    pub(crate) fn new(seed: u64, sites: &[Site]) -> Self {
        Self {
            rng: Rng::new(seed, Purpose::Network),
            clouds: sites.iter().map(|site| site.cloud).collect(),
            message_faults: MessageFaults::NONE,
            cuts: Vec::new(),
            last_due: vec![Duration::ZERO; sites.len() * sites.len()],
        }
    }

    /// Takes note of what is wrong now.
    pub(crate) fn set_faults<'a>(&mut self, faults: impl Iterator<Item = &'a FaultKind>) {
        self.message_faults = MessageFaults::NONE;
        self.cuts.clear();
        for fault in faults {
            match fault {
                FaultKind::MessageFaults(message_faults) => self.message_faults = *message_faults,
                FaultKind::OneWay { is_sender } => self.cuts.push(Cut {
                    side: is_sender.clone(),
                    is_one_way: true,
                    reports_no_responders: false,
                }),
                FaultKind::Partition {
                    side,
                    reports_no_responders,
                } => self.cuts.push(Cut {
                    side: side.clone(),
                    is_one_way: false,
                    reports_no_responders: *reports_no_responders,
                }),
                FaultKind::Crash { .. }
                | FaultKind::Hang { .. }
                | FaultKind::Disconnect { .. }
                | FaultKind::Drain { .. }
                | FaultKind::LoseCloud { .. }
                | FaultKind::StoreAway { .. }
                | FaultKind::StoreEmpty
                | FaultKind::StoreOlder => {}
            }
        }
    }

    pub(crate) fn reachability(&self, from: usize, to: usize) -> Reachability {
        let cuts = |cut: &&Cut| {
            let sides = (cut.side[from], cut.side[to]);
            if cut.is_one_way {
                sides == (true, false)
            } else {
                sides.0 != sides.1
            }
        };
        match self.cuts.iter().find(cuts) {
            None => Reachability::Reachable,
            Some(cut) if cut.reports_no_responders => Reachability::NoResponders,
            Some(_) => Reachability::Lost,
        }
    }

    /// When the copies of a message arrive, if the way is open.
    pub(crate) fn copies(
        &mut self,
        now: Duration,
        from: usize,
        to: usize,
        may_duplicate: bool,
    ) -> impl Iterator<Item = Duration> + use<> {
        let mut copies = [None; 2];
        if !self.rng.percent(self.message_faults.loss_percent) {
            copies[0] = Some(self.due(now, from, to));
            if may_duplicate && self.rng.percent(self.message_faults.duplicate_percent) {
                copies[1] = Some(self.due(now, from, to));
            }
        }
        copies.into_iter().flatten()
    }

    fn due(&mut self, now: Duration, from: usize, to: usize) -> Duration {
        let far = self.clouds[from] != self.clouds[to];
        let least = if far { BETWEEN_CLOUDS } else { DELAY_MIN };
        let due = now
            + self
                .rng
                .duration(least..=least + self.message_faults.delay_max);
        if self.rng.percent(self.message_faults.reorder_percent) {
            return due;
        }
        let last = &mut self.last_due[from * self.clouds.len() + to];
        *last = due.max(*last);
        *last
    }
}
