//! The way of one call: which host it is sent to, and whether and where it is sent again.

use std::sync::Arc;
use std::time::Duration;

use weft_wire::FailureCode;

use super::outcome::Outcome;
use super::power_of_two::{Repeat, Selection, Selector};
use super::table::Candidates;
use crate::HostId;
use crate::{Moment, Random};

/// To how many hosts a call is sent at most: to all replicas where there are as many as usual, and to no more
/// than a caller has time for.
pub const ATTEMPTS_MAX: usize = 4;

/// The shortest time that an attempt is given before another host is tried: a call that takes longer than
/// half of its deadline is not made twice for that if the deadline is short.
pub const ATTEMPT_TIME_MIN: Duration = Duration::from_millis(100);

/// What the way of a call depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Until when whoever called waits.
    pub deadline: Moment,
    /// Whether it may be made twice.
    pub repeat: Repeat,
}

/// What is to be done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send it.
    Send(Attempt),
    /// Nobody is left to whom it could be sent: none of those that are known, or the bus is away. It goes on
    /// once there is news ([`Route::renew`]); whoever does not wait for that gives up with this code.
    Nobody(FailureCode),
    /// Tell whoever called that it has failed, with this code.
    GiveUp(FailureCode),
}

/// One sending of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// To whom.
    pub host: HostId,
    /// Until when an answer is waited for. What comes later is not an answer any more.
    pub until: Moment,
}

/// The way of one call.
///
/// [`next`](Self::next) says what to do, [`outcome`](Self::outcome) is told how it ended, until there is an
/// answer or nothing is left to do. No host is asked twice unless the bus was lost meanwhile, and there are at
/// most [`ATTEMPTS_MAX`] attempts. Dropping it says that nobody waits any more. It allocates nothing.
///
/// ```
/// # use std::time::Duration;
/// # use weft_membership::{Moment, Random};
/// # use weft_membership::{HostId, Identity, Membership};
/// # use weft_membership::message::{ComponentId, Contents, Holding, Readiness, Revision};
/// use weft_membership::routing::{Call, Decision, Outcome, Repeat, Route, Router};
///
/// # let (own, now) = (HostId::from_key([1; 32]), Moment::START);
/// # let component = ComponentId { app: "shop".parse()?, component: "cart".parse()? };
/// # let contents = Contents {
/// #     components: vec![Holding {
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
    /// Which candidates were asked, the latest last; the first `tried_count` count.
    tried: [usize; ATTEMPTS_MAX],
    tried_count: usize,
    /// How many times the call was sent: more than were asked if some of these are not known any more.
    attempts: usize,
    /// Whether the bus was away at the last attempt, which it is for all candidates.
    is_bus_down: bool,
    /// The attempt of which the outcome is not known yet.
    in_flight: Option<Selection>,
    progress: Progress,
}

/// What the attempts that have ended mean for those to come.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The call has ended, and this is what is told to whoever asks again.
    final_code: Option<FailureCode>,
    /// It may have run at some host.
    may_have_run: bool,
    /// Sending it again has to be paid for.
    needs_budget: bool,
    /// Why it has not run, the code that tells most.
    not_run: Option<FailureCode>,
}

impl Route {
    /// The way of a call to one of these. The same random numbers lead the same way.
    #[must_use]
    pub fn new(candidates: Arc<Candidates>, call: Call, random: Random) -> Self {
        Self {
            candidates,
            call,
            random,
            tried: [0; ATTEMPTS_MAX],
            tried_count: 0,
            attempts: 0,
            is_bus_down: false,
            in_flight: None,
            progress: Progress::default(),
        }
    }

    /// What is to be done now. An attempt whose outcome was not told counts as lost.
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
            return Decision::Nobody(self.progress.code());
        }
        let Some(selection) = self.select(now) else {
            return self.progress.without_candidates();
        };
        if self.may_send() {
            return Decision::Send(self.send(selection, now));
        }
        self.release(selection);
        Decision::GiveUp(self.progress.code())
    }

    /// Tells how the attempt that is under way ended; if there is none, nothing happens.
    pub fn outcome(&mut self, outcome: Outcome, now: Moment) {
        let Some(in_flight) = self.in_flight.take() else {
            return;
        };
        let endpoint = self.candidates.endpoint(in_flight.index);
        endpoint.end_call();
        endpoint.on_outcome(outcome, now, &mut self.random);
        self.release(in_flight);
        self.progress.on_outcome(outcome, self.call.repeat);
        if matches!(outcome, Outcome::NotSent | Outcome::BusLost) {
            // It is not the host that was tried and found wanting.
            self.is_bus_down = true;
            self.tried_count -= 1;
        }
        if outcome == Outcome::NotSent {
            self.attempts -= 1;
        }
    }

    /// Goes on among these, who are known by now, or with the bus that is back. Those that were asked already,
    /// and have not been started anew since, are not asked again.
    pub fn renew(&mut self, candidates: Arc<Candidates>) {
        self.abandon();
        self.is_bus_down = false;
        let mut remaining = 0;
        for nth in 0..self.tried_count {
            let tried = self.candidates.endpoint(self.tried[nth]);
            if let Some(index) = candidates.position(tried) {
                self.tried[remaining] = index;
                remaining += 1;
            }
        }
        self.tried_count = remaining;
        self.candidates = candidates;
    }

    /// How many times the call was sent.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.attempts
    }

    fn select(&mut self, now: Moment) -> Option<Selection> {
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

    /// Whether the call may be sent: the first time always, then if it is free or can be paid for.
    fn may_send(&self) -> bool {
        let budget = self.candidates.budget();
        if self.attempts == 0 {
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

    /// Until when an attempt that begins now may take: half of the time that is left if another one could
    /// follow, and all of it otherwise.
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

    /// Nobody waits for the attempt any more that is under way.
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
            // Such an attempt has all the time that there is.
            (Outcome::TimedOut, Repeat::Never) => Some(FailureCode::Deadline),
            _ => None,
        };
        let code = match outcome {
            Outcome::NotRun(code) => Some(code),
            Outcome::NoResponders | Outcome::NotSent => Some(FailureCode::Unreachable),
            Outcome::Answered | Outcome::TimedOut | Outcome::Lost | Outcome::BusLost => None,
        };
        // The bus alone answers that nobody listens, which is cheap and stops with the first such answer.
        self.needs_budget = !matches!(outcome, Outcome::NoResponders | Outcome::NotSent);
        if code.map(rank) > self.not_run.map(rank) {
            self.not_run = code;
        }
    }

    /// What is to be done when every candidate was asked: hosts that are busy or refuse the call have answered
    /// it, and those that are lost have not.
    fn without_candidates(&self) -> Decision {
        match self.code() {
            code @ (FailureCode::Unreachable | FailureCode::MaybeExecuted) => {
                Decision::Nobody(code)
            }
            code => Decision::GiveUp(code),
        }
    }

    /// The code for giving up now.
    fn code(&self) -> FailureCode {
        if self.may_have_run {
            return FailureCode::MaybeExecuted;
        }
        self.not_run.unwrap_or(FailureCode::Unreachable)
    }
}

/// How much a code tells of why a call has not run: that a host is busy, than that another one is gone.
fn rank(code: FailureCode) -> u8 {
    match code {
        FailureCode::Busy => 2,
        FailureCode::Refused => 1,
        _ => 0,
    }
}
