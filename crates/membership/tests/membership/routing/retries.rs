//! Repeated calls, and the codes that callers get.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use weft_membership::Moment;
use weft_membership::routing::{
    ATTEMPT_TIME_MIN, ATTEMPTS_MAX, Decision, Outcome, RETRIES_SAVED_MAX, Repeat, Route,
};
use weft_wire::FailureCode;

use super::support::{DEADLINE, Rig, host_of, replica, replicas, sent};
use weft_testkit::membership::config;

const OUTCOMES: [Outcome; 9] = [
    Outcome::NotRun(FailureCode::Busy),
    Outcome::NotRun(FailureCode::Refused),
    Outcome::NoResponders,
    Outcome::NotBack,
    Outcome::NotSent,
    Outcome::TimedOut,
    Outcome::Lost,
    Outcome::BusLost,
    Outcome::Answered,
];

/// The code for a caller that does not wait.
#[track_caller]
fn failure_code(decision: Decision) -> FailureCode {
    match decision {
        Decision::GiveUp(code) | Decision::NoCandidate(code) => code,
        Decision::Send(attempt) => panic!("sent: {attempt:?}"),
    }
}

/// The route of a call between two replicas after attempts with these outcomes.
#[track_caller]
fn after(repeat: Repeat, outcomes: &[Outcome]) -> (Moment, Route) {
    let mut rig = Rig::new(&replicas(2));
    let (now, mut route) = (rig.now(), rig.route(repeat));
    for outcome in outcomes {
        sent(route.next(now));
        route.outcome(*outcome, now);
    }
    (now, route)
}

fn any_repeat() -> impl Strategy<Value = Repeat> {
    prop::sample::select(vec![Repeat::Idempotent, Repeat::Never])
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn every_call_ends_within_its_attempts_and_tries_no_host_twice(
        count in 1_u8..8,
        calls in prop::collection::vec(
            (any_repeat(), prop::collection::vec((prop::sample::select(&OUTCOMES[..]), 0_u64..300), 9)),
            1..20,
        ),
    ) {
        let mut rig = Rig::new(&replicas(count));
        for (repeat, outcomes) in calls {
            let mut now = rig.now();
            let mut route = rig.route(repeat);
            let mut asked = BTreeSet::new();
            let mut ran = false;
            for (outcome, takes_ms) in outcomes {
                let Decision::Send(attempt) = route.next(now) else {
                    break;
                };
                prop_assert!(asked.insert(attempt.host), "no host is tried twice");
                prop_assert!(now < attempt.until && attempt.until <= rig.now() + DEADLINE);
                prop_assert!(!(ran && repeat == Repeat::Never), "it may have run already");
                now = attempt.until.min(now + Duration::from_millis(takes_ms));
                ran |= outcome.may_have_run();
                route.outcome(outcome, now);
                if outcome == Outcome::Answered {
                    break;
                }
            }
            let bound = ATTEMPTS_MAX.min(usize::from(count));
            prop_assert!(route.attempts() <= bound);
            let (Decision::GiveUp(code) | Decision::NoCandidate(code)) = route.next(now) else {
                prop_assert!(route.attempts() < bound, "there was more to try");
                continue;
            };
            let may_have_run = [FailureCode::MaybeExecuted, FailureCode::Deadline];
            prop_assert!(!ran || may_have_run.contains(&code), "{code}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_route(seed in 0_u64..1_000) {
        let routes = [(); 2].map(|()| {
            let mut rig = Rig::new(&replicas(5));
            (0..seed % 7).for_each(|_| drop(rig.route(Repeat::Never)));
            let (now, mut route) = (rig.now(), rig.route(Repeat::Idempotent));
            let mut hosts = Vec::new();
            while let Some(host) = host_of(route.next(now)) {
                hosts.push(host);
                route.outcome(Outcome::NoResponders, now);
            }
            hosts
        });
        prop_assert_eq!(&routes[0], &routes[1]);
    }
}

#[test]
fn the_failure_code_reflects_all_attempts() {
    use FailureCode::{Busy, Deadline, MaybeExecuted, Refused, Unreachable};
    let [busy, refused, nobody, not_back, unsent, late, lost, cut, _] = OUTCOMES;
    let cases: [(Repeat, &[Outcome], FailureCode); 16] = [
        (Repeat::Never, &[nobody, nobody], Unreachable),
        (Repeat::Never, &[not_back, nobody], Unreachable),
        (Repeat::Never, &[unsent], Unreachable),
        (Repeat::Never, &[nobody, unsent], Unreachable),
        (Repeat::Never, &[cut], MaybeExecuted),
        (Repeat::Never, &[busy, busy], Busy),
        (Repeat::Never, &[busy, nobody], Busy),
        (Repeat::Never, &[nobody, busy], Busy),
        (Repeat::Never, &[refused, nobody], Refused),
        (Repeat::Never, &[lost], MaybeExecuted),
        (Repeat::Never, &[busy, lost], MaybeExecuted),
        (Repeat::Never, &[late], Deadline),
        (Repeat::Idempotent, &[lost, nobody], MaybeExecuted),
        (Repeat::Idempotent, &[late, busy], MaybeExecuted),
        (Repeat::Idempotent, &[lost, lost], MaybeExecuted),
        (Repeat::Idempotent, &[cut], MaybeExecuted),
    ];
    for (repeat, outcomes, expected) in cases {
        let (now, mut route) = after(repeat, outcomes);
        let decision = route.next(now);
        assert_eq!(failure_code(decision), expected, "{repeat:?} {outcomes:?}");
        assert_eq!(route.next(now), decision, "repeated");
    }
}

#[test]
fn a_call_continues_if_every_host_was_lost_and_ends_if_one_answered() {
    let [busy, refused, nobody, not_back, unsent, _, lost, cut, _] = OUTCOMES;
    let cases: [(Repeat, &[Outcome], bool); 11] = [
        (Repeat::Never, &[nobody, nobody], true),
        (Repeat::Never, &[not_back, not_back], true),
        (Repeat::Never, &[busy, not_back], true),
        (Repeat::Never, &[unsent], true),
        (Repeat::Idempotent, &[lost, nobody], true),
        (Repeat::Idempotent, &[cut], true),
        (Repeat::Never, &[busy, nobody], false),
        (Repeat::Never, &[refused, nobody], false),
        (Repeat::Never, &[nobody, lost], false),
        (Repeat::Never, &[cut], false),
        (Repeat::Idempotent, &[busy, busy], false),
    ];
    for (repeat, outcomes, goes_on) in cases {
        let (now, mut route) = after(repeat, outcomes);
        let decision = route.next(now);
        let waits = matches!(decision, Decision::NoCandidate(_));
        assert_eq!(waits, goes_on, "{repeat:?} {outcomes:?}: {decision:?}");
    }
}

#[test]
fn a_renewed_call_continues_at_new_hosts() {
    let mut rig = Rig::new(&replicas(1));
    let (now, mut route) = (rig.now(), rig.route(Repeat::Never));
    let first = sent(route.next(now)).host;
    route.outcome(Outcome::NotRun(FailureCode::Unreachable), now);
    route.renew(rig.candidates());
    assert_eq!(
        route.next(now),
        Decision::NoCandidate(FailureCode::Unreachable),
        "a host that has answered is not tried again"
    );
    rig.add_replica(&replica(2));
    rig.refresh();
    route.renew(rig.candidates());
    let now = rig.now();
    assert_ne!(sent(route.next(now)).host, first);
    route.outcome(Outcome::NotRun(FailureCode::Unreachable), now);
    route.renew(rig.candidates());
    assert_eq!(failure_code(route.next(now)), FailureCode::Unreachable);
    assert_eq!(route.attempts(), 2);
}

#[test]
fn hosts_without_responders_are_tried_again_after_a_renewal() {
    for outcome in [Outcome::NoResponders, Outcome::NotBack] {
        let mut rig = Rig::new(&replicas(2));
        let (now, mut route) = (rig.now(), rig.route(Repeat::Never));
        // More often than hosts that have the call may be tried.
        for _ in 0..2 * ATTEMPTS_MAX {
            let tried: BTreeSet<_> = [(); 2]
                .map(|()| {
                    let host = sent(route.next(now)).host;
                    route.outcome(outcome, now);
                    host
                })
                .into();
            assert_eq!(tried.len(), 2, "each host once");
            assert_eq!(
                route.next(now),
                Decision::NoCandidate(FailureCode::Unreachable)
            );
            route.renew(rig.candidates());
        }
        sent(route.next(now));
        route.outcome(Outcome::Answered, now);
        assert_eq!(route.attempts(), 1, "{outcome:?}");
    }
}

#[test]
fn a_renewal_tries_the_hosts_that_were_left_out() {
    let mut rig = Rig::new(&replicas(7));
    let (now, mut route) = (rig.now(), rig.route(Repeat::Never));
    let mut tried = BTreeSet::new();
    for _ in 0..2 {
        while let Some(host) = host_of(route.next(now)) {
            tried.insert(host);
            route.outcome(Outcome::NoResponders, now);
        }
        route.renew(rig.candidates());
    }
    assert_eq!(tried.len(), 7, "hosts without responders come last");
}

#[test]
fn when_the_bus_returns_a_call_goes_to_the_same_host() {
    for (repeat, outcome, attempts) in [
        (Repeat::Never, Outcome::NotSent, 1),
        (Repeat::Idempotent, Outcome::BusLost, 2),
    ] {
        let mut rig = Rig::new(&replicas(1));
        let (now, mut route) = (rig.now(), rig.route(repeat));
        let first = sent(route.next(now)).host;
        route.outcome(outcome, now);
        assert!(matches!(route.next(now), Decision::NoCandidate(_)));
        route.renew(rig.candidates());
        assert_eq!(sent(route.next(now)).host, first);
        assert_eq!(route.attempts(), attempts, "{outcome:?}");
    }
}

#[test]
fn renewing_a_call_does_not_raise_its_attempts() {
    let mut rig = Rig::new(&replicas(1));
    let (now, mut route) = (rig.now(), rig.route(Repeat::Idempotent));
    for _ in 0..ATTEMPTS_MAX {
        sent(route.next(now));
        route.outcome(Outcome::BusLost, now);
        route.renew(rig.candidates());
    }
    assert_eq!(
        route.next(now),
        Decision::GiveUp(FailureCode::MaybeExecuted)
    );
}

#[test]
fn failure_replies_move_a_call_only_if_it_has_not_run() {
    for code in FailureCode::ALL {
        let outcome = Outcome::of_failure(code);
        let expected = matches!(
            code,
            FailureCode::Unreachable | FailureCode::Busy | FailureCode::Refused
        );
        assert_eq!(!outcome.may_have_run(), expected, "{code}");
    }
}

#[test]
fn nothing_is_sent_after_the_deadline() {
    let mut rig = Rig::new(&replicas(2));
    let end = rig.now() + DEADLINE;
    let mut route = rig.route(Repeat::Idempotent);
    assert_eq!(route.next(end), Decision::GiveUp(FailureCode::Deadline));
    let mut route = rig.route(Repeat::Never);
    sent(route.next(rig.now()));
    route.outcome(Outcome::NotRun(FailureCode::Busy), end);
    assert_eq!(route.next(end), Decision::GiveUp(FailureCode::Deadline));
}

#[test]
fn an_attempt_that_can_be_followed_by_another_gets_half_of_the_remaining_time() {
    let mut rig = Rig::new(&replicas(3));
    let start = rig.now();
    let until = |now, repeat: Repeat, rig: &mut Rig| sent(rig.route(repeat).next(now)).until;
    assert_eq!(until(start, Repeat::Never, &mut rig), start + DEADLINE);
    assert_eq!(
        until(start, Repeat::Idempotent, &mut rig),
        start + DEADLINE / 2
    );
    let late = start + (DEADLINE - ATTEMPT_TIME_MIN / 2);
    assert_eq!(until(late, Repeat::Idempotent, &mut rig), start + DEADLINE);

    let mut route = rig.route(Repeat::Idempotent);
    let mut now = start;
    let mut ends = Vec::new();
    while let Decision::Send(attempt) = route.next(now) {
        now = attempt.until;
        ends.push(now.since(start));
        route.outcome(Outcome::TimedOut, now);
    }
    assert_eq!(ends, [DEADLINE / 2, DEADLINE / 4 * 3, DEADLINE]);
}

#[test]
fn an_attempt_without_an_outcome_counts_as_lost() {
    let mut rig = Rig::new(&replicas(2));
    let now = rig.now();
    let mut route = rig.route(Repeat::Never);
    sent(route.next(now));
    assert_eq!(
        route.next(now),
        Decision::GiveUp(FailureCode::MaybeExecuted)
    );
    let mut route = rig.route(Repeat::Idempotent);
    let first = sent(route.next(now)).host;
    assert_ne!(sent(route.next(now)).host, first);
    // An outcome without an attempt is ignored.
    let mut route = rig.route(Repeat::Never);
    route.outcome(Outcome::Lost, now);
    sent(route.next(now));
}

/// Number of calls that are sent a second time if the first attempt always has this outcome.
fn retried(outcome: Outcome, calls: u32) -> u32 {
    let mut rig = Rig::new(&replicas(2));
    let now = rig.now();
    let again = (0..calls).filter(|_| {
        let mut route = rig.route(Repeat::Idempotent);
        sent(route.next(now));
        route.outcome(outcome, now);
        host_of(route.next(now)).is_some()
    });
    u32::try_from(again.count()).expect("fits")
}

#[test]
fn retries_are_bounded_by_the_budget() {
    for outcome in [Outcome::NotRun(FailureCode::Busy), Outcome::Lost] {
        let retries = retried(outcome, 5_000);
        assert!(
            retries <= RETRIES_SAVED_MAX + 1_000,
            "{outcome:?}: {retries}"
        );
        assert!(retries >= RETRIES_SAVED_MAX + 900, "{outcome:?}: {retries}");
    }
    assert_eq!(retried(Outcome::Lost, RETRIES_SAVED_MAX), RETRIES_SAVED_MAX);
}

#[test]
fn a_budget_persists_across_tables() {
    let mut rig = Rig::new(&replicas(3));
    let fails = |rig: &mut Rig| {
        let now = rig.now();
        let mut route = rig.route(Repeat::Idempotent);
        sent(route.next(now));
        route.outcome(Outcome::Lost, now);
        host_of(route.next(now)).is_none()
    };
    while !fails(&mut rig) {}
    rig.run(4, &[0, 1]);
    let failures = (0..4).filter(|_| fails(&mut rig)).count();
    assert!(failures >= 3, "{failures}");
}
