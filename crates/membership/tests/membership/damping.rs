//! Damping of hosts that fail repeatedly.

use std::time::Duration;

use proptest::prelude::*;
use weft_membership::{
    Change, DAMPING_FIRST, DAMPING_MAX, Event, FLAP_WINDOW, FLAPS_FREE, OUTAGES_MAX, Standing,
};

use weft_testkit::membership::{LocalHost, RemoteHost, config, contents, id};

/// Heartbeats, then silence until death, then another heartbeat.
fn flap(local: &mut LocalHost, other: &mut RemoteHost) {
    local.run_with(&mut [&mut *other], 1);
    local.run(Duration::from_secs(4));
    assert!(!local.host(1).is_alive());
    local.receive_heartbeat(other);
    assert!(local.host(1).is_alive());
}

/// Remaining time of damping.
fn damped_for(local: &LocalHost) -> Duration {
    match local.host(1).standing {
        Standing::Steady => Duration::ZERO,
        Standing::Damped { until } => until.since(local.now),
    }
}

#[test]
fn each_outage_within_the_window_doubles_the_wait_up_to_a_maximum() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::new(1);
    let mut expected = DAMPING_FIRST;
    for outage in 1..=OUTAGES_MAX + 3 {
        flap(&mut local, &mut other);
        if outage <= FLAPS_FREE {
            assert_eq!(damped_for(&local), Duration::ZERO);
            assert!(local.host(1).is_placeable());
        } else {
            assert_eq!(damped_for(&local), expected, "after {outage}");
            assert!(!local.host(1).is_placeable());
            expected = (expected * 2).min(DAMPING_MAX);
        }
    }
}

#[test]
fn a_damped_host_is_steady_after_its_wait_and_not_before() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::new(1);
    for _ in 0..=FLAPS_FREE {
        flap(&mut local, &mut other);
    }
    let steadied = Event::Host {
        host: id(1),
        change: Change::Steadied,
    };
    local.take_events();
    let seconds = DAMPING_FIRST.as_secs();
    local.run_with(&mut [&mut other], seconds - 1);
    assert!(!local.host(1).is_placeable());
    assert_eq!(local.take_events(), []);
    local.run_with(&mut [&mut other], 1);
    assert!(local.host(1).is_placeable());
    assert_eq!(local.take_events(), [steadied]);
}

#[test]
fn a_crash_loop_is_damped_even_if_no_silence_is_long_enough_for_death() {
    let mut local = LocalHost::settled();
    let mut damped = Duration::ZERO;
    for incarnation in 1..6 {
        let mut other = RemoteHost::with(1, incarnation, contents(&[], &["a"]));
        local.receive_heartbeat(&mut other);
        local.receive_inventory(other.inventory());
        damped = damped_for(&local);
        local.run(Duration::from_secs(1));
        assert!(local.host(1).is_alive());
    }
    assert!(damped > DAMPING_FIRST);
    let restarted = Event::Host {
        host: id(1),
        change: Change::Restarted,
    };
    let count = local.events.iter().filter(|event| **event == restarted);
    assert_eq!(count.count(), 4);
}

#[test]
fn old_outages_do_not_count() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::new(1);
    for _ in 0..4 {
        flap(&mut local, &mut other);
    }
    local.run_with(&mut [&mut other], FLAP_WINDOW.as_secs());
    flap(&mut local, &mut other);
    assert_eq!(damped_for(&local), Duration::ZERO);
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn no_pattern_of_silence_damps_for_longer_than_the_maximum(
        silences in prop::collection::vec(1_u64..30, 1..20),
    ) {
        let mut local = LocalHost::settled();
        let mut other = RemoteHost::new(1);
        for silence in silences {
            local.receive_heartbeat(&mut other);
            prop_assert!(damped_for(&local) <= DAMPING_MAX);
            local.run(Duration::from_secs(silence));
        }
        local.run_with(&mut [&mut other], DAMPING_MAX.as_secs() + 1);
        prop_assert!(local.host(1).is_placeable(), "stable for long enough");
    }
}
