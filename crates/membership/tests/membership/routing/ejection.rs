//! Hosts that do not answer: ejection, probes, and the way back.

use std::time::Duration;

use proptest::prelude::*;
use weft_membership::HostId;
use weft_membership::routing::{
    Decision, EJECTED_FIRST, EJECTED_MAX, EJECTION_FORGOTTEN_AFTER, FAILURES_TO_EJECT, Outcome,
    PROBES_TO_RETURN, Repeat, Router,
};
use weft_membership::{Moment, Random};

use super::support::{Rig, host_of, replicas, sent};
use weft_testkit::membership::{RemoteHost, config, contents, id};

/// One call to a host that ends so; calls that would go elsewhere are not made.
fn call(rig: &mut Rig, host: HostId, repeat: Repeat, outcome: Outcome) -> bool {
    let now = rig.now();
    for _ in 0..200 {
        let mut route = rig.route(repeat);
        if sent(route.next(now)).host == host {
            route.outcome(outcome, now);
            return true;
        }
    }
    false
}

fn reaches(rig: &mut Rig, host: HostId, repeat: Repeat) -> bool {
    let now = rig.now();
    (0..200).any(|_| sent(rig.route(repeat).next(now)).host == host)
}

/// The hosts that the router would ask now whether they answer.
fn due(router: &Router, now: Moment) -> Vec<HostId> {
    router
        .probes(now)
        .iter()
        .map(|probe| probe.host())
        .collect()
}

#[test]
fn who_does_not_listen_is_ejected_at_once_and_who_is_silent_after_some_calls() {
    for (outcome, calls) in [
        (Outcome::NoResponders, 1),
        (Outcome::TimedOut, FAILURES_TO_EJECT),
    ] {
        let mut rig = Rig::new(&replicas(3));
        for _ in 0..calls {
            assert!(reaches(&mut rig, id(1), Repeat::Never), "{outcome:?}");
            assert!(call(&mut rig, id(1), Repeat::Never, outcome));
        }
        assert!(!reaches(&mut rig, id(1), Repeat::Never), "{outcome:?}");
        assert!(!reaches(&mut rig, id(1), Repeat::Idempotent), "{outcome:?}");
    }
}

#[test]
fn an_answer_in_between_forgives_failures_and_other_outcomes_are_not_held_against_a_host() {
    let mut rig = Rig::new(&replicas(2));
    for _ in 0..5 {
        for _ in 1..FAILURES_TO_EJECT {
            assert!(call(&mut rig, id(1), Repeat::Never, Outcome::TimedOut));
        }
        assert!(call(&mut rig, id(1), Repeat::Never, Outcome::Answered));
    }
    for outcome in [
        Outcome::NotSent,
        Outcome::Lost,
        Outcome::NotRun(weft_wire::FailureCode::Refused),
    ] {
        for _ in 0..=FAILURES_TO_EJECT {
            assert!(call(&mut rig, id(1), Repeat::Never, outcome), "{outcome:?}");
        }
    }
}

#[test]
fn if_nobody_answers_trying_is_better_than_giving_up() {
    let mut rig = Rig::new(&replicas(2));
    for key in [1, 2] {
        assert!(call(
            &mut rig,
            id(key),
            Repeat::Never,
            Outcome::NoResponders
        ));
    }
    let now = rig.now();
    let mut route = rig.route(Repeat::Never);
    let first = sent(route.next(now)).host;
    route.outcome(Outcome::NoResponders, now);
    assert_ne!(sent(route.next(now)).host, first);
}

/// How long a host that was just ejected is so, to some milliseconds.
fn ejected_for(rig: &Rig) -> Duration {
    let step = Duration::from_millis(5);
    let mut time = Duration::ZERO;
    // A probe that is dropped has not been made.
    while due(&rig.router, rig.now() + time).is_empty() {
        time += step;
        assert!(time < EJECTED_MAX * 2);
    }
    time
}

#[test]
fn each_ejection_in_a_row_is_twice_as_long_up_to_the_longest_and_a_quarter_at_random() {
    let mut rig = Rig::new(&replicas(2));
    let mut random = Random::from_seed(9);
    assert!(call(&mut rig, id(1), Repeat::Never, Outcome::NoResponders));
    let mut expected = EJECTED_FIRST;
    for _ in 0..8 {
        let time = ejected_for(&rig);
        let step = Duration::from_millis(5);
        assert!(
            time >= expected / 4 * 3 && time <= expected / 4 * 5 + step,
            "{time:?}"
        );
        rig.local.now = rig.now() + time;
        let mut probes = rig.router.probes(rig.now());
        let probe = probes.pop().expect("it is due");
        assert_eq!(due(&rig.router, rig.now()), [], "one at a time");
        probe.outcome(Outcome::NoResponders, rig.now(), &mut random);
        expected = (expected * 2).min(EJECTED_MAX);
    }
}

#[test]
fn a_host_comes_back_after_some_answers_to_probes_of_idempotent_calls() {
    let mut rig = Rig::new(&replicas(2));
    assert!(call(&mut rig, id(1), Repeat::Never, Outcome::NoResponders));
    rig.local.now = rig.now() + EJECTED_FIRST * 2;
    for _ in 0..PROBES_TO_RETURN {
        let reached = reaches(&mut rig, id(1), Repeat::Never);
        assert!(!reached, "what may not be made twice does not find out");
        assert!(call(&mut rig, id(1), Repeat::Idempotent, Outcome::Answered));
    }
    assert!(reaches(&mut rig, id(1), Repeat::Never));
    assert_eq!(due(&rig.router, rig.now()), []);
}

#[test]
fn one_probe_at_a_time_and_one_that_nobody_waits_for_is_none() {
    let mut rig = Rig::new(&replicas(2));
    assert!(call(&mut rig, id(1), Repeat::Never, Outcome::NoResponders));
    rig.local.now = rig.now() + EJECTED_FIRST * 2;
    let now = rig.now();
    let probing = (0..200).find_map(|_| {
        let mut route = rig.route(Repeat::Idempotent);
        (sent(route.next(now)).host == id(1)).then_some(route)
    });
    let probing = probing.expect("somebody probes");
    assert!(!reaches(&mut rig, id(1), Repeat::Idempotent));
    assert_eq!(due(&rig.router, now), []);
    drop(probing);
    assert!(reaches(&mut rig, id(1), Repeat::Idempotent));
    assert_eq!(due(&rig.router, now), [id(1)]);
}

#[test]
fn a_failure_while_it_is_probed_ejects_again_for_longer() {
    let mut rig = Rig::new(&replicas(2));
    assert!(call(&mut rig, id(1), Repeat::Never, Outcome::NoResponders));
    rig.local.now = rig.now() + EJECTED_FIRST * 2;
    for _ in 1..PROBES_TO_RETURN {
        assert!(call(&mut rig, id(1), Repeat::Idempotent, Outcome::Answered));
    }
    assert!(call(&mut rig, id(1), Repeat::Idempotent, Outcome::TimedOut));
    assert!(!reaches(&mut rig, id(1), Repeat::Idempotent));
    assert!(ejected_for(&rig) >= EJECTED_FIRST * 2 / 4 * 3);
}

#[test]
fn an_ejection_is_forgotten_after_a_while_of_answers() {
    let mut rig = Rig::new(&replicas(2));
    let eject_and_return = |rig: &mut Rig| {
        assert!(call(rig, id(1), Repeat::Never, Outcome::NoResponders));
        let time = ejected_for(rig);
        rig.local.now = rig.now() + time;
        for _ in 0..PROBES_TO_RETURN {
            assert!(call(rig, id(1), Repeat::Idempotent, Outcome::Answered));
        }
        time
    };
    let times = [(); 3].map(|()| eject_and_return(&mut rig));
    assert!(times[2] > EJECTED_FIRST * 2, "{times:?}");
    rig.local.now = rig.now() + EJECTION_FORGOTTEN_AFTER;
    assert!(eject_and_return(&mut rig) <= EJECTED_FIRST * 2);
}

#[test]
fn a_new_life_of_a_host_begins_with_a_clean_slate() {
    let mut rig = Rig::new(&replicas(2));
    assert!(call(&mut rig, id(1), Repeat::Never, Outcome::NoResponders));
    let mut restarted = RemoteHost::with(1, 2, contents(&[], &[super::support::TARGET]));
    restarted.load = rig.senders[0].load;
    rig.local.receive_heartbeat(&mut restarted);
    rig.local.receive_inventory(restarted.inventory());
    rig.refresh();
    assert!(reaches(&mut rig, id(1), Repeat::Never));
}

#[test]
fn what_calls_have_learnt_lasts_from_table_to_table() {
    let mut rig = Rig::new(&replicas(3));
    assert!(call(&mut rig, id(1), Repeat::Never, Outcome::NoResponders));
    let inventory = rig.senders[2].change(contents(&[], &["other"]));
    rig.local.receive_inventory(inventory);
    assert!(rig.refresh(), "there is a new table");
    assert!(!reaches(&mut rig, id(1), Repeat::Never));
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn nobody_who_was_just_ejected_is_chosen_while_another_is_left(
        count in 2_u8..6,
        calls in prop::collection::vec((any::<bool>(), any::<u16>(), 0_u64..400), 1..80),
    ) {
        let mut rig = Rig::new(&replicas(count));
        // When each was last found not to listen, which ejects for three quarters of a second at least.
        let mut deaf_at = vec![None; usize::from(count)];
        for (idempotent, deaf, gap_ms) in calls {
            let now = rig.now();
            let repeat = if idempotent { Repeat::Idempotent } else { Repeat::Never };
            let mut route = rig.route(repeat);
            let mut asked = Vec::new();
            while let Decision::Send(attempt) = route.next(now) {
                let key = attempt.host.key()[0];
                let index = usize::from(key) - 1;
                let ejected = |index: usize| {
                    let deaf_at: Option<Moment> = deaf_at[index];
                    deaf_at.is_some_and(|at| now.since(at) < EJECTED_FIRST / 4 * 3)
                };
                let left = (0..usize::from(count)).filter(|other| !asked.contains(other));
                let never_deaf = left.filter(|other| deaf_at[*other].is_none()).count();
                prop_assert!(!ejected(index) || never_deaf == 0);
                asked.push(index);
                if deaf & (1 << key) == 0 {
                    route.outcome(Outcome::Answered, now);
                } else {
                    route.outcome(Outcome::NoResponders, now);
                    deaf_at[index] = Some(now);
                }
            }
            prop_assert!(host_of(route.next(now)).is_none());
            rig.local.now = now + Duration::from_millis(gap_ms);
        }
    }
}
