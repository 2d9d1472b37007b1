//! The network between hosts: delay, loss, duplication, reordering, and partitions.
//!
//! It imitates `weft_bus::local` with the simulation's own event queue instead of tasks: a hundred
//! hosts send ten thousand heartbeats a second, and a subscription, a task and a timer for each
//! would be most of the work. The guarantees of a bus hold: order by sender unless a fault reorders
//! messages, and no message twice to one subscriber. Heartbeats and inventories are duplicated all
//! the same, because a replay is hostile input that hosts have to withstand; calls are not.

use std::time::Duration;

use crate::rng::{Purpose, Rng};
use crate::scenario::{FaultKind, MessageFaults, Site};

/// The shortest delay of a message.
const DELAY_MIN: Duration = Duration::from_micros(200);

/// The additional delay between two clouds: about that of a transatlantic line.
const BETWEEN_CLOUDS: Duration = Duration::from_millis(40);

/// The network between all hosts.
#[derive(Debug)]
pub(crate) struct Network {
    rng: Rng,
    clouds: Vec<usize>,
    message_faults: MessageFaults,
    /// The active partitions.
    cuts: Vec<Cut>,
    /// The arrival of the last message in order, by pair of hosts.
    last_due: Vec<Duration>,
}

/// A partition in one or both directions.
#[derive(Debug)]
struct Cut {
    side: Vec<bool>,
    is_one_way: bool,
    reports_no_responders: bool,
}

/// The reachability of one host from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reachability {
    Reachable,
    /// Messages are lost.
    Lost,
    /// Messages are lost, and the bus reports that the subject has no subscriber.
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

    /// Applies the active faults.
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

    /// The arrival times of the copies of a message to a reachable host.
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
