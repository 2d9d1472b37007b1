//! Route of one call: the sequence of hosts that it is sent to.

use std::sync::Arc;
use std::time::Duration;

use weft_wire::FailureCode;

use super::outcome::Outcome;
use super::power_of_two::{Repeat, Selection, Selector};
use super::table::Candidates;
use crate::HostId;
use crate::{Moment, Random};

/// Maximum number of hosts that a call is sent to: all replicas in a usual lattice, and no more
/// than fit into a deadline.
pub const ATTEMPTS_MAX: usize = 4;

/// Shortest time of an attempt before another host is tried, so that a short deadline does not
/// repeat a call that merely takes longer than half of it.
pub const ATTEMPT_TIME_MIN: Duration = Duration::from_millis(100);

/// The properties of a call that determine its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The time until which the caller waits.
    pub deadline: Moment,
    /// Permission to run the call twice.
    pub repeat: Repeat,
}

/// The next step of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send the call.
    Send(Attempt),
    /// No host is left to try: all known ones were tried, or the bus is down. The call can continue
    /// after [`Route::renew`]; a caller that does not wait fails with this code. A caller that
    /// waits renews after each change of the table or the bus, and now and then, because a host
    /// without responders may be back.
    NoCandidate(FailureCode),
    /// Fail the call with this code.
    GiveUp(FailureCode),
}

/// One attempt to run a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The host to send the call to.
    pub host: HostId,
    /// The end of the wait for a reply. Later replies are ignored.
    pub until: Moment,
}

/// The route of one call.
///
/// Alternate [`next`](Self::next), which returns the next step, and [`outcome`](Self::outcome),
/// which records the result, until the call is answered or has failed. No host is tried twice
/// unless it had no responders or the bus was lost meanwhile, and at most [`ATTEMPTS_MAX`] attempts
/// reach a host. Dropping the route abandons the call. A route does not allocate.
///
/// ```
/// # use std::time::Duration;
/// # use weft_membership::{Moment, Random};
/// # use weft_membership::{HostId, Identity, Membership};
/// # use weft_membership::message::{ComponentId, Contents, HostedComponent, Readiness, Revision};
/// use weft_membership::routing::{Call, Decision, Outcome, Repeat, Route, Router};
///
/// # let (own, now) = (HostId::from_key([1; 32]), Moment::START);
/// # let component = ComponentId { app: "shop".parse()?, component: "cart".parse()? };
/// # let contents = Contents {
/// #     components: vec![HostedComponent {
/// #         component: component.clone(),
/// #         revision: Revision(1),
/// #         readiness: Readiness::Ready,
/// #     }],
/// #     ..Contents::default()
/// # };
/// # let identity = Identity { lattice: "demo".to_owned(), host: own, incarnation: 1 };
/// # let membership = Membership::new(identity, contents)?;
/// let mut router = Router::new(own);
/// router.refresh(membership.view());
/// let table = router.table();
/// let candidates = table.any(&component).ok_or("no host has it")?;
///
/// let call = Call { deadline: now + Duration::from_secs(1), repeat: Repeat::Never };
/// let mut route = Route::new(candidates.clone(), call, Random::from_seed(7));
/// let Decision::Send(attempt) = route.next(now) else {
///     return Err("there is a host".into());
/// };
/// assert_eq!(attempt.host, own);
/// route.outcome(Outcome::Answered, now);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Route {
    candidates: Arc<Candidates>,
    call: Call,
    random: Random,
    /// Indices of tried candidates, in order; the first `tried_count` are valid.
    tried: [usize; ATTEMPTS_MAX],
    tried_count: usize,
    /// The tried candidates that had no responders, which may be back after a renewal.
    absent: [bool; ATTEMPTS_MAX],
    /// True if the bus returned so recently that an absent candidate may be about to return.
    is_settling: bool,
    /// Number of attempts that may have reached a host. Above `tried_count` if some tried
    /// candidates are no longer known.
    attempts: usize,
    /// True once the call was added to the retry budget.
    has_deposited: bool,
    /// True if the bus was down at the last attempt, which affects all candidates.
    is_bus_down: bool,
    /// The attempt without an outcome yet.
    in_flight: Option<Selection>,
    progress: Progress,
}

/// Consequences of the ended attempts for later ones.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The code to fail with once the call has ended.
    final_code: Option<FailureCode>,
    /// The call may have run at some host.
    may_have_run: bool,
    /// Sending the call again takes from the retry budget.
    needs_budget: bool,
    /// The most informative reason why the call has not run.
    not_run: Option<FailureCode>,
}

impl Route {
    /// Starts the route of a call among these candidates. The same random numbers give the same
    /// route.
    #[must_use]
    pub fn new(candidates: Arc<Candidates>, call: Call, random: Random) -> Self {
        Self {
            candidates,
            call,
            random,
            tried: [0; ATTEMPTS_MAX],
            tried_count: 0,
            absent: [false; ATTEMPTS_MAX],
            is_settling: false,
            attempts: 0,
            has_deposited: false,
            is_bus_down: false,
            in_flight: None,
            progress: Progress::default(),
        }
    }

    /// Returns the next step. An attempt without an outcome counts as lost.
    pub fn next(&mut self, now: Moment) -> Decision {
        if self.in_flight.is_some() {
            self.outcome(Outcome::Lost, now);
        }
        if let Some(code) = self.progress.final_code {
            return Decision::GiveUp(code);
        }
        if self.call.deadline <= now {
            return Decision::GiveUp(FailureCode::Deadline);
        }
        if self.attempts == ATTEMPTS_MAX {
            return Decision::GiveUp(self.progress.code());
        }
        if self.is_bus_down {
            return Decision::NoCandidate(self.progress.code());
        }
        let Some(selection) = self.select(now) else {
            return match self.is_settling {
                true => Decision::NoCandidate(self.progress.code()),
                false => self.progress.without_candidates(),
            };
        };
        if self.may_send() {
            return Decision::Send(self.send(selection, now));
        }
        self.release(selection);
        Decision::GiveUp(self.progress.code())
    }

    /// Applies the outcome of the current attempt; no-op without one.
    pub fn outcome(&mut self, outcome: Outcome, now: Moment) {
        let Some(in_flight) = self.in_flight.take() else {
            return;
        };
        let endpoint = self.candidates.endpoint(in_flight.index);
        endpoint.end_call();
        endpoint.on_outcome(outcome, now, &mut self.random);
        self.release(in_flight);
        self.progress.on_outcome(outcome, self.call.repeat);
        match outcome {
            // The host was not really tried.
            Outcome::NotSent | Outcome::BusLost => {
                self.is_bus_down = true;
                self.tried_count -= 1;
            }
            Outcome::NoResponders | Outcome::NotBack => {
                self.absent[self.tried_count - 1] = true;
                self.is_settling |= outcome == Outcome::NotBack;
            }
            Outcome::Answered | Outcome::NotRun(_) | Outcome::TimedOut | Outcome::Lost => {}
        }
        if !outcome.has_reached_host() {
            self.attempts -= 1;
        }
    }

    /// Continues with new candidates, or with the same ones after a while. Candidates that were
    /// tried are not tried again, unless they restarted or were unavailable since, or had no
    /// responders.
    pub fn renew(&mut self, candidates: Arc<Candidates>) {
        self.abandon();
        (self.is_bus_down, self.is_settling) = (false, false);
        let mut remaining = 0;
        for nth in 0..self.tried_count {
            let tried = self.candidates.endpoint(self.tried[nth]);
            if std::mem::take(&mut self.absent[nth]) {
                continue;
            }
            if let Some(index) = candidates.position(tried) {
                self.tried[remaining] = index;
                remaining += 1;
            }
        }
        self.tried_count = remaining;
        self.candidates = candidates;
    }

    /// True if these are the candidates of the route.
    #[must_use]
    pub fn has_candidates(&self, candidates: &Arc<Candidates>) -> bool {
        Arc::ptr_eq(&self.candidates, candidates)
    }

    /// Number of attempts that may have reached a host.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.attempts
    }

    fn select(&mut self, now: Moment) -> Option<Selection> {
        if self.tried_count == ATTEMPTS_MAX {
            return None;
        }
        Selector {
            candidates: &self.candidates,
            tried: &self.tried[..self.tried_count],
            repeat: self.call.repeat,
            random: &mut self.random,
            now,
        }
        .select()
    }

    // === sending ===

    /// True if the call may be sent: always the first time, then if it is free or the budget covers
    /// it.
    fn may_send(&mut self) -> bool {
        let budget = self.candidates.budget();
        if !self.has_deposited {
            self.has_deposited = true;
            budget.deposit();
            return true;
        }
        !self.progress.needs_budget || budget.withdraw()
    }

    fn send(&mut self, selection: Selection, now: Moment) -> Attempt {
        self.tried[self.tried_count] = selection.index;
        self.tried_count += 1;
        self.attempts += 1;
        self.in_flight = Some(selection);
        let endpoint = self.candidates.endpoint(selection.index);
        endpoint.begin_call();
        Attempt {
            host: endpoint.id(),
            until: self.until(now),
        }
    }

    /// The end of an attempt that begins now: half of the remaining time if another attempt can
    /// follow, otherwise all of it.
    fn until(&self, now: Moment) -> Moment {
        let is_last = self.attempts == ATTEMPTS_MAX || self.tried_count == self.candidates.len();
        if is_last || self.call.repeat == Repeat::Never {
            return self.call.deadline;
        }
        let half = self.call.deadline.since(now) / 2;
        self.call.deadline.min(now + half.max(ATTEMPT_TIME_MIN))
    }

    fn release(&self, in_flight: Selection) {
        if in_flight.is_probe {
            self.candidates.endpoint(in_flight.index).end_probe();
        }
    }

    /// Ends the current attempt without an outcome.
    fn abandon(&mut self) {
        if let Some(in_flight) = self.in_flight.take() {
            self.candidates.endpoint(in_flight.index).end_call();
            self.release(in_flight);
        }
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        self.abandon();
    }
}

// === impl Progress ===

impl Progress {
    fn on_outcome(&mut self, outcome: Outcome, repeat: Repeat) {
        self.may_have_run |= outcome.may_have_run();
        self.final_code = match (outcome, repeat) {
            (Outcome::Answered, _) | (Outcome::Lost | Outcome::BusLost, Repeat::Never) => {
                Some(FailureCode::MaybeExecuted)
            }
            // Such an attempt had all of the remaining time.
            (Outcome::TimedOut, Repeat::Never) => Some(FailureCode::Deadline),
            _ => None,
        };
        let code = match outcome {
            Outcome::NotRun(code) => Some(code),
            Outcome::NoResponders | Outcome::NotBack | Outcome::NotSent => {
                Some(FailureCode::Unreachable)
            }
            Outcome::Answered | Outcome::TimedOut | Outcome::Lost | Outcome::BusLost => None,
        };
        // An answer of the bus itself is cheap, and the call has not reached a host.
        self.needs_budget = outcome.has_reached_host();
        if code.map(rank) > self.not_run.map(rank) {
            self.not_run = code;
        }
    }

    /// The next step when every candidate was tried: busy and refusing hosts have answered the
    /// call, lost ones have not.
    fn without_candidates(&self) -> Decision {
        match self.code() {
            code @ (FailureCode::Unreachable | FailureCode::MaybeExecuted) => {
                Decision::NoCandidate(code)
            }
            code => Decision::GiveUp(code),
        }
    }

    /// The code for failing now.
    fn code(&self) -> FailureCode {
        if self.may_have_run {
            return FailureCode::MaybeExecuted;
        }
        self.not_run.unwrap_or(FailureCode::Unreachable)
    }
}

/// The information in a code: a busy host is a better reason than a missing one.
fn rank(code: FailureCode) -> u8 {
    match code {
        FailureCode::Busy => 2,
        FailureCode::Refused => 1,
        _ => 0,
    }
}
