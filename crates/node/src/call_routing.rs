//! Attempts of calls to other hosts: `weft_membership::routing` chooses the host of each attempt; a
//! call whose hosts are all lost waits here for a replacement. A dead host is detected within
//! seconds and its components start elsewhere, so a call that can wait for that does not fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use weft_bus::Status;
use weft_membership::Random;
use weft_membership::message::ComponentId;
use weft_membership::routing::{Attempt, Call, Decision, Outcome, Repeat, Route, Table};
use weft_wire::FailureCode;

use crate::clock::Clock;

/// The longest wait of a call for an available host, within the call's deadline: longer than the
/// detection and replacement of a lost host or the restart of a server (`docs/failover.md`), and
/// not so long that a component that cannot run anywhere holds up its callers.
pub(super) const HOST_WAIT_MAX: Duration = Duration::from_secs(8);

/// The most calls of this host that wait for a host at once; further ones fail at once. Each holds
/// a request or an instance that healthy components need too.
pub(super) const WAITING_CALLS_MAX: usize = 1_024;

/// Chooses hosts for calls. Cheap to clone.
#[derive(Clone)]
pub(super) struct CallRouter {
    table: watch::Receiver<Arc<Table>>,
    bus: watch::Receiver<Status>,
    clock: Clock,
    /// The seed for the next call's random numbers.
    seed: Arc<AtomicU64>,
    wait_permits: Arc<Semaphore>,
}

/// A call to route.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoutedCall<'a> {
    pub(super) target: &'a ComponentId,
    pub(super) deadline: Instant,
    pub(super) is_idempotent: bool,
}

/// The attempts of one call.
pub(super) struct CallAttempts<'a> {
    router: &'a CallRouter,
    target: &'a ComponentId,
    call: Call,
    /// `None` until some host has the target.
    route: Option<Route>,
    /// `Some` after the first time that no host was left.
    host_wait: Option<HostWait>,
}

/// The wait for a host.
struct HostWait {
    table: watch::Receiver<Arc<Table>>,
    bus: watch::Receiver<Status>,
    until: Instant,
    _permit: OwnedSemaphorePermit,
}

impl CallRouter {
    pub(super) fn new(
        table: watch::Receiver<Arc<Table>>,
        bus: watch::Receiver<Status>,
        clock: Clock,
        seed: u64,
    ) -> Self {
        Self {
            table,
            bus,
            clock,
            seed: Arc::new(AtomicU64::new(seed)),
            wait_permits: Arc::new(Semaphore::new(WAITING_CALLS_MAX)),
        }
    }

    /// Starts the attempts of a call.
    pub(super) fn attempts<'a>(&'a self, routed: RoutedCall<'a>) -> CallAttempts<'a> {
        let call = Call {
            deadline: self.clock.moment(routed.deadline),
            repeat: match routed.is_idempotent {
                true => Repeat::Idempotent,
                false => Repeat::Never,
            },
        };
        let mut attempts = CallAttempts {
            router: self,
            target: routed.target,
            call,
            route: None,
            host_wait: None,
        };
        attempts.refresh();
        attempts
    }

    /// The deadline of one attempt.
    pub(super) fn attempt_deadline(&self, attempt: &Attempt) -> Instant {
        self.clock.instant(attempt.until)
    }
}

impl CallAttempts<'_> {
    /// Returns the next attempt, waiting until a host is available.
    ///
    /// # Errors
    /// The failure code of the call if no host becomes available in time, or the call must not be
    /// sent again.
    pub(super) async fn next(&mut self) -> Result<Attempt, FailureCode> {
        loop {
            let decision = match &mut self.route {
                Some(route) => route.next(self.router.clock.now()),
                None => Decision::NoCandidate(FailureCode::Unreachable),
            };
            match decision {
                Decision::Send(attempt) => return Ok(attempt),
                Decision::GiveUp(code) => return Err(code),
                Decision::NoCandidate(code) => {
                    self.wait().await.ok_or(code)?;
                    self.refresh();
                }
            }
        }
    }

    /// Records the outcome of the attempt.
    pub(super) fn outcome(&mut self, outcome: Outcome) {
        if let Some(route) = &mut self.route {
            route.outcome(outcome, self.router.clock.now());
        }
    }

    /// Waits for a change of the routing table or the bus. `None` if that takes too long.
    async fn wait(&mut self) -> Option<()> {
        if self.host_wait.is_none() {
            self.host_wait = Some(self.start_wait()?);
        }
        let host_wait = self.host_wait.as_mut()?;
        let news = async {
            tokio::select! {
                biased;
                changed = host_wait.table.changed() => changed,
                changed = host_wait.bus.changed() => changed,
            }
        };
        // The sender is dropped when this host stops.
        timeout_at(host_wait.until, news).await.ok()?.ok()
    }

    fn start_wait(&self) -> Option<HostWait> {
        let Ok(permit) = self.router.wait_permits.clone().try_acquire_owned() else {
            tracing::debug!(
                limit = WAITING_CALLS_MAX,
                "too many calls wait for a host; one fails at once"
            );
            return None;
        };
        let deadline = self.router.clock.instant(self.call.deadline);
        let mut host_wait = HostWait {
            table: self.router.table.clone(),
            bus: self.router.bus.clone(),
            until: deadline.min(Instant::now() + HOST_WAIT_MAX),
            _permit: permit,
        };
        // Changes since the start of the call count too.
        host_wait.table.mark_changed();
        Some(host_wait)
    }

    /// Updates the candidates from the current routing table.
    fn refresh(&mut self) {
        let candidates = self.router.table.borrow().any(self.target).cloned();
        match (&mut self.route, candidates) {
            (Some(route), Some(candidates)) => route.renew(candidates),
            (None, Some(candidates)) => {
                // Seeds in sequence are fine: the generator mixes them.
                let seed = self.router.seed.fetch_add(1, Ordering::Relaxed);
                let random = Random::from_seed(seed);
                self.route = Some(Route::new(candidates, self.call, random));
            }
            // The old candidates stay.
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::LazyLock;

    use futures_util::FutureExt;
    use weft_membership::HostId;
    use weft_membership::routing::Router;

    use super::*;
    use crate::test_support::{OTHER, OWN, TestMembership, host};

    const THIRD: HostId = HostId::from_key([3; 32]);

    /// A host that discovers others and calls them.
    struct Caller {
        membership: TestMembership,
        tables: Router,
        table: watch::Sender<Arc<Table>>,
        bus: watch::Sender<Status>,
        router: CallRouter,
    }

    impl Caller {
        fn new() -> Self {
            let tables = Router::new(OWN);
            let table = watch::Sender::new(tables.table());
            let since = Instant::now();
            let bus = watch::Sender::new(Status::Connected { since });
            Self {
                membership: TestMembership::new(),
                router: CallRouter::new(table.subscribe(), bus.subscribe(), Clock::start(), 0),
                tables,
                table,
                bus,
            }
        }

        /// Receives the inventory of a host that has the target.
        fn discover(&mut self, id: HostId) {
            let mut others = [host(id, 1)];
            self.membership.advance(Duration::from_secs(3), &mut others);
            self.membership.receive_inventory(&others[0]);
            self.tables.refresh(self.membership.own.view());
            self.table.send_replace(self.tables.table());
        }
    }

    static CART: LazyLock<ComponentId> = LazyLock::new(|| "shop/cart".parse().unwrap());

    fn call(router: &CallRouter, is_idempotent: bool) -> CallAttempts<'_> {
        router.attempts(RoutedCall {
            target: &CART,
            deadline: Instant::now() + Duration::from_secs(60),
            is_idempotent,
        })
    }

    /// The result of a future that does not wait.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        pin!(future).as_mut().now_or_never()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_the_first_host_that_has_its_target() {
        let mut caller = Caller::new();
        let router = caller.router.clone();
        let mut attempts = call(&router, false);
        assert_eq!(now(attempts.next()), None);
        caller.discover(OTHER);
        let attempt = now(attempts.next()).expect("a host is available");
        assert_eq!(attempt.map(|attempt| attempt.host), Ok(OTHER));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_host_was_lost_goes_to_the_one_that_takes_its_place() {
        for (is_idempotent, outcome) in [(false, Outcome::NoResponders), (true, Outcome::Lost)] {
            let mut caller = Caller::new();
            caller.discover(OTHER);
            let router = caller.router.clone();
            let mut attempts = call(&router, is_idempotent);
            assert!(now(attempts.next()).is_some());
            attempts.outcome(outcome);
            assert_eq!(now(attempts.next()), None, "no host is left");
            caller.discover(THIRD);
            let attempt = now(attempts.next()).expect("a host is available");
            assert_eq!(attempt.map(|attempt| attempt.host), Ok(THIRD));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_may_have_run_does_not_wait() {
        let mut caller = Caller::new();
        caller.discover(OTHER);
        let router = caller.router.clone();
        let mut attempts = call(&router, false);
        assert!(now(attempts.next()).is_some());
        attempts.outcome(Outcome::Lost);
        assert_eq!(now(attempts.next()), Some(Err(FailureCode::MaybeExecuted)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_continues_when_the_bus_is_back() {
        let mut caller = Caller::new();
        caller.discover(OTHER);
        let router = caller.router.clone();
        let mut attempts = call(&router, false);
        assert!(now(attempts.next()).is_some());
        attempts.outcome(Outcome::NotSent);
        // Changes before the wait are looked at once.
        assert!(now(attempts.next()).is_some());
        attempts.outcome(Outcome::NotSent);
        assert_eq!(now(attempts.next()), None, "the bus is unavailable");
        let since = Instant::now();
        caller.bus.send_replace(Status::Connected { since });
        let attempt = now(attempts.next()).expect("the bus is available");
        assert_eq!(attempt.map(|attempt| attempt.host), Ok(OTHER));
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_waits_longer_than_it_may() {
        let caller = Caller::new();
        let began = Instant::now();
        let result = call(&caller.router, true).next().await;
        assert_eq!(result, Err(FailureCode::Unreachable));
        assert!(began.elapsed() >= HOST_WAIT_MAX);
        assert!(began.elapsed() < HOST_WAIT_MAX + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_waiting_calls_is_bounded() {
        let caller = Caller::new();
        let mut host_wait: Vec<_> = (0..WAITING_CALLS_MAX)
            .map(|_| {
                let mut attempts = call(&caller.router, false);
                assert_eq!(now(attempts.next()), None);
                attempts
            })
            .collect();
        let mut one_more = call(&caller.router, false);
        assert_eq!(now(one_more.next()), Some(Err(FailureCode::Unreachable)));
        host_wait.pop();
        let mut another = call(&caller.router, false);
        assert_eq!(now(another.next()), None);
    }
}
