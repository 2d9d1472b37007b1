//! The times and counts of membership, each with its reason. Tests and `docs/lattice.md` lean on them.

use std::time::Duration;

/// How often a host says that it lives. A heartbeat is less than a hundred bytes, so a host hears less than a
/// hundred kilobytes a second from a thousand others: nothing that a bus notices, and soon enough to miss one.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// How often [`tick`](super::Membership::tick) is due: late by so much at most, a dead host is seen to be
/// dead. A tick over a thousand hosts takes some hundred microseconds.
pub const TICK_EVERY: Duration = Duration::from_millis(250);

/// After how many heartbeats in a row that did not come a host is dead. One is lost now and then, and two
/// with a busy network or a paused machine.
pub const HEARTBEATS_MISSED: u32 = 3;

/// After how long a silence a host is dead. The last of the heartbeats that it missed was due by then.
pub const DEAD_AFTER: Duration = HEARTBEAT_EVERY.saturating_mul(HEARTBEATS_MISSED);

/// After how long a silence a host is suspected, and calls prefer its siblings: one heartbeat has not come,
/// and it is not merely late by some of an interval. Being wrong costs a longer way, nothing else.
pub const SUSPECT_AFTER: Duration = Duration::from_millis(1_500);

/// For how long a host changes nothing after its own connection came back. Others were cut off too, and
/// reconnect with jitter; then each is given [`DEAD_AFTER`] to be heard again, with time to spare.
pub const SETTLE_AFTER_RETURN: Duration = Duration::from_secs(5);

// Who is not heard again by the end of it is dead then, and whoever lives is not.
const _: () = assert!(SETTLE_AFTER_RETURN.as_millis() > DEAD_AFTER.as_millis());

/// For how long a host only listens after its first connection: everyone who lives is heard once within an
/// interval. It holds nothing yet that could be moved too soon, so it waits no longer.
pub const SETTLE_AFTER_START: Duration = SUSPECT_AFTER;

/// How long a host must have done nothing at all to take it for stopped (suspended, swapped out, starved):
/// what it did not hear then, it may have missed itself. With the interval before and a late heartbeat after
/// it this is less than [`DEAD_AFTER`], so nobody is dead by a shorter pause.
pub const STALL_MIN: Duration = Duration::from_millis(1_500);

/// Within which time outages of a host count together: longer than a crash loop with the usual back-off
/// takes from start to start.
pub const FLAP_WINDOW: Duration = Duration::from_secs(600);

/// How many outages within the window are free: a host that crashed once, or is updated, gets its work back
/// at once.
pub const FLAPS_FREE: usize = 1;

/// For how long a host has to be steady after the first outage that is not free; twice as long with each
/// further one.
pub const DAMPING_FIRST: Duration = Duration::from_secs(10);

/// For how long it has to be steady at most. What is steadier than that is worth its capacity.
pub const DAMPING_MAX: Duration = Duration::from_secs(120);

/// How many outages are remembered: with so many, damping is at its longest.
pub const OUTAGES_MAX: usize = 8;

/// How long a dead host is remembered: long enough to be seen in `weft get hosts` after an incident, and for
/// old heartbeats that are sent again to be known as old.
pub const FORGET_AFTER: Duration = Duration::from_secs(3_600);

/// The most hosts that are remembered: four times the largest lattice that placement is measured with.
pub const HOSTS_MAX: usize = 4_096;

/// The most components that are remembered over all inventories, at some hundred bytes each: several times
/// ten thousand components with three replicas in two revisions.
pub const HOLDINGS_MAX: usize = 500_000;

/// How long an inventory may be behind its hash before it is asked for: both were sent at once, and come
/// over different connections.
pub const ASK_AFTER: Duration = Duration::from_millis(500);

/// How long after asking for an inventory it is asked for again.
pub const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// For how many inventories a host asks in one tick, so that one which joins a large lattice is not buried
/// under the answers: a thousand hosts are asked within four seconds.
pub const ASKS_MAX: usize = 64;
