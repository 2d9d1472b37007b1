//! Sessions: instances of callees, each assigned to one instance of an importer.
//!
//! The first call over a link opens a session. The session ends with the importer's request, and
//! its instance may then serve others; if handles of resources cross the link, the session ends
//! with the importer's instance. A call takes the session out of the importer's state, so a second,
//! reentrant call finds it busy.

use std::sync::Arc;

use weft_link::Peer;
use weft_wire::SessionId;

use super::LinkTarget;
use super::remote::RemoteSession;
use crate::endpoint::{Instance, RevisionSet};

/// The sessions of one importing instance, by their slot.
#[derive(Default)]
pub(crate) struct Sessions(Vec<Slot>);

struct Slot {
    target: Arc<LinkTarget>,
    state: SessionState,
}

#[derive(Default)]
enum SessionState {
    #[default]
    Closed,
    Idle(Box<Instance>),
    Busy,
    /// The instance is on the target's side of a transport.
    Remote(RemoteSession),
}

/// The result of taking a session.
pub(super) enum SessionCheckout {
    /// Not open: the caller reserved the slot until it puts a session back or clears it.
    Closed,
    Open(Box<Instance>),
    /// In use by another call.
    Busy,
}

impl Sessions {
    /// Takes the session of a target for one call.
    pub(super) fn take(&mut self, target: &Arc<LinkTarget>) -> SessionCheckout {
        match std::mem::replace(self.state(target), SessionState::Busy) {
            SessionState::Closed | SessionState::Remote(_) => SessionCheckout::Closed,
            SessionState::Idle(session) => SessionCheckout::Open(session),
            SessionState::Busy => SessionCheckout::Busy,
        }
    }

    /// The session on the target's side, for a target behind a transport.
    pub(super) fn remote(&mut self, target: &Arc<LinkTarget>) -> Option<(SessionId, Peer)> {
        match self.state(target) {
            SessionState::Remote(session) => Some(session.id()),
            SessionState::Closed | SessionState::Idle(_) | SessionState::Busy => None,
        }
    }

    /// Stores the id of a session on the target's side.
    pub(super) fn put_remote(&mut self, target: &Arc<LinkTarget>, session: RemoteSession) {
        *self.state(target) = SessionState::Remote(session);
    }

    /// True if the session of a target is open and not in use.
    pub(super) fn is_open(&mut self, target: &Arc<LinkTarget>) -> bool {
        matches!(self.state(target), SessionState::Idle(_))
    }

    /// Puts a session back after a call.
    pub(super) fn put(&mut self, target: &Arc<LinkTarget>, session: Box<Instance>) {
        *self.state(target) = SessionState::Idle(session);
    }

    /// Ends the session of a target.
    pub(super) fn clear(&mut self, target: &Arc<LinkTarget>) {
        *self.state(target) = SessionState::Closed;
    }

    /// Ends the sessions that last for one request; their instances may serve others of
    /// `revision_set`.
    pub(crate) fn end_request(&mut self, revision_set: &Arc<RevisionSet>) {
        for Slot { target, state } in &mut self.0 {
            let mut session = match std::mem::take(state) {
                SessionState::Idle(session) => session,
                SessionState::Remote(session) => {
                    *state = SessionState::Remote(session);
                    continue;
                }
                SessionState::Closed | SessionState::Busy => continue,
            };
            if target.has_resources {
                // The session stays with its importer, without a reference to the generation.
                session.store.data_mut().end_request();
                *state = SessionState::Idle(session);
            } else if let Some(endpoint) = revision_set.endpoint(target.component) {
                endpoint.give_back(*session);
            }
        }
    }

    fn state(&mut self, target: &Arc<LinkTarget>) -> &mut SessionState {
        // Slots are numbered within an endpoint, so the list gets as long as the endpoint has
        // targets.
        while self.0.len() <= target.session_slot {
            self.0.push(Slot {
                target: target.clone(),
                state: SessionState::Closed,
            });
        }
        let slot = &mut self.0[target.session_slot];
        if !Arc::ptr_eq(&slot.target, target) {
            slot.target = target.clone();
        }
        &mut slot.state
    }
}
