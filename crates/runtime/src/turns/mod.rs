//! Turns: processor time of guests that run long, shared between apps.
//!
//! A guest runs on a worker of the async runtime until it waits. One that runs for longer than
//! [`SLICE`] is interrupted, and needs a *turn* to go on ([`queue`]). There are as many turns as
//! cores, and one worker more, so that a worker is free for requests that take little time, and for
//! the sockets. Apps take turns one after the other, however many requests each of them has.
//!
//! [`InTurns`] wraps the root future of each request or call, so that calls to other stores count
//! with it. [`clock`] has the time at the precision of the engines' epochs, which costs one load.

mod clock;
mod queue;

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

pub(crate) use self::clock::CoarseClock;
use self::queue::{Place, TurnQueue};

/// The time for which a guest runs without a turn, and the length of a turn. Short beside the
/// latency of a request through a busy host, and long beside the cost of an interruption.
pub(crate) const SLICE: Duration = Duration::from_millis(1);

thread_local! {
    /// The coarse time, in milliseconds, at which the guest of this thread was entered.
    static ENTERED: Cell<u64> = const { Cell::new(0) };
}

/// The turns of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    clock: Arc<CoarseClock>,
    queue: Arc<TurnQueue>,
}

impl Turns {
    /// As many turns as the host has cores.
    pub(crate) fn of_machine(clock: Arc<CoarseClock>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new(cores, clock)
    }

    fn new(count: usize, clock: Arc<CoarseClock>) -> Self {
        Self {
            clock,
            queue: Arc::new(TurnQueue::new(count)),
        }
    }

    /// The clock of the turns.
    pub(crate) fn clock(&self) -> &Arc<CoarseClock> {
        &self.clock
    }

    /// The coarse time in milliseconds, and that at which the guest of this thread was entered.
    pub(crate) fn slice(&self) -> Slice {
        Slice {
            entered: ENTERED.get(),
            now: self.clock.now(),
        }
    }

    /// Polls guests in `future` in the turns of `app`.
    pub(crate) fn run<F: Future>(&self, app: &Arc<str>, future: F) -> InTurns<F> {
        InTurns {
            place: Place::new(self.queue.clone(), app.clone()),
            turns: self.clone(),
            runs_long: false,
            future,
        }
    }
}

/// The time since a guest was entered, in milliseconds of the coarse clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    pub(crate) entered: u64,
    pub(crate) now: u64,
}

impl Slice {
    /// True if the guest has to be interrupted, or was not when it should have been.
    pub(crate) fn is_over(self) -> bool {
        let elapsed = self.now.saturating_sub(self.entered);
        u128::from(elapsed) >= SLICE.as_millis()
    }
}

pin_project! {
    /// The root future of a request or call.
    pub(crate) struct InTurns<F> {
        turns: Turns,
        place: Place,
        // True if the last poll took longer than a slice.
        runs_long: bool,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for InTurns<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if *this.runs_long || this.place.must_wait() {
            ready!(this.place.poll_turn(*this.runs_long, context));
        }
        let entered = this.turns.clock.now();
        // A guest enters no other root future: each has a task of its own.
        ENTERED.set(entered);
        let polled = this.future.poll(context);
        *this.runs_long = this.turns.slice().is_over();
        if *this.runs_long {
            this.turns.clock.request_precision();
        }
        this.place.give_back();
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Waker;

    use super::*;

    /// Turns with a clock that the test sets.
    fn turns(count: usize) -> (Turns, Arc<CoarseClock>) {
        let clock = Arc::new(CoarseClock::default());
        (Turns::new(count, clock.clone()), clock)
    }

    /// A guest that runs for two slices at each poll, and counts its polls.
    fn spinning(clock: &Arc<CoarseClock>, polls: &Arc<AtomicU64>) -> impl Future<Output = ()> {
        let (clock, polls) = (clock.clone(), polls.clone());
        poll_fn(move |context| {
            polls.fetch_add(1, Ordering::Relaxed);
            clock.set(clock.now() + 2);
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_guest_that_runs_long_needs_a_turn_and_others_do_not() {
        let (turns, clock) = turns(1);
        let (long, other) = ("long".into(), "other".into());
        let polls = Arc::new(AtomicU64::new(0));
        let held = turns.run(&long, spinning(&clock, &polls));
        let mut held = Box::pin(held);
        assert!(poll(held.as_mut()).is_pending());
        // The only turn is taken by another guest, in the middle of its poll.
        let mut place = Place::new(turns.queue.clone(), other);
        assert!(
            place
                .poll_turn(true, &mut Context::from_waker(Waker::noop()))
                .is_ready()
        );
        assert!(poll(held.as_mut()).is_pending());
        assert_eq!(polls.load(Ordering::Relaxed), 1, "it ran without a turn");
        let short = turns.run(&"third".into(), std::future::ready(7));
        assert_eq!(poll(Box::pin(short).as_mut()), Poll::Ready(7));
        place.give_back();
        assert!(poll(held.as_mut()).is_pending());
        assert_eq!(
            polls.load(Ordering::Relaxed),
            2,
            "it did not run in its turn"
        );
    }

    #[test]
    fn a_guest_that_waits_is_not_interrupted_when_it_continues() {
        let (turns, clock) = turns(1);
        let app: Arc<str> = "app".into();
        let seen = turns.clone();
        let waiting = poll_fn(move |_| match seen.slice().is_over() {
            true => Poll::Ready(()),
            false => Poll::<()>::Pending,
        });
        let mut waiting = Box::pin(turns.run(&app, waiting));
        for now in [10, 500, 90_000] {
            clock.set(now);
            assert!(poll(waiting.as_mut()).is_pending(), "after {now} ms");
        }
    }

    #[test]
    fn new_requests_of_an_app_that_waits_for_a_turn_wait_too_and_go_first() {
        let (turns, clock) = turns(1);
        let (app, other): (Arc<str>, Arc<str>) = ("app".into(), "other".into());
        let polls = Arc::new(AtomicU64::new(0));
        let mut long = Box::pin(turns.run(&app, spinning(&clock, &polls)));
        assert!(poll(long.as_mut()).is_pending());
        let mut holder = Place::new(turns.queue.clone(), other);
        assert!(
            holder
                .poll_turn(true, &mut Context::from_waker(Waker::noop()))
                .is_ready()
        );
        assert!(poll(long.as_mut()).is_pending(), "queued");
        let mut new = Box::pin(turns.run(&app, std::future::ready(())));
        assert!(
            poll(new.as_mut()).is_pending(),
            "an app gets one turn at a time"
        );
        holder.give_back();
        assert!(
            poll(new.as_mut()).is_ready(),
            "new requests are first within an app"
        );
    }

    #[test]
    fn a_dropped_request_leaves_its_turn_and_its_place_to_others() {
        let (turns, clock) = turns(1);
        let app: Arc<str> = "app".into();
        let polls = Arc::new(AtomicU64::new(0));
        let start = || {
            let mut guest = Box::pin(turns.run(&app, spinning(&clock, &polls)));
            assert!(poll(guest.as_mut()).is_pending());
            guest
        };
        let (mut queued, mut last) = (start(), start());
        let mut holder = Place::new(turns.queue.clone(), app.clone());
        assert!(
            holder
                .poll_turn(true, &mut Context::from_waker(Waker::noop()))
                .is_ready()
        );
        assert!(poll(queued.as_mut()).is_pending());
        assert!(poll(last.as_mut()).is_pending());
        drop(queued);
        drop(holder);
        let before = polls.load(Ordering::Relaxed);
        assert!(poll(last.as_mut()).is_pending());
        assert_eq!(polls.load(Ordering::Relaxed), before + 1);
    }
}
