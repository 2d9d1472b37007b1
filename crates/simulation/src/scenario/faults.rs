//! What goes wrong, and when.

use std::ops::Range;
use std::time::Duration;

use super::Site;
use crate::draw::Draw;

/// The most faults of a world: with more, one hides the other.
const FAULTS_MAX: usize = 9;

/// Something that is wrong for some time.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) begins: Duration,
    pub(crate) ends: Duration,
    pub(crate) kind: FaultKind,
}

/// What is wrong.
#[derive(Clone, Debug)]
pub(crate) enum FaultKind {
    /// Messages between all hosts are delayed, lost, doubled, or overtake each other.
    Weather(Weather),
    /// Messages from the hosts of one side to those of the other do not arrive; by host.
    OneWay { is_sender: Vec<bool> },
    /// The hosts of the two sides do not hear each other; by host.
    Partition {
        side: Vec<bool>,
        /// The bus tells who asks the other side that nobody is there.
        is_told: bool,
    },
    /// The process of a host ends without a word.
    Crash { host: usize },
    /// A host stands still, and stays subscribed.
    Hang { host: usize },
    /// The own bus of a host is lost.
    Disconnect { host: usize },
    /// A host is told to leave, leaves, and is started again.
    Drain { host: usize },
    /// All hosts of a cloud end, and what the cloud stores is away.
    LoseCloud { cloud: usize },
    /// These hosts do not reach the store; by host.
    StoreAway { from: Vec<bool> },
    /// The store is away, and comes back empty.
    StoreEmpty,
    /// The store is away, and comes back as it was earlier.
    StoreOlder,
}

/// What becomes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    pub(crate) loss_percent: u32,
    pub(crate) double_percent: u32,
    pub(crate) overtake_percent: u32,
    pub(crate) delay_max: Duration,
}

impl Weather {
    /// Nothing is wrong.
    pub(crate) const CALM: Self = Self {
        loss_percent: 0,
        double_percent: 0,
        overtake_percent: 0,
        delay_max: Duration::from_millis(4),
    };
}

/// The faults of a world.
pub(super) fn draw(draw: &mut Draw, sites: &[Site], storm: Range<Duration>) -> Vec<Fault> {
    let count = draw.among(1..=FAULTS_MAX);
    (0..count).map(|_| fault(draw, sites, &storm)).collect()
}

fn fault(draw: &mut Draw, sites: &[Site], storm: &Range<Duration>) -> Fault {
    let begins = draw.time(storm.start..=storm.end);
    // Around the times after which something is suspected, dead or frozen, and much longer.
    let lasts = match draw.below(3) {
        0 => draw.ms(100..=2_500),
        1 => draw.ms(2_500..=8_000),
        _ => draw.ms(8_000..=30_000),
    };
    Fault {
        begins,
        ends: (begins + lasts).min(storm.end),
        kind: kind(draw, sites),
    }
}

fn kind(draw: &mut Draw, sites: &[Site]) -> FaultKind {
    let host = draw.below(sites.len());
    match draw.below(20) {
        0..3 => FaultKind::Weather(weather(draw)),
        3..4 => FaultKind::OneWay {
            is_sender: side(draw, sites),
        },
        4..7 => FaultKind::Partition {
            side: side(draw, sites),
            is_told: draw.percent(50),
        },
        7..10 => FaultKind::Crash { host },
        10..12 => FaultKind::Hang { host },
        12..14 => FaultKind::Disconnect { host },
        14..15 => FaultKind::Drain { host },
        15..16 => FaultKind::LoseCloud {
            cloud: draw.below(3),
        },
        16..17 => FaultKind::StoreAway {
            from: side(draw, sites),
        },
        17..18 => FaultKind::StoreEmpty,
        _ => FaultKind::StoreOlder,
    }
}

fn weather(draw: &mut Draw) -> Weather {
    Weather {
        loss_percent: [0, 2, 10, 30][draw.below(4)],
        double_percent: [0, 5, 30][draw.below(3)],
        overtake_percent: [0, 10, 50][draw.below(3)],
        delay_max: draw.ms(5..=1_200),
    }
}

/// Two sides: a cloud and the others, or any.
fn side(draw: &mut Draw, sites: &[Site]) -> Vec<bool> {
    if draw.percent(50) {
        let cloud = draw.below(3);
        sites.iter().map(|site| site.cloud == cloud).collect()
    } else {
        sites.iter().map(|_| draw.percent(50)).collect()
    }
}
