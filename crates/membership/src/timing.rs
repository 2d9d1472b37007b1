//! Times and limits of membership, with their reasons. Tests and `docs/lattice.md` depend on them.

use std::time::Duration;

/// Interval of heartbeats. A heartbeat has less than a hundred bytes, so a thousand hosts send a
/// host less than a hundred kilobytes a second, which is negligible for a bus.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// Interval of [`tick`](super::Membership::tick), which delays the detection of a dead host by at
/// most this time. A tick over a thousand hosts takes some hundred microseconds.
pub const TICK_EVERY: Duration = Duration::from_millis(250);

/// Number of consecutive missed heartbeats after which a host is dead. One is lost now and then,
/// and two with a busy network or a paused machine.
pub const HEARTBEATS_MISSED: u32 = 3;

/// Silence after which a host is dead: the last of the missed heartbeats was due by then.
pub const DEAD_AFTER: Duration = HEARTBEAT_EVERY.saturating_mul(HEARTBEATS_MISSED);

/// Silence after which a host is suspected, and calls prefer its siblings: one heartbeat is
/// missing, and late by half an interval. A false suspicion only costs calls to a more distant
/// host.
pub const SUSPECT_AFTER: Duration = Duration::from_millis(1_500);

/// Time without changes after a host's own connection is restored. Other hosts were cut off too and
/// reconnect with jitter; then each has [`DEAD_AFTER`] to send a heartbeat, with time to spare.
pub const SETTLE_AFTER_RETURN: Duration = Duration::from_secs(5);

// A host without a heartbeat at the end of it is dead, so live hosts need time for one.
const _: () = assert!(SETTLE_AFTER_RETURN.as_millis() > DEAD_AFTER.as_millis());

/// Time without changes after the first connection: every live host sends a heartbeat within an
/// interval. A starting host runs nothing yet that could be moved too soon, so it waits no longer.
pub const SETTLE_AFTER_START: Duration = SUSPECT_AFTER;

/// Shortest time without activity after which this host counts as stalled (suspended, swapped out,
/// starved), and may have missed messages itself. Together with the interval before and a late
/// heartbeat after it this is less than [`DEAD_AFTER`], so a shorter pause declares no host dead.
pub const STALL_MIN: Duration = Duration::from_millis(1_500);

/// Time within which outages of a host count together: longer than one round of a crash loop with
/// the usual back-off.
pub const FLAP_WINDOW: Duration = Duration::from_secs(600);

/// Number of outages within the window without damping: a host that crashed once, or is updated,
/// gets work again at once.
pub const FLAPS_FREE: usize = 1;

/// Damping after the first outage over [`FLAPS_FREE`]; doubles with each further one.
pub const DAMPING_FIRST: Duration = Duration::from_secs(10);

/// Longest damping. A host that is stable for longer is worth its capacity.
pub const DAMPING_MAX: Duration = Duration::from_secs(120);

/// Number of recorded outages: with that many, damping is at its longest.
pub const OUTAGES_MAX: usize = 8;

/// Time for which a dead host is remembered: long enough to be listed by `weft get hosts` after an
/// incident, and to recognize replayed heartbeats as old.
pub const FORGET_AFTER: Duration = Duration::from_secs(3_600);

/// Time for which a dead host is remembered of which no inventory has arrived: such heartbeats are
/// mostly replayed or forged, as a host sends its inventory with its first one.
pub const FORGET_UNKNOWN_AFTER: Duration = Duration::from_secs(30);

/// Maximum number of dead hosts: all hosts of the largest lattice that placement is measured with.
pub const DEAD_HOSTS_MAX: usize = 1_024;

/// Maximum number of hosts: four times the largest lattice that placement is measured with.
pub const HOSTS_MAX: usize = 4_096;

/// Maximum number of components over all inventories, at some hundred bytes each: several times ten
/// thousand components with three replicas in two revisions.
pub const HOSTED_COMPONENTS_MAX: usize = 500_000;

/// Time for which an inventory may be behind its hash before it is requested: both were sent at
/// once, over different connections.
pub const REQUEST_AFTER: Duration = Duration::from_millis(500);

/// Time after which an inventory request is repeated.
pub const REQUEST_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Time after which a refutation is repeated: a host whose incarnation went back sends a heartbeat
/// each second, and every other host refutes it.
pub const REFUTE_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Maximum number of refutations in one tick: as many hosts as are restored from backups at once.
pub const REFUTATIONS_MAX: usize = 64;

/// Maximum number of inventory requests in one tick, so that a host that joins a large lattice is
/// not flooded with replies: requests to a thousand hosts take four seconds.
pub const INVENTORY_REQUESTS_MAX: usize = 64;
