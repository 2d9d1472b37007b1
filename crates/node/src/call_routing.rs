//! Attempts of calls to other hosts: `weft_membership::routing` chooses the host of each attempt; a
//! call whose hosts are all lost waits here for a replacement. A dead host is detected within
//! seconds and its components start elsewhere, so a call that can wait for that does not fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout_at};
use weft_bus::Status;
use weft_membership::Random;
use weft_membership::message::ComponentId;
use weft_membership::routing::{Attempt, Call, Decision, Outcome, Repeat, Route, Table};
use weft_wire::FailureCode;

use crate::bus_return::is_settling;
use crate::clock::Clock;
use crate::unplaceable::UnplaceableWatch;

/// The longest wait of a call for an available host, within the call's deadline: longer than the
/// detection and replacement of a lost host or the restart of a server (`docs/failover.md`), and
/// not so long that a component that cannot run anywhere holds up its callers.
pub(super) const HOST_WAIT_MAX: Duration = Duration::from_secs(8);

/// The first pause before a call is sent again to hosts that had no responders, or after the bus
/// was lost, while the bus is up; doubles up to [`RETRY_PAUSE_MAX`]. A server takes that long to
/// put the subscriptions of a returning host into force.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(25);

/// The longest such pause: short beside the second within which a call is expected to continue
/// after a return of the bus, while all waiting calls together send some thousand requests a
/// second.
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(200);

/// The most calls of this host that wait for a host at once; further ones fail at once. Each holds
/// a request or an instance that healthy components need too.
pub(super) const WAITING_CALLS_MAX: usize = 1_024;

/// Chooses hosts for calls. Cheap to clone.
#[derive(Clone)]
pub(super) struct CallRouter {
    table: watch::Receiver<Arc<Table>>,
    bus: watch::Receiver<Status>,
    /// The components whose calls do not wait for a host.
    unplaceable: UnplaceableWatch,
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
    bus: BusWait,
    unplaceable: UnplaceableWatch,
}

/// The wait for the bus, and for the hosts that are not back on it.
pub(super) struct BusWait {
    status: watch::Receiver<Status>,
    until: Instant,
    pause: Duration,
    /// Taken at the first wait.
    permit: Option<OwnedSemaphorePermit>,
    permits: Arc<Semaphore>,
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
            unplaceable: watch::channel(Arc::default()).1,
            clock,
            seed: Arc::new(AtomicU64::new(seed)),
            wait_permits: Arc::new(Semaphore::new(WAITING_CALLS_MAX)),
        }
    }

    /// The same router, whose calls do not wait for components that no host may run.
    pub(super) fn with_unplaceable(mut self, unplaceable: UnplaceableWatch) -> Self {
        self.unplaceable = unplaceable;
        self
    }

    /// The reason why no host may run a component, if it is so.
    pub(super) fn unplaceable(&self, target: &ComponentId) -> Option<String> {
        self.unplaceable.borrow().get(target).cloned()
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

    /// True if all connections for calls are up: a call needs those for its request, its reply, and
    /// its frames that exceed a message.
    pub(super) fn is_bus_up(&self) -> bool {
        self.bus.borrow().is_connected()
    }

    /// The outcome of an attempt, if it ended soon after a return of the bus: a host without
    /// responders may not be back yet.
    pub(super) fn after_return(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::NoResponders if is_settling(&self.bus.borrow()) => Outcome::NotBack,
            outcome => outcome,
        }
    }

    /// The wait of a call for the bus.
    pub(super) fn bus_wait(&self, deadline: Instant) -> BusWait {
        BusWait {
            status: self.bus.clone(),
            until: deadline,
            pause: RETRY_PAUSE_MIN,
            permit: None,
            permits: self.wait_permits.clone(),
        }
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
                Decision::NoCandidate(code) if self.is_unplaceable() => return Err(code),
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

    fn is_unplaceable(&self) -> bool {
        self.router.unplaceable.borrow().contains_key(self.target)
    }

    /// Waits for a change of the routing table, the bus, or the components that no host may run, or
    /// until known hosts are to be tried again. `None` if that takes too long.
    async fn wait(&mut self) -> Option<()> {
        let host_wait = self.host_wait.get_or_insert_with(|| {
            let deadline = self.router.clock.instant(self.call.deadline);
            HostWait {
                table: self.router.table.clone(),
                bus: self.router.bus_wait(deadline),
                unplaceable: self.router.unplaceable.clone(),
            }
        });
        let known = {
            let table = host_wait.table.borrow_and_update();
            table.any(self.target).cloned()
        };
        let is_current = match (&self.route, &known) {
            (Some(route), Some(candidates)) => route.has_candidates(candidates),
            (_, known) => known.is_none(),
        };
        if !is_current {
            // The table has changed since the last attempt.
            return Some(());
        }
        tokio::select! {
            biased;
            // The sender is dropped when this host stops.
            changed = host_wait.table.changed() => changed.ok(),
            Ok(()) = host_wait.unplaceable.changed() => Some(()),
            waited = host_wait.bus.wait(known.is_some()) => waited,
        }
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

impl BusWait {
    /// Waits until an attempt has a chance: for the bus, or for a pause if that is up. `None` if
    /// that takes too long.
    pub(super) async fn next(&mut self) -> Option<()> {
        self.wait(true).await
    }

    /// Waits for a change of the bus, and for a pause at most if the bus is up and hosts are known.
    async fn wait(&mut self, has_hosts: bool) -> Option<()> {
        if self.permit.is_none() {
            self.start()?;
        }
        if Instant::now() >= self.until {
            return None;
        }
        let is_up = self.status.borrow().is_connected();
        let changed = timeout_at(self.until, self.status.changed());
        if !is_up || !has_hosts {
            return changed.await.ok()?.ok();
        }
        let pause = sleep(self.pause);
        self.pause = (self.pause * 2).min(RETRY_PAUSE_MAX);
        tokio::select! {
            biased;
            changed = changed => changed.ok()?.ok(),
            () = pause => Some(()),
        }
    }

    /// Takes the permit, and bounds the wait.
    fn start(&mut self) -> Option<()> {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            tracing::debug!(
                limit = WAITING_CALLS_MAX,
                "too many calls wait for a host; one fails at once"
            );
            return None;
        };
        self.permit = Some(permit);
        // Changes are noticed from here on, also between two waits; earlier ones by the pause.
        self.status.mark_unchanged();
        self.until = self.until.min(Instant::now() + HOST_WAIT_MAX);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::future::Future;
    use std::pin::pin;
    use std::sync::LazyLock;

    use futures_util::FutureExt;
    use tokio::task::unconstrained;
    use weft_membership::HostId;
    use weft_membership::routing::Router;

    use super::*;
    use crate::bus_return::SETTLE_TIME;
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

        fn lose_bus(&self) {
            let since = Instant::now();
            let reason = None;
            self.bus
                .send_replace(Status::Disconnected { since, reason });
        }

        fn return_bus(&self) {
            let since = Instant::now();
            self.bus.send_replace(Status::Connected { since });
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
    /// The result of a future that is ready at once. Many in one test exceed the budget of a task.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        pin!(unconstrained(future)).as_mut().now_or_never()
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
        let refused = Outcome::NotRun(FailureCode::Unreachable);
        for (is_idempotent, outcome) in [(false, refused), (true, Outcome::Lost)] {
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
        caller.lose_bus();
        attempts.outcome(Outcome::NotSent);
        assert_eq!(now(attempts.next()), None, "the bus is unavailable");
        tokio::time::advance(RETRY_PAUSE_MAX).await;
        assert_eq!(now(attempts.next()), None, "the bus is still unavailable");
        caller.return_bus();
        let attempt = now(attempts.next()).expect("the bus is available");
        assert_eq!(attempt.map(|attempt| attempt.host), Ok(OTHER));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_bus_returned_unnoticed_is_sent_again_soon() {
        for outcome in [Outcome::NotSent, Outcome::BusLost] {
            let mut caller = Caller::new();
            caller.discover(OTHER);
            let router = caller.router.clone();
            let mut attempts = call(&router, true);
            let began = Instant::now();
            for attempt in 1..=3 {
                assert_eq!(attempts.next().await.map(|attempt| attempt.host), Ok(OTHER));
                attempts.outcome(outcome);
                assert!(began.elapsed() <= attempt * RETRY_PAUSE_MAX, "{outcome:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_without_responders_are_tried_again_until_they_are_back() {
        for outcome in [Outcome::NoResponders, Outcome::NotBack] {
            let mut caller = Caller::new();
            caller.discover(OTHER);
            let router = caller.router.clone();
            let mut attempts = call(&router, false);
            let began = Instant::now();
            let mut tries = 0_u32;
            while began.elapsed() < HOST_WAIT_MAX / 2 {
                assert_eq!(attempts.next().await.map(|attempt| attempt.host), Ok(OTHER));
                attempts.outcome(outcome);
                tries += 1;
            }
            let least = HOST_WAIT_MAX.as_millis() / 2 / RETRY_PAUSE_MAX.as_millis();
            assert!(u128::from(tries) >= least, "{tries}");
            assert!(
                u128::from(tries) <= least + 5,
                "each after a pause: {tries}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_to_hosts_without_responders_fails_in_time() {
        let mut caller = Caller::new();
        caller.discover(OTHER);
        let router = caller.router.clone();
        let mut attempts = call(&router, false);
        let began = Instant::now();
        let code = loop {
            match attempts.next().await {
                Ok(_) => attempts.outcome(Outcome::NoResponders),
                Err(code) => break code,
            }
        };
        assert_eq!(code, FailureCode::Unreachable);
        assert!(began.elapsed() <= HOST_WAIT_MAX + RETRY_PAUSE_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn missing_responders_prove_nothing_soon_after_a_return_of_the_bus() {
        let caller = Caller::new();
        let outcome = |outcome| caller.router.after_return(outcome);
        assert_eq!(outcome(Outcome::NoResponders), Outcome::NotBack);
        assert_eq!(outcome(Outcome::Lost), Outcome::Lost);
        tokio::time::advance(SETTLE_TIME).await;
        assert_eq!(outcome(Outcome::NoResponders), Outcome::NoResponders);
        caller.lose_bus();
        assert!(!caller.router.is_bus_up());
        caller.return_bus();
        assert_eq!(outcome(Outcome::NoResponders), Outcome::NotBack);
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
    async fn a_call_does_not_wait_for_a_component_that_no_host_may_run() {
        let mut caller = Caller::new();
        let unplaceable = watch::Sender::<Arc<_>>::default();
        let router = caller.router.clone();
        let router = router.with_unplaceable(unplaceable.subscribe());
        let mut attempts = call(&router, false);
        assert_eq!(now(attempts.next()), None);
        let reason = "2 hosts: label `cloud` is not `a`".to_owned();
        let found = BTreeMap::from([(CART.clone(), reason.clone())]);
        unplaceable.send_replace(Arc::new(found));
        // A call that waits does not wait any longer.
        let failed = Some(Err(FailureCode::Unreachable));
        assert_eq!(now(attempts.next()), failed);
        assert_eq!(now(call(&router, true).next()), failed);
        assert_eq!(router.unplaceable(&CART), Some(reason));
        // What serves goes on serving.
        caller.discover(OTHER);
        let attempt = now(call(&router, false).next()).expect("a host is available");
        assert_eq!(attempt.map(|attempt| attempt.host), Ok(OTHER));
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
