//! The subjects of a lattice.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use weft_bus::{Part, Pattern, Scope, Subject, SubjectError};
use weft_membership::HostId;

/// Heartbeats, by sending host.
const HEARTBEATS: &str = "heartbeats";
/// Inventories, by sending host.
const INVENTORIES: &str = "inventories";
/// Requests for an inventory, by receiving host.
const INVENTORY_REQUESTS: &str = "asks";
/// Calls over links, by receiving host.
const CALLS: &str = "calls";
/// Requests for parts of large frames, by storing host.
const CLAIMS: &str = "held";

/// Requests for records and artifacts, by receiving host.
const PEER_REQUESTS: &str = "questions";

/// Frames of channels, by receiving host, token and end.
const CHANNELS: &str = "lines";

/// The most hosts with a cached call subject: more than a lattice usually has, and a megabyte.
const CACHED_SUBJECTS_MAX: usize = 4_096;

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
#[derive(Debug, Clone)]
pub(super) struct Subjects {
    scope: Scope,
    me: String,
    /// Call subjects of other hosts. Every call needs one, and formatting it takes a twentieth of
    /// the time that a call costs the caller's host.
    calls_by_host: Arc<RwLock<HashMap<HostId, Subject>>>,
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
    /// Calls to this host.
    pub(super) calls: Pattern,
    /// Requests for frames that this host stores.
    pub(super) claims: Pattern,
    /// Requests for records and artifacts of this host.
    pub(super) peer_requests: Pattern,
    /// Frames to the ends of channels that this host opened.
    pub(super) caller_ends: Pattern,
    /// Frames to the ends of channels that other hosts opened.
    pub(super) callee_ends: Pattern,
}

impl Subjects {
    /// The subjects of the host `me`.
    ///
    /// # Errors
    /// If the lattice's name leaves no room for the rest.
    pub(super) fn new(scope: &Scope, me: HostId) -> Result<Self, SubjectError> {
        let me = me.to_string();
        let all = |kind| scope.pattern(&[Part::Name(kind), Part::Any]);
        let own = |kind| scope.pattern(&[Part::Name(kind), Part::Name(&me)]);
        let ends = |end: ChannelEnd| {
            let end = Part::Name(end.name());
            scope.pattern(&[Part::Name(CHANNELS), Part::Name(&me), Part::Any, end])
        };
        Ok(Self {
            heartbeat: scope.subject(&[HEARTBEATS, &me])?,
            heartbeats: all(HEARTBEATS)?,
            inventory: scope.subject(&[INVENTORIES, &me])?,
            inventories: all(INVENTORIES)?,
            inventory_requests: own(INVENTORY_REQUESTS)?,
            calls: own(CALLS)?,
            claims: own(CLAIMS)?,
            peer_requests: own(PEER_REQUESTS)?,
            caller_ends: ends(ChannelEnd::Caller)?,
            callee_ends: ends(ChannelEnd::Callee)?,
            scope: scope.clone(),
            me,
            calls_by_host: Arc::default(),
        })
    }

    /// The subject of requests for a host's inventory.
    pub(super) fn inventory_requests_of(&self, host: HostId) -> Option<Subject> {
        self.of(INVENTORY_REQUESTS, host)
    }

    /// The subject of calls to a host.
    pub(super) fn calls_of(&self, host: HostId) -> Option<Subject> {
        // The code under the lock does not panic.
        let cached = self.calls_by_host.read();
        let cached = cached.unwrap_or_else(PoisonError::into_inner);
        if let Some(subject) = cached.get(&host) {
            return Some(subject.clone());
        }
        drop(cached);
        let subject = self.of(CALLS, host)?;
        let cached = self.calls_by_host.write();
        let mut cached = cached.unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= CACHED_SUBJECTS_MAX {
            cached.clear();
        }
        cached.insert(host, subject.clone());
        Some(subject)
    }

    /// The subject of requests for frames that a host stores.
    pub(super) fn claims_of(&self, host: HostId) -> Option<Subject> {
        self.of(CLAIMS, host)
    }

    /// The subject of requests for a host's records and artifacts.
    pub(super) fn peer_requests_of(&self, host: HostId) -> Option<Subject> {
        self.of(PEER_REQUESTS, host)
    }

    /// This host's end of a channel.
    pub(super) fn own_channel(&self, token: &str, end: ChannelEnd) -> Option<Subject> {
        self.scope
            .subject(&[CHANNELS, &self.me, token, end.name()])
            .ok()
    }

    /// Another host's end of a channel.
    pub(super) fn channel_of(&self, host: HostId, token: &str, end: ChannelEnd) -> Option<Subject> {
        let host = host.to_string();
        self.scope
            .subject(&[CHANNELS, &host, token, end.name()])
            .ok()
    }

    /// The host of a caller end of a channel; `None` for another subject.
    pub(super) fn caller_of(subject: &Subject) -> Option<HostId> {
        let names: Vec<_> = subject.names().collect();
        match &names[..] {
            [kind, host, _, end] if kind == CHANNELS && end == ChannelEnd::Caller.name() => {
                host.parse().ok()
            }
            _ => None,
        }
    }

    /// True if a subject is a callee end of this host.
    pub(super) fn is_own_callee_end(&self, subject: &Subject) -> bool {
        let names: Vec<_> = subject.names().collect();
        matches!(&names[..], [kind, host, _, end]
            if kind == CHANNELS && *host == self.me && end == ChannelEnd::Callee.name())
    }

    /// `Some` for every host, because all ids have the length of this host's own, which fits.
    fn of(&self, kind: &str, host: HostId) -> Option<Subject> {
        self.scope.subject(&[kind, &host.to_string()]).ok()
    }
}
