//! Sessions: the callee's instance that an importer's instance has for itself.
//!
//! A session is opened by the first call over a link. It ends with the importer's request, and the
//! instance may then serve others; where handles of resources cross the link, it ends with the
//! importer's instance. It is taken out of the importer's state for the time of a call, so whoever
//! comes in a second time finds it gone.

use std::sync::Arc;

use weft_link::Peer;
use weft_wire::SessionId;

use super::Route;
use super::remote::RemoteSession;
use crate::endpoint::{Generation, Instance};

/// The sessions of one importing instance, by their place.
#[derive(Default)]
pub(crate) struct Sessions(Vec<Slot>);

struct Slot {
    route: Arc<Route>,
    place: Place,
}

#[derive(Default)]
enum Place {
    #[default]
    Closed,
    Idle(Box<Instance>),
    Busy,
    /// The target keeps the instance.
    Remote(RemoteSession),
}

/// What is in the place of a session.
pub(super) enum Taken {
    /// None was open; the place is the caller's until it is put back or cleared.
    Closed,
    Session(Box<Instance>),
    /// Another call has it.
    Busy,
}

impl Sessions {
    /// Takes the session of a route for one call.
    pub(super) fn take(&mut self, route: &Arc<Route>) -> Taken {
        match std::mem::replace(self.place(route), Place::Busy) {
            Place::Closed | Place::Remote(_) => Taken::Closed,
            Place::Idle(session) => Taken::Session(session),
            Place::Busy => Taken::Busy,
        }
    }

    /// The session that the target keeps, for a route of frames.
    pub(super) fn remote(&mut self, route: &Arc<Route>) -> Option<(SessionId, Peer)> {
        match self.place(route) {
            Place::Remote(session) => Some(session.id()),
            Place::Closed | Place::Idle(_) | Place::Busy => None,
        }
    }

    /// Remembers the session that the target keeps.
    pub(super) fn keep_remote(&mut self, route: &Arc<Route>, session: RemoteSession) {
        *self.place(route) = Place::Remote(session);
    }

    /// Whether the session of a route is open, and no call has it.
    pub(super) fn is_open(&mut self, route: &Arc<Route>) -> bool {
        matches!(self.place(route), Place::Idle(_))
    }

    /// Puts a session back after a call.
    pub(super) fn put(&mut self, route: &Arc<Route>, session: Box<Instance>) {
        *self.place(route) = Place::Idle(session);
    }

    /// Ends the session of a route.
    pub(super) fn clear(&mut self, route: &Arc<Route>) {
        *self.place(route) = Place::Closed;
    }

    /// Ends the sessions that end with a request; their instances may serve others of `generation`.
    pub(crate) fn end_request(&mut self, generation: &Arc<Generation>) {
        for Slot { route, place } in &mut self.0 {
            let mut session = match std::mem::take(place) {
                Place::Idle(session) => session,
                Place::Remote(session) => {
                    *place = Place::Remote(session);
                    continue;
                }
                Place::Closed | Place::Busy => continue,
            };
            if route.has_resources {
                // It waits with the importer, and keeps no generation alive meanwhile.
                session.store.data_mut().end_request();
                *place = Place::Idle(session);
            } else if let Some(entry) = generation.entry(route.target) {
                entry.give_back(*session);
            }
        }
    }

    fn place(&mut self, route: &Arc<Route>) -> &mut Place {
        // A route's number is its place in the entry, so the list is as long as the entry has routes.
        while self.0.len() <= route.slot {
            self.0.push(Slot {
                route: route.clone(),
                place: Place::Closed,
            });
        }
        let slot = &mut self.0[route.slot];
        if !Arc::ptr_eq(&slot.route, route) {
            slot.route = route.clone();
        }
        &mut slot.place
    }
}
