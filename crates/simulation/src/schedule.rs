//! The future events of a world, ordered by time; events of the same time keep the order of
//! insertion.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::scenario::Change;

/// An event of the world.
#[derive(Clone, Debug)]
pub(crate) enum WorldEvent {
    /// A fault begins or ends, or the first start of a host is due.
    FaultsChange,
    /// A bucket that came back is available to another host.
    BucketReturns,
    /// An operator changes the desired state.
    Change(Change),
    /// A host makes a call.
    Call,
    /// A snapshot of the bucket is due, for faults that bring back an older content.
    Snapshot,
    /// A check for convergence is due.
    CheckConvergence,
}

/// All future events.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    events: BTreeMap<(Duration, u64), WorldEvent>,
    next_number: u64,
}

impl Schedule {
    pub(crate) fn push(&mut self, due: Duration, event: WorldEvent) {
        self.next_number += 1;
        self.events.insert((due, self.next_number), event);
    }

    /// Removes the next event, with its time.
    pub(crate) fn pop(&mut self) -> Option<(Duration, WorldEvent)> {
        let ((due, _), event) = self.events.pop_first()?;
        Some((due, event))
    }
}
