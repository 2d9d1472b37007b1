//! The queue for turns: apps one after the other, and within an app new requests first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// The turns of a host. Bounded by the requests that the host admits.
#[derive(Debug)]
pub(super) struct TurnQueue {
    state: Mutex<QueueState>,
    /// Number of tickets in the queue, to be read without the lock.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct QueueState {
    free: usize,
    /// The apps that wait; the first one gets the next turn.
    apps: VecDeque<AppTickets>,
}

/// The waiting requests of an app. Never empty.
#[derive(Debug)]
struct AppTickets {
    app: Arc<str>,
    new: VecDeque<Arc<Ticket>>,
    long: VecDeque<Arc<Ticket>>,
}

/// A place in the queue.
#[derive(Debug, Default)]
struct Ticket {
    is_granted: AtomicBool,
    waker: AtomicWaker,
}

/// The relation of a request to the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub(super) struct Place {
    queue: Arc<TurnQueue>,
    app: Arc<str>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Outside,
    Queued(Arc<Ticket>),
    InTurn,
}

impl TurnQueue {
    pub(super) fn new(turns: usize) -> Self {
        Self {
            state: Mutex::new(QueueState {
                free: turns,
                apps: VecDeque::new(),
            }),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Takes a turn, or a ticket if there is none.
    fn take(&self, app: &Arc<str>, runs_long: bool) -> Stage {
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            return Stage::InTurn;
        }
        let ticket = Arc::new(Ticket::default());
        let tickets = match state
            .apps
            .iter_mut()
            .position(|waiting| waiting.app == *app)
        {
            Some(index) => &mut state.apps[index],
            None => {
                state.apps.push_back(AppTickets {
                    app: app.clone(),
                    new: VecDeque::new(),
                    long: VecDeque::new(),
                });
                let last = state.apps.len() - 1;
                &mut state.apps[last]
            }
        };
        let queue = match runs_long {
            true => &mut tickets.long,
            false => &mut tickets.new,
        };
        queue.push_back(ticket.clone());
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Stage::Queued(ticket)
    }

    /// Passes a turn to the first ticket of the next app.
    fn pass_on(&self, state: &mut QueueState) {
        let Some(mut tickets) = state.apps.pop_front() else {
            state.free += 1;
            return;
        };
        let next = tickets.new.pop_front().or_else(|| tickets.long.pop_front());
        if !tickets.is_empty() {
            state.apps.push_back(tickets);
        }
        if let Some(ticket) = next {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            ticket.is_granted.store(true, Ordering::Release);
            ticket.waker.wake();
        }
    }

    fn leave(&self, app: &Arc<str>, ticket: &Arc<Ticket>) {
        let mut state = self.lock();
        // Granted under the lock, so it is not granted from here on.
        if ticket.is_granted.load(Ordering::Acquire) {
            return self.pass_on(&mut state);
        }
        if let Some(index) = state.apps.iter().position(|waiting| waiting.app == *app) {
            let tickets = &mut state.apps[index];
            tickets.new.retain(|other| !Arc::ptr_eq(other, ticket));
            tickets.long.retain(|other| !Arc::ptr_eq(other, ticket));
            if tickets.is_empty() {
                state.apps.remove(index);
            }
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn has_waiting(&self, app: &Arc<str>) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
            && self.lock().apps.iter().any(|waiting| waiting.app == *app)
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // The code under the lock does not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AppTickets {
    fn is_empty(&self) -> bool {
        self.new.is_empty() && self.long.is_empty()
    }
}

impl Place {
    /// A request of `app`, outside of the queue.
    pub(super) fn new(queue: Arc<TurnQueue>, app: Arc<str>) -> Self {
        Self {
            queue,
            app,
            stage: Stage::Outside,
        }
    }

    /// True if the request needs a turn although it does not run long: it is in the queue, or
    /// others of its app are.
    pub(super) fn must_wait(&self) -> bool {
        match self.stage {
            Stage::Outside => self.queue.has_waiting(&self.app),
            Stage::Queued(_) => true,
            Stage::InTurn => false,
        }
    }

    /// Takes a turn, and waits for it in the queue if there is none.
    pub(super) fn poll_turn(&mut self, runs_long: bool, context: &mut Context<'_>) -> Poll<()> {
        if let Stage::Outside = self.stage {
            self.stage = self.queue.take(&self.app, runs_long);
        }
        let Stage::Queued(ticket) = &self.stage else {
            return Poll::Ready(());
        };
        ticket.waker.register(context.waker());
        if !ticket.is_granted.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.stage = Stage::InTurn;
        Poll::Ready(())
    }

    /// Gives the turn back, if the request has one, or its place in the queue.
    pub(super) fn give_back(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Outside) {
            Stage::Outside => {}
            Stage::Queued(ticket) => self.queue.leave(&self.app, &ticket),
            Stage::InTurn => self.queue.pass_on(&mut self.queue.lock()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn poll(place: &mut Place) -> bool {
        let context = &mut Context::from_waker(Waker::noop());
        place.poll_turn(true, context).is_ready()
    }

    #[test]
    fn apps_take_turns_however_many_requests_each_has() {
        let queue = Arc::new(TurnQueue::new(1));
        let place = |app: &str| Place::new(queue.clone(), app.into());
        let mut holder = place("holder");
        assert!(poll(&mut holder));
        let mut many: Vec<_> = (0..5).map(|_| place("many")).collect();
        let mut few = place("few");
        for waiting in many.iter_mut().chain([&mut few]) {
            assert!(!poll(waiting));
        }
        holder.give_back();
        let order: Vec<_> = (0..6)
            .filter_map(|_| {
                let next = many.iter_mut().chain([&mut few]).find(|place| {
                    matches!(&place.stage, Stage::Queued(ticket) if ticket.is_granted.load(Ordering::Relaxed))
                })?;
                assert!(poll(next));
                next.give_back();
                Some(next.app.to_string())
            })
            .collect();
        assert_eq!(order, ["many", "few", "many", "many", "many", "many"]);
        assert_eq!(queue.lock().free, 1);
    }

    #[test]
    fn turns_that_are_free_are_taken_without_waiting() {
        let queue = Arc::new(TurnQueue::new(2));
        let mut places = [(); 3].map(|()| Place::new(queue.clone(), "app".into()));
        assert_eq!(places.each_mut().map(poll), [true, true, false]);
        drop(places);
        assert_eq!(queue.lock().free, 2);
        assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
    }
}
