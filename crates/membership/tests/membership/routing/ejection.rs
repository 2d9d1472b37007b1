//! Unresponsive hosts: ejection, probes, and return.

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

/// Makes one call to a host with this outcome; calls routed elsewhere are dropped.
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

/// The hosts that the router would probe now.
fn due(router: &Router, now: Moment) -> Vec<HostId> {
    router
        .probes(now)
        .iter()
        .map(|probe| probe.host())
        .collect()
}

#[test]
fn a_host_is_ejected_at_once_without_responders_and_after_several_timeouts() {
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
fn an_answer_resets_failures_and_other_outcomes_do_not_count() {
    let mut rig = Rig::new(&replicas(2));
    for _ in 0..5 {
        for _ in 1..FAILURES_TO_EJECT {
            assert!(call(&mut rig, id(1), Repeat::Never, Outcome::TimedOut));
        }
        assert!(call(&mut rig, id(1), Repeat::Never, Outcome::Answered));
    }
    for outcome in [
        Outcome::NotBack,
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
fn ejected_hosts_are_tried_when_all_are_ejected() {
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

/// Ejection time of a host that was just ejected, to some milliseconds.
fn ejected_for(rig: &Rig) -> Duration {
    let step = Duration::from_millis(5);
    let mut time = Duration::ZERO;
    // A dropped probe counts as not made.
    while due(&rig.router, rig.now() + time).is_empty() {
        time += step;
        assert!(time < EJECTED_MAX * 2);
    }
    time
}

#[test]
fn consecutive_ejections_double_up_to_a_maximum_with_jitter() {
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
        let probe = probes.pop().expect("probe is due");
        assert_eq!(due(&rig.router, rig.now()), [], "one at a time");
        probe.outcome(Outcome::NoResponders, rig.now(), &mut random);
        expected = (expected * 2).min(EJECTED_MAX);
    }
}

#[test]
fn a_host_returns_after_successful_probes_by_idempotent_calls() {
    let mut rig = Rig::new(&replicas(2));
    assert!(call(&mut rig, id(1), Repeat::Never, Outcome::NoResponders));
    rig.local.now = rig.now() + EJECTED_FIRST * 2;
    for _ in 0..PROBES_TO_RETURN {
        let reached = reaches(&mut rig, id(1), Repeat::Never);
        assert!(!reached, "only idempotent calls are probes");
        assert!(call(&mut rig, id(1), Repeat::Idempotent, Outcome::Answered));
    }
    assert!(reaches(&mut rig, id(1), Repeat::Never));
    assert_eq!(due(&rig.router, rig.now()), []);
}

#[test]
fn probes_run_one_at_a_time_and_abandoned_ones_do_not_count() {
    let mut rig = Rig::new(&replicas(2));
    assert!(call(&mut rig, id(1), Repeat::Never, Outcome::NoResponders));
    rig.local.now = rig.now() + EJECTED_FIRST * 2;
    let now = rig.now();
    let probing = (0..200).find_map(|_| {
        let mut route = rig.route(Repeat::Idempotent);
        (sent(route.next(now)).host == id(1)).then_some(route)
    });
    let probing = probing.expect("a call is a probe");
    assert!(!reaches(&mut rig, id(1), Repeat::Idempotent));
    assert_eq!(due(&rig.router, now), []);
    drop(probing);
    assert!(reaches(&mut rig, id(1), Repeat::Idempotent));
    assert_eq!(due(&rig.router, now), [id(1)]);
}

#[test]
fn a_failed_probe_ejects_again_for_longer() {
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
fn an_ejection_is_forgotten_after_a_while_without_failures() {
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
fn a_restarted_host_begins_with_a_clean_record() {
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
fn ejections_persist_across_tables() {
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
    fn a_freshly_ejected_host_is_not_chosen_while_another_is_left(
        count in 2_u8..6,
        calls in prop::collection::vec((any::<bool>(), any::<u16>(), 0_u64..400), 1..80),
    ) {
        let mut rig = Rig::new(&replicas(count));
        // The last time that each host had no responders, which ejects it for at least three
        // quarters of a second.
        let mut unresponsive_since = vec![None; usize::from(count)];
        for (idempotent, deaf, gap_ms) in calls {
            let now = rig.now();
            let repeat = if idempotent { Repeat::Idempotent } else { Repeat::Never };
            let mut route = rig.route(repeat);
            let mut asked = Vec::new();
            while let Decision::Send(attempt) = route.next(now) {
                let key = attempt.host.key()[0];
                let index = usize::from(key) - 1;
                let ejected = |index: usize| {
                    let unresponsive_since: Option<Moment> = unresponsive_since[index];
                    unresponsive_since.is_some_and(|at| now.since(at) < EJECTED_FIRST / 4 * 3)
                };
                let left = (0..usize::from(count)).filter(|other| !asked.contains(other));
                let never_deaf = left.filter(|other| unresponsive_since[*other].is_none()).count();
                prop_assert!(!ejected(index) || never_deaf == 0);
                asked.push(index);
                if deaf & (1 << key) == 0 {
                    route.outcome(Outcome::Answered, now);
                } else {
                    route.outcome(Outcome::NoResponders, now);
                    unresponsive_since[index] = Some(now);
                }
            }
            prop_assert!(host_of(route.next(now)).is_none());
            rig.local.now = now + Duration::from_millis(gap_ms);
        }
    }
}
