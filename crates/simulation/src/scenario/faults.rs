//! The schedule of faults.

use std::ops::Range;
use std::time::Duration;

use super::Site;
use crate::rng::Rng;

/// The most faults of a world: more of them would hide each other.
const FAULTS_MAX: usize = 9;

/// A fault with its duration.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) begins: Duration,
    pub(crate) ends: Duration,
    pub(crate) kind: FaultKind,
}

/// The kinds of faults.
#[derive(Clone, Debug)]
pub(crate) enum FaultKind {
    /// Messages between all hosts are delayed, lost, duplicated or reordered.
    MessageFaults(MessageFaults),
    /// Messages from the hosts of one side to those of the other are lost; by host.
    OneWay { is_sender: Vec<bool> },
    /// Messages between two sides are lost in both directions; by host.
    Partition {
        side: Vec<bool>,
        /// The bus reports to a sender that the other side has no subscriber.
        reports_no_responders: bool,
    },
    /// The process of a host exits without sending anything.
    Crash { host: usize },
    /// A host hangs, and stays subscribed.
    Hang { host: usize },
    /// A host loses its own bus.
    Disconnect { host: usize },
    /// A host drains, leaves, and is started again.
    Drain { host: usize },
    /// The process of a host exits, and starts again on an older disk.
    Restore { host: usize },
    /// A second process with a host's identity runs on a copy of its disk.
    Twin {
        host: usize,
        /// The second process has the later incarnation; otherwise the earlier one.
        is_later: bool,
    },
    /// All hosts of a cloud crash, and the stores of the cloud are unavailable.
    LoseCloud { cloud: usize },
    /// The store is unavailable to these hosts; by host.
    StoreAway { from: Vec<bool> },
    /// The store is unavailable, and comes back empty.
    StoreEmpty,
    /// The store is unavailable, and comes back with an older content.
    StoreOlder,
}

/// The faults of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageFaults {
    pub(crate) loss_percent: u32,
    pub(crate) duplicate_percent: u32,
    pub(crate) reorder_percent: u32,
    pub(crate) delay_max: Duration,
}

impl MessageFaults {
    /// No faults.
    pub(crate) const NONE: Self = Self {
        loss_percent: 0,
        duplicate_percent: 0,
        reorder_percent: 0,
        delay_max: Duration::from_millis(4),
    };
}

/// Generates the faults of a world.
pub(super) fn generate(rng: &mut Rng, sites: &[Site], window: Range<Duration>) -> Vec<Fault> {
    let count = rng.in_range(1..=FAULTS_MAX);
    (0..count).map(|_| fault(rng, sites, &window)).collect()
}

fn fault(rng: &mut Rng, sites: &[Site], window: &Range<Duration>) -> Fault {
    let begins = rng.duration(window.start..=window.end);
    // Around the times after which a host is suspected, dead or frozen, and much longer.
    let lasts = match rng.below(3) {
        0 => rng.millis(100..=2_500),
        1 => rng.millis(2_500..=8_000),
        _ => rng.millis(8_000..=30_000),
    };
    Fault {
        begins,
        ends: (begins + lasts).min(window.end),
        kind: kind(rng, sites),
    }
}

fn kind(rng: &mut Rng, sites: &[Site]) -> FaultKind {
    let host = rng.below(sites.len());
    match rng.below(24) {
        0..3 => FaultKind::MessageFaults(message_faults(rng)),
        3..4 => FaultKind::OneWay {
            is_sender: side(rng, sites),
        },
        4..7 => FaultKind::Partition {
            side: side(rng, sites),
            reports_no_responders: rng.percent(50),
        },
        7..10 => FaultKind::Crash { host },
        10..12 => FaultKind::Hang { host },
        12..14 => FaultKind::Disconnect { host },
        14..15 => FaultKind::Drain { host },
        15..16 => FaultKind::LoseCloud {
            cloud: rng.below(3),
        },
        16..17 => FaultKind::StoreAway {
            from: side(rng, sites),
        },
        17..18 => FaultKind::StoreEmpty,
        18..20 => FaultKind::StoreOlder,
        20..22 => FaultKind::Restore { host },
        _ => FaultKind::Twin {
            host,
            is_later: rng.percent(50),
        },
    }
}

fn message_faults(rng: &mut Rng) -> MessageFaults {
    MessageFaults {
        loss_percent: [0, 2, 10, 30][rng.below(4)],
        duplicate_percent: [0, 5, 30][rng.below(3)],
        reorder_percent: [0, 10, 50][rng.below(3)],
        delay_max: rng.millis(5..=1_200),
    }
}

/// Two sides: one cloud against the others, or arbitrary hosts.
fn side(rng: &mut Rng, sites: &[Site]) -> Vec<bool> {
    if rng.percent(50) {
        let cloud = rng.below(3);
        sites.iter().map(|site| site.cloud == cloud).collect()
    } else {
        sites.iter().map(|_| rng.percent(50)).collect()
    }
}
