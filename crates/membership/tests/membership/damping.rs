//! Hosts that come and go: for how long they get no work.

use std::time::Duration;

use proptest::prelude::*;
use weft_membership::{
    Change, DAMPING_FIRST, DAMPING_MAX, Event, FLAP_WINDOW, FLAPS_FREE, OUTAGES_MAX, Standing,
};

use weft_testkit::membership::{Sender, Watcher, config, contents, id};

/// A host that is heard, silent until it is dead, and heard again.
fn flap(watcher: &mut Watcher, other: &mut Sender) {
    watcher.run_with(&mut [&mut *other], 1);
    watcher.run(Duration::from_secs(4));
    assert!(!watcher.host(1).is_alive());
    watcher.hear(other);
    assert!(watcher.host(1).is_alive());
}

/// For how long it is damped from now on.
fn damped_for(watcher: &Watcher) -> Duration {
    match watcher.host(1).standing {
        Standing::Steady => Duration::ZERO,
        Standing::Damped { until } => until.since(watcher.now),
    }
}

#[test]
fn each_outage_within_the_window_doubles_the_wait_up_to_the_longest() {
    let mut watcher = Watcher::settled();
    let mut other = Sender::new(1);
    let mut expected = DAMPING_FIRST;
    for outage in 1..=OUTAGES_MAX + 3 {
        flap(&mut watcher, &mut other);
        if outage <= FLAPS_FREE {
            assert_eq!(damped_for(&watcher), Duration::ZERO);
            assert!(watcher.host(1).is_placeable());
        } else {
            assert_eq!(damped_for(&watcher), expected, "after {outage}");
            assert!(!watcher.host(1).is_placeable());
            expected = (expected * 2).min(DAMPING_MAX);
        }
    }
}

#[test]
fn a_damped_host_that_stays_is_steady_when_it_is_time_and_not_before() {
    let mut watcher = Watcher::settled();
    let mut other = Sender::new(1);
    for _ in 0..=FLAPS_FREE {
        flap(&mut watcher, &mut other);
    }
    let steadied = Event::Host {
        host: id(1),
        change: Change::Steadied,
    };
    watcher.take_events();
    let seconds = DAMPING_FIRST.as_secs();
    watcher.run_with(&mut [&mut other], seconds - 1);
    assert!(!watcher.host(1).is_placeable());
    assert_eq!(watcher.take_events(), []);
    watcher.run_with(&mut [&mut other], 1);
    assert!(watcher.host(1).is_placeable());
    assert_eq!(watcher.take_events(), [steadied]);
}

#[test]
fn a_crash_loop_is_damped_though_its_silences_are_too_short_to_be_dead() {
    let mut watcher = Watcher::settled();
    let mut damped = Duration::ZERO;
    for incarnation in 1..6 {
        let mut other = Sender::with(1, incarnation, contents(&[], &["a"]));
        watcher.hear(&mut other);
        watcher.learn(other.inventory());
        damped = damped_for(&watcher);
        watcher.run(Duration::from_secs(1));
        assert!(watcher.host(1).is_alive());
    }
    assert!(damped > DAMPING_FIRST);
    let restarted = Event::Host {
        host: id(1),
        change: Change::Restarted,
    };
    let count = watcher.events.iter().filter(|event| **event == restarted);
    assert_eq!(count.count(), 4);
}

#[test]
fn what_is_long_ago_does_not_count_any_more() {
    let mut watcher = Watcher::settled();
    let mut other = Sender::new(1);
    for _ in 0..4 {
        flap(&mut watcher, &mut other);
    }
    watcher.run_with(&mut [&mut other], FLAP_WINDOW.as_secs());
    flap(&mut watcher, &mut other);
    assert_eq!(damped_for(&watcher), Duration::ZERO);
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn no_pattern_of_silence_damps_for_longer_than_the_longest(
        silences in prop::collection::vec(1_u64..30, 1..20),
    ) {
        let mut watcher = Watcher::settled();
        let mut other = Sender::new(1);
        for silence in silences {
            watcher.hear(&mut other);
            prop_assert!(damped_for(&watcher) <= DAMPING_MAX);
            watcher.run(Duration::from_secs(silence));
        }
        watcher.run_with(&mut [&mut other], DAMPING_MAX.as_secs() + 1);
        prop_assert!(watcher.host(1).is_placeable(), "who stays for so long is steady");
    }
}
