//! The subjects of a lattice: who speaks where.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use weft_bus::{Part, Pattern, Scope, Subject, SubjectError};
use weft_membership::HostId;

/// Heartbeats, by the host that lives.
const HEARTBEATS: &str = "heartbeats";
/// Inventories, by the host that has it.
const INVENTORIES: &str = "inventories";
/// Questions for an inventory, by the host that is asked.
const INVENTORY_REQUESTS: &str = "asks";
/// Calls over links, by the host that is to answer.
const CALLS: &str = "calls";
/// Questions for what is too large for one message, by the host that keeps it.
const CLAIMS: &str = "held";

/// Questions for records and bytes, by the host that is asked.
const PEER_REQUESTS: &str = "questions";

/// Conversations, by the host whose end it is, a token, and which end.
const CHANNELS: &str = "lines";

/// Of how many hosts the subjects of calls are remembered: more than a lattice usually has, and a megabyte.
const CACHED_SUBJECTS_MAX: usize = 4_096;

/// One of the two ends of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelEnd {
    /// Of the host that began it.
    Caller,
    /// Of the other.
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

/// The subjects of one host's lattice.
#[derive(Debug, Clone)]
pub(super) struct Subjects {
    scope: Scope,
    me: String,
    /// Where other hosts take calls: each call asks for one of them, and writing it anew takes a twentieth of all
    /// that a call costs its importer's host.
    calls_by_host: Arc<RwLock<HashMap<HostId, Subject>>>,
    /// Where this host tells that it lives.
    pub(super) heartbeat: Subject,
    /// Where all hosts tell that they live.
    pub(super) heartbeats: Pattern,
    /// Where this host tells what it has.
    pub(super) inventory: Subject,
    /// Where all hosts tell what they have.
    pub(super) inventories: Pattern,
    /// Where this host is asked what it has.
    pub(super) inventory_requests: Pattern,
    /// Where this host takes calls.
    pub(super) calls: Pattern,
    /// Where this host is asked for what it keeps.
    pub(super) claims: Pattern,
    /// Where this host is asked for records and bytes.
    pub(super) peer_requests: Pattern,
    /// Where this host's ends of conversations are.
    pub(super) channels: Pattern,
}

impl Subjects {
    /// The subjects of the host `me`.
    ///
    /// # Errors
    /// If the lattice's name leaves no room for the rest.
    pub(super) fn new(scope: &Scope, me: HostId) -> Result<Self, SubjectError> {
        let me = me.to_string();
        let all = |kind| scope.pattern(&[Part::Name(kind), Part::Any]);
        let mine = |kind| scope.pattern(&[Part::Name(kind), Part::Name(&me)]);
        Ok(Self {
            heartbeat: scope.subject(&[HEARTBEATS, &me])?,
            heartbeats: all(HEARTBEATS)?,
            inventory: scope.subject(&[INVENTORIES, &me])?,
            inventories: all(INVENTORIES)?,
            inventory_requests: mine(INVENTORY_REQUESTS)?,
            calls: mine(CALLS)?,
            claims: mine(CLAIMS)?,
            peer_requests: mine(PEER_REQUESTS)?,
            channels: scope.pattern(&[
                Part::Name(CHANNELS),
                Part::Name(&me),
                Part::Any,
                Part::Any,
            ])?,
            scope: scope.clone(),
            me,
            calls_by_host: Arc::default(),
        })
    }

    /// Where a host is asked what it has.
    pub(super) fn inventory_requests_of(&self, host: HostId) -> Option<Subject> {
        self.of(INVENTORY_REQUESTS, host)
    }

    /// Where a host takes calls.
    pub(super) fn calls_of(&self, host: HostId) -> Option<Subject> {
        // Nothing panics while it holds the lock.
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

    /// Where a host is asked for what it keeps.
    pub(super) fn claims_of(&self, host: HostId) -> Option<Subject> {
        self.of(CLAIMS, host)
    }

    /// Where a host is asked for records and bytes.
    pub(super) fn peer_requests_of(&self, host: HostId) -> Option<Subject> {
        self.of(PEER_REQUESTS, host)
    }

    /// This host's end of a conversation.
    pub(super) fn own_channel(&self, token: &str, end: ChannelEnd) -> Option<Subject> {
        self.scope
            .subject(&[CHANNELS, &self.me, token, end.name()])
            .ok()
    }

    /// Another host's end of a conversation.
    pub(super) fn channel_of(&self, host: HostId, token: &str, end: ChannelEnd) -> Option<Subject> {
        let host = host.to_string();
        self.scope
            .subject(&[CHANNELS, &host, token, end.name()])
            .ok()
    }

    /// Whether a subject is the asking end of a conversation.
    pub(super) fn is_caller_end(subject: &Subject) -> bool {
        let names: Vec<_> = subject.names().collect();
        matches!(&names[..], [kind, _, _, end] if kind == CHANNELS && end == ChannelEnd::Caller.name())
    }

    /// Whether a subject is the answering end of one of this host's conversations.
    pub(super) fn is_own_callee_end(&self, subject: &Subject) -> bool {
        let names: Vec<_> = subject.names().collect();
        matches!(&names[..], [kind, host, _, end]
            if kind == CHANNELS && *host == self.me && end == ChannelEnd::Callee.name())
    }

    /// All ids are of one length, so what this host's own fits into is there for others.
    fn of(&self, kind: &str, host: HostId) -> Option<Subject> {
        self.scope.subject(&[kind, &host.to_string()]).ok()
    }
}
