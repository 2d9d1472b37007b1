//! What is to happen, in the order of time; of what is due at one time, the first that was put in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use weft_membership::routing::Outcome;

use crate::scenario::Change;

/// A process of a host, which the event is for and nobody after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId {
    /// Which host.
    pub(crate) host: usize,
    /// Which of its lives.
    pub(crate) life: u64,
}

/// Something that happens to a process.
#[derive(Clone, Debug)]
pub(crate) enum ProcessEvent {
    /// It is to say that it lives.
    Heartbeat,
    /// It is to draw its conclusions.
    Tick,
    /// What could not be done is tried again.
    Retry,
    /// The store has news, perhaps.
    PollStore,
    /// What it prepared for an app is ready.
    Prepared,
    /// A message arrives.
    Delivery(Message),
    /// A call has run.
    CallDone(Request),
    /// An answer is not waited for any more.
    TimedOut { call: u64, attempt: usize },
    /// It has drained, and leaves.
    Leave,
}

/// What happens in the world.
#[derive(Clone, Debug)]
pub(crate) enum WorldEvent {
    Process(ProcessId, ProcessEvent),
    /// Something is wrong from now on, or not any more.
    FaultsChange,
    /// A host is started for the first time.
    HostStart,
    /// Somebody changes what is wanted.
    Change(Change),
    /// Somebody calls.
    Call,
    /// The store's content is kept, to come back later.
    Snapshot,
    /// Whether all is as it has to be is looked at.
    CheckConvergence,
}

/// A message to a host.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) from: ProcessId,
    pub(crate) payload: Payload,
}

/// What is in a message.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// What hosts tell each other of themselves, encoded; with what the simulation knows of it.
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

/// One sending of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) call: u64,
    pub(crate) attempt: usize,
    pub(crate) caller: ProcessId,
}

/// All that is to happen.
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

    /// What happens next, and when.
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
