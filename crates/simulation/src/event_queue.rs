//! The queue of future events, ordered by time; events of the same time keep the order of
//! insertion.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use weft_membership::routing::Outcome;

use crate::scenario::Change;

/// One process of a host. Its events are dropped when it ends, even if the host starts another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pub(crate) host: usize,
    /// The number of the start of the host.
    pub(crate) life: u64,
}

/// An event of a process.
#[derive(Clone, Debug)]
pub(crate) enum ProcessEvent {
    /// A heartbeat is due.
    Heartbeat,
    /// A tick of the membership is due.
    Tick,
    /// Another attempt of what failed is due.
    Retry,
    /// The watch of the store may have events.
    PollStore,
    /// The preparation of an app is complete.
    Prepared,
    /// A message arrives.
    Delivery(Message),
    /// The run of a call is complete.
    CallDone(Request),
    /// The wait for an answer ends.
    TimedOut { call: u64, attempt: usize },
    /// The host has drained and leaves.
    Leave,
}

/// An event of the world.
#[derive(Clone, Debug)]
pub(crate) enum WorldEvent {
    Process(ProcessId, ProcessEvent),
    /// A fault begins or ends.
    FaultsChange,
    /// The first start of a host is due.
    HostStart,
    /// An operator changes the desired state.
    Change(Change),
    /// A host makes a call.
    Call,
    /// A snapshot of the store is due, for faults that bring back an older content.
    Snapshot,
    /// A check for convergence is due.
    CheckConvergence,
}

/// A message to a host.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) from: ProcessId,
    pub(crate) payload: Payload,
}

/// The content of a message.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// A message of the membership, encoded, with the parts that the checks need.
    Lattice {
        bytes: Arc<[u8]>,
        is_heartbeat: bool,
        sequence: u64,
    },
    Request(Request),
    Reply {
        request: Request,
        outcome: Outcome,
    },
}

/// One attempt of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) call: u64,
    pub(crate) attempt: usize,
    pub(crate) caller: ProcessId,
}

/// All future events.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    entries: BinaryHeap<Reverse<Entry>>,
    next_number: u64,
}

#[derive(Debug)]
struct Entry {
    due: Duration,
    number: u64,
    event: WorldEvent,
}

impl EventQueue {
    pub(crate) fn push(&mut self, due: Duration, event: WorldEvent) {
        self.next_number += 1;
        let number = self.next_number;
        self.entries.push(Reverse(Entry { due, number, event }));
    }

    /// Removes the next event, with its time.
    pub(crate) fn pop(&mut self) -> Option<(Duration, WorldEvent)> {
        let Reverse(entry) = self.entries.pop()?;
        Some((entry.due, entry.event))
    }
}

impl Entry {
    fn order(&self) -> (Duration, u64) {
        (self.due, self.number)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}
