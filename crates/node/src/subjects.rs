//! The subjects of a lattice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;
use weft_bus::{Part, Pattern, Scope, Subject, SubjectError};
use weft_membership::HostId;

/// Heartbeats, by sending host.
const HEARTBEATS: &str = "heartbeats";
/// Inventories, by sending host.
const INVENTORIES: &str = "inventories";
/// Requests for an inventory, by receiving host.
const INVENTORY_REQUESTS: &str = "asks";
/// Last heartbeats that other hosts know of a host, by that host.
const REFUTATIONS: &str = "refutations";
/// Calls over links, by receiving host and its incarnation.
const CALLS: &str = "calls";
/// Requests for parts of large frames, by storing host and its incarnation.
const CLAIMS: &str = "held";

/// Requests for records and artifacts, by receiving host.
const PEER_REQUESTS: &str = "questions";

/// Frames of channels, by receiving host, its incarnation, token and end.
const CHANNELS: &str = "lines";

/// The most hosts with a cached call subject: more than a lattice usually has, and a megabyte.
const CACHED_SUBJECTS_MAX: usize = 4_096;

/// The incarnation of each host, by its last heartbeat.
pub(super) type Incarnations = BTreeMap<HostId, u64>;

/// The incarnation that no process has: a message to it has no subscriber.
const INCARNATION_UNKNOWN: u64 = 0;

/// One of the two ends of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelEnd {
    /// The end of the host that opened the channel.
    Caller,
    Callee,
}

impl ChannelEnd {
    const fn name(self) -> &'static str {
        match self {
            Self::Caller => "asking",
            Self::Callee => "answering",
        }
    }
}

/// The subjects of a host. Cheap to clone.
///
/// Calls, and what belongs to them, are for one process: their subjects have the incarnation of
/// their host. Of two processes with one identity, a call thereby reaches one.
#[derive(Debug, Clone)]
pub(super) struct Subjects {
    scope: Scope,
    host: HostId,
    me: String,
    incarnations: watch::Receiver<Arc<Incarnations>>,
    /// Call subjects of other hosts, with their incarnations. Every call needs one, and formatting
    /// it takes a twentieth of the time that a call costs the caller's host.
    calls_by_host: Arc<RwLock<HashMap<HostId, (u64, Subject)>>>,
    /// Heartbeats of this host.
    pub(super) heartbeat: Subject,
    /// Heartbeats of all hosts.
    pub(super) heartbeats: Pattern,
    /// Inventories of this host.
    pub(super) inventory: Subject,
    /// Inventories of all hosts.
    pub(super) inventories: Pattern,
    /// Requests for the inventory of this host.
    pub(super) inventory_requests: Pattern,
    /// This host's own last heartbeats, as other hosts know them.
    pub(super) refutations: Pattern,
    /// Requests for records and artifacts of this host.
    pub(super) peer_requests: Pattern,
}

/// The subjects of one process: those of its incarnation.
#[derive(Debug, Clone)]
pub(super) struct ProcessPatterns {
    /// Calls to this process.
    pub(super) calls: Pattern,
    /// Requests for frames that this process stores.
    pub(super) claims: Pattern,
    /// Frames to the ends of channels that this process opened.
    pub(super) caller_ends: Pattern,
    /// Frames to the ends of channels that other hosts opened to this process.
    pub(super) callee_ends: Pattern,
}

impl Subjects {
    /// The subjects of a host. `incarnations` has its own incarnation too.
    ///
    /// # Errors
    /// If the lattice's name leaves no room for the rest.
    pub(super) fn new(
        scope: &Scope,
        host: HostId,
        incarnations: watch::Receiver<Arc<Incarnations>>,
    ) -> Result<Self, SubjectError> {
        let me = host.to_string();
        let all = |kind| scope.pattern(&[Part::Name(kind), Part::Any]);
        let own = |kind| scope.pattern(&[Part::Name(kind), Part::Name(&me)]);
        Ok(Self {
            heartbeat: scope.subject(&[HEARTBEATS, &me])?,
            heartbeats: all(HEARTBEATS)?,
            inventory: scope.subject(&[INVENTORIES, &me])?,
            inventories: all(INVENTORIES)?,
            inventory_requests: own(INVENTORY_REQUESTS)?,
            refutations: own(REFUTATIONS)?,
            peer_requests: own(PEER_REQUESTS)?,
            scope: scope.clone(),
            host,
            me,
            incarnations,
            calls_by_host: Arc::default(),
        })
    }

    /// The subjects of this host's process with this incarnation.
    ///
    /// # Errors
    /// If the lattice's name leaves no room for the rest.
    pub(super) fn of_process(&self, incarnation: u64) -> Result<ProcessPatterns, SubjectError> {
        let (me, number) = (self.me.as_str(), incarnation.to_string());
        let own = |kind: &str| {
            let names = [kind, me, &number].map(Part::Name);
            self.scope.pattern(&names)
        };
        let ends = |end: ChannelEnd| {
            let names = [CHANNELS, me, &number].map(Part::Name);
            let [kind, host, process] = names;
            self.scope
                .pattern(&[kind, host, process, Part::Any, Part::Name(end.name())])
        };
        Ok(ProcessPatterns {
            calls: own(CALLS)?,
            claims: own(CLAIMS)?,
            caller_ends: ends(ChannelEnd::Caller)?,
            callee_ends: ends(ChannelEnd::Callee)?,
        })
    }

    /// The incarnation of this process.
    pub(super) fn own_incarnation(&self) -> u64 {
        self.incarnation_of(self.host)
    }

    /// The incarnation of a host by its last heartbeat.
    pub(super) fn incarnation_of(&self, host: HostId) -> u64 {
        let incarnations = self.incarnations.borrow();
        let incarnation = incarnations.get(&host).copied();
        incarnation.unwrap_or(INCARNATION_UNKNOWN)
    }

    /// The subject of requests for a host's inventory.
    pub(super) fn inventory_requests_of(&self, host: HostId) -> Option<Subject> {
        self.of(INVENTORY_REQUESTS, host)
    }

    /// The subject of a host's own last heartbeats.
    pub(super) fn refutations_of(&self, host: HostId) -> Option<Subject> {
        self.of(REFUTATIONS, host)
    }

    /// The subject of calls to the current process of a host.
    pub(super) fn calls_of(&self, host: HostId) -> Option<Subject> {
        let incarnation = self.incarnation_of(host);
        // The code under the lock does not panic.
        let cached = self.calls_by_host.read();
        let cached = cached.unwrap_or_else(PoisonError::into_inner);
        if let Some((of, subject)) = cached.get(&host)
            && *of == incarnation
        {
            return Some(subject.clone());
        }
        drop(cached);
        let subject = self.of_current(CALLS, host, incarnation)?;
        let cached = self.calls_by_host.write();
        let mut cached = cached.unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= CACHED_SUBJECTS_MAX {
            cached.clear();
        }
        cached.insert(host, (incarnation, subject.clone()));
        Some(subject)
    }

    /// The subject of requests for frames that the current process of a host stores.
    pub(super) fn claims_of(&self, host: HostId) -> Option<Subject> {
        self.of_current(CLAIMS, host, self.incarnation_of(host))
    }

    /// The subject of requests for a host's records and artifacts.
    pub(super) fn peer_requests_of(&self, host: HostId) -> Option<Subject> {
        self.of(PEER_REQUESTS, host)
    }

    /// This host's end of a channel.
    pub(super) fn own_channel(&self, token: &str, end: ChannelEnd) -> Option<Subject> {
        self.channel_of(self.host, token, end)
    }

    /// The end of a channel at the current process of a host.
    pub(super) fn channel_of(&self, host: HostId, token: &str, end: ChannelEnd) -> Option<Subject> {
        let number = self.incarnation_of(host).to_string();
        let host = host.to_string();
        self.scope
            .subject(&[CHANNELS, &host, &number, token, end.name()])
            .ok()
    }

    /// The host of a caller end of a channel; `None` for another subject.
    pub(super) fn caller_of(subject: &Subject) -> Option<HostId> {
        let names: Vec<_> = subject.names().collect();
        match &names[..] {
            [kind, host, _, _, end] if kind == CHANNELS && end == ChannelEnd::Caller.name() => {
                host.parse().ok()
            }
            _ => None,
        }
    }

    /// True if a subject is a callee end of this host.
    pub(super) fn is_own_callee_end(&self, subject: &Subject) -> bool {
        let names: Vec<_> = subject.names().collect();
        matches!(&names[..], [kind, host, _, _, end]
            if kind == CHANNELS && *host == self.me && end == ChannelEnd::Callee.name())
    }

    /// `Some` for every host, because all ids have the length of this host's own, which fits.
    fn of(&self, kind: &str, host: HostId) -> Option<Subject> {
        self.scope.subject(&[kind, &host.to_string()]).ok()
    }

    fn of_current(&self, kind: &str, host: HostId, incarnation: u64) -> Option<Subject> {
        let (host, incarnation) = (host.to_string(), incarnation.to_string());
        self.scope.subject(&[kind, &host, &incarnation]).ok()
    }
}
