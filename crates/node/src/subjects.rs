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
const ASKS: &str = "asks";
/// Calls over links, by the host that is to answer.
const CALLS: &str = "calls";
/// Questions for what is too large for one message, by the host that keeps it.
const HELD: &str = "held";

/// Questions for records and bytes, by the host that is asked.
const QUESTIONS: &str = "questions";

/// Conversations, by the host whose end it is, a token, and which end.
const LINES: &str = "lines";

/// Of how many hosts the subjects of calls are remembered: more than a lattice usually has, and a megabyte.
const REMEMBERED_MAX: usize = 4_096;

/// One of the two ends of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Of the host that began it.
    Asking,
    /// Of the other.
    Answering,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Answering => "answering",
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
    pub(super) asks: Pattern,
    /// Where this host takes calls.
    pub(super) calls: Pattern,
    /// Where this host is asked for what it keeps.
    pub(super) held: Pattern,
    /// Where this host is asked for records and bytes.
    pub(super) questions: Pattern,
    /// Where this host's ends of conversations are.
    pub(super) lines: Pattern,
}

impl Subjects {
    /// The subjects of the host `me`.
    ///
    /// # Errors
    /// If the lattice's name leaves no room for the rest.
    pub(super) fn new(scope: &Scope, me: HostId) -> Result<Self, SubjectError> {
        let me = me.to_string();
        let all = |what| scope.pattern(&[Part::Name(what), Part::Any]);
        let mine = |what| scope.pattern(&[Part::Name(what), Part::Name(&me)]);
        Ok(Self {
            heartbeat: scope.subject(&[HEARTBEATS, &me])?,
            heartbeats: all(HEARTBEATS)?,
            inventory: scope.subject(&[INVENTORIES, &me])?,
            inventories: all(INVENTORIES)?,
            asks: mine(ASKS)?,
            calls: mine(CALLS)?,
            held: mine(HELD)?,
            questions: mine(QUESTIONS)?,
            lines: scope.pattern(&[Part::Name(LINES), Part::Name(&me), Part::Any, Part::Any])?,
            scope: scope.clone(),
            me,
            calls_by_host: Arc::default(),
        })
    }

    /// Where a host is asked what it has.
    pub(super) fn asks_of(&self, host: HostId) -> Option<Subject> {
        self.of(ASKS, host)
    }

    /// Where a host takes calls.
    pub(super) fn calls_of(&self, host: HostId) -> Option<Subject> {
        // Nothing panics while it holds the lock.
        let remembered = self.calls_by_host.read();
        let remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        if let Some(subject) = remembered.get(&host) {
            return Some(subject.clone());
        }
        drop(remembered);
        let subject = self.of(CALLS, host)?;
        let remembered = self.calls_by_host.write();
        let mut remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(host, subject.clone());
        Some(subject)
    }

    /// Where a host is asked for what it keeps.
    pub(super) fn held_by(&self, host: HostId) -> Option<Subject> {
        self.of(HELD, host)
    }

    /// Where a host is asked for records and bytes.
    pub(super) fn questions_of(&self, host: HostId) -> Option<Subject> {
        self.of(QUESTIONS, host)
    }

    /// This host's end of a conversation.
    pub(super) fn own_line(&self, token: &str, end: End) -> Option<Subject> {
        self.scope
            .subject(&[LINES, &self.me, token, end.name()])
            .ok()
    }

    /// Another host's end of a conversation.
    pub(super) fn line_of(&self, host: HostId, token: &str, end: End) -> Option<Subject> {
        let host = host.to_string();
        self.scope.subject(&[LINES, &host, token, end.name()]).ok()
    }

    /// Whether a subject is the asking end of a conversation.
    pub(super) fn is_asking_end(subject: &Subject) -> bool {
        let names: Vec<_> = subject.names().collect();
        matches!(&names[..], [lines, _, _, end] if lines == LINES && end == End::Asking.name())
    }

    /// Whether a subject is the answering end of one of this host's conversations.
    pub(super) fn is_own_answering_end(&self, subject: &Subject) -> bool {
        let names: Vec<_> = subject.names().collect();
        matches!(&names[..], [lines, host, _, end]
            if lines == LINES && *host == self.me && end == End::Answering.name())
    }

    /// All ids are of one length, so what this host's own fits into is there for others.
    fn of(&self, what: &str, host: HostId) -> Option<Subject> {
        self.scope.subject(&[what, &host.to_string()]).ok()
    }
}
