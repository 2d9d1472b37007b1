//! The subjects of a lattice: who speaks where.

use weft_lattice::bus::{Part, Pattern, Scope, Subject, SubjectError};
use weft_lattice::membership::HostId;

/// Heartbeats, by the host that lives.
const HEARTBEATS: &str = "heartbeats";
/// Inventories, by the host that has it.
const INVENTORIES: &str = "inventories";
/// Questions for an inventory, by the host that is asked.
const ASKS: &str = "asks";
/// Calls over links, by the host that is to answer.
const CALLS: &str = "calls";

/// Questions for records and bytes, by the host that is asked.
const QUESTIONS: &str = "questions";

/// The subjects of one host's lattice.
#[derive(Debug, Clone)]
pub(super) struct Subjects {
    scope: Scope,
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
    /// Where this host is asked for records and bytes.
    pub(super) questions: Pattern,
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
            questions: mine(QUESTIONS)?,
            scope: scope.clone(),
        })
    }

    /// Where a host is asked what it has.
    pub(super) fn asks_of(&self, host: HostId) -> Option<Subject> {
        self.of(ASKS, host)
    }

    /// Where a host takes calls.
    pub(super) fn calls_of(&self, host: HostId) -> Option<Subject> {
        self.of(CALLS, host)
    }

    /// Where a host is asked for records and bytes.
    pub(super) fn questions_of(&self, host: HostId) -> Option<Subject> {
        self.of(QUESTIONS, host)
    }

    /// All ids are of one length, so what this host's own fits into is there for others.
    fn of(&self, what: &str, host: HostId) -> Option<Subject> {
        self.scope.subject(&[what, &host.to_string()]).ok()
    }
}
