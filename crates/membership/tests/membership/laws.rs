//! The laws of liveness: when a host is dead, what replays and clocks change, and what a frozen view is.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use weft_membership::Moment;
use weft_membership::message::HostState;
use weft_membership::{
    Change, DEAD_AFTER, Event, Freeze, HEARTBEAT_EVERY, Ignored, Liveness, SETTLE_AFTER_RETURN,
    SETTLE_AFTER_START, STALL_MIN, SUSPECT_AFTER, Standing, TICK_EVERY,
};

use weft_testkit::membership::{SECOND, Sender, Watcher, config, contents, id};

/// How much later than it was sent a heartbeat comes at most, in milliseconds.
const JITTER_MS: u64 = 900;

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn a_silent_host_is_dead_within_the_bound_and_never_before(
        phase_ms in prop_oneof![Just(0), 1_u64..250],
        heartbeats in 1_u64..5,
    ) {
        let mut watcher = Watcher::settled();
        let mut other = Sender::new(1);
        watcher.run_with(&mut [&mut other], heartbeats);
        // The last one comes at no particular time between two ticks.
        watcher.now = watcher.now + Duration::from_millis(phase_ms);
        watcher.membership.on_heartbeat(watcher.now, other.heartbeat())?;
        let heard = watcher.now;
        watcher.now = heard + (TICK_EVERY - Duration::from_millis(phase_ms));
        loop {
            watcher.tick();
            let silence = watcher.now.since(heard);
            let expected = if silence >= DEAD_AFTER {
                Liveness::Dead
            } else if silence >= SUSPECT_AFTER {
                Liveness::Suspected
            } else {
                Liveness::Live
            };
            prop_assert_eq!(watcher.host(1).liveness, expected, "after {:?}", silence);
            if silence >= DEAD_AFTER + TICK_EVERY {
                break;
            }
            watcher.now = watcher.now + TICK_EVERY;
        }
        let died = Event::Host { host: id(1), change: Change::Died };
        prop_assert_eq!(watcher.events.iter().filter(|event| **event == died).count(), 1);
    }

    #[test]
    fn a_host_whose_heartbeats_come_with_jitter_is_never_dead(
        late_ms in vec(0..=JITTER_MS, 60),
        sent_ms in any::<u64>(),
    ) {
        let mut watcher = Watcher::settled();
        let mut other = Sender::new(1);
        other.sent_ms = sent_ms;
        let start = watcher.now;
        for (count, late_ms) in (0..).zip(late_ms) {
            let due = start + HEARTBEAT_EVERY * count + Duration::from_millis(late_ms);
            watcher.run(due.since(watcher.now));
            watcher.hear(&mut other);
            let host = watcher.host(1);
            prop_assert!(host.is_alive() && host.standing == Standing::Steady);
        }
        let outages = watcher.events.iter().filter(|event| {
            matches!(event, Event::Host { change: Change::Died | Change::Returned, .. })
        });
        prop_assert_eq!(outages.count(), 0);
    }

    #[test]
    fn replays_in_any_order_change_nothing(
        script in vec((0_u8..3, any::<bool>()), 1..25),
        replays in vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let (mut plain, mut replayed) = (Watcher::settled(), Watcher::settled());
        let mut senders = [Sender::new(1), Sender::new(2), Sender::new(3)];
        let (mut heartbeats, mut inventories) = (Vec::new(), Vec::new());
        let mut replays = replays.iter().cycle();
        for (step, (key, changes)) in script.into_iter().enumerate() {
            let sender = &mut senders[usize::from(key)];
            let step = format!("c{step}");
            let inventory = changes.then(|| sender.change(contents(&[], &[step.as_str()])));
            let heartbeat = sender.heartbeat();
            for watcher in [&mut plain, &mut replayed] {
                watcher.membership.on_heartbeat(watcher.now, heartbeat)?;
                if let Some(inventory) = &inventory {
                    watcher.membership.on_inventory(watcher.now, inventory.clone())?;
                }
            }
            heartbeats.push(heartbeat);
            inventories.extend(inventory);
            let again = replays.next().map(|index| *index.get(&heartbeats));
            if let Some(again) = again {
                let taken = replayed.membership.on_heartbeat(replayed.now, again);
                prop_assert_eq!(taken, Err(Ignored::Replayed));
            }
            if let (Some(index), false) = (replays.next(), inventories.is_empty()) {
                let again = index.get(&inventories).clone();
                let taken = replayed.membership.on_inventory(replayed.now, again);
                prop_assert_eq!(taken, Err(Ignored::Replayed));
            }
            plain.run(Duration::from_millis(400));
            replayed.run(Duration::from_millis(400));
            prop_assert_eq!(plain.membership.view(), replayed.membership.view());
        }
        prop_assert!(replayed.membership.tally().count(Ignored::Replayed) > 0);
        prop_assert_eq!(plain.membership.tally().count(Ignored::Replayed), 0);
    }

    #[test]
    fn clocks_of_others_decide_nothing(skews in vec(any::<u64>(), 1..20)) {
        let (mut right, mut wrong) = (Watcher::settled(), Watcher::settled());
        let (mut one, mut other) = (Sender::new(1), Sender::new(1));
        for sent_ms in skews {
            other.sent_ms = sent_ms;
            right.run_with(&mut [&mut one], 1);
            wrong.run_with(&mut [&mut other], 1);
            prop_assert_eq!(right.membership.view(), wrong.membership.view());
        }
        prop_assert_eq!(right.events, wrong.events);
    }

    #[test]
    fn a_frozen_view_of_others_does_not_change(
        heard in vec((1_u8..5, 0_u64..700, any::<bool>()), 1..40),
        away_ms in 0_u64..20_000,
    ) {
        let mut watcher = Watcher::settled();
        let mut senders: Vec<_> = (1..5).map(Sender::new).collect();
        for sender in &mut senders[..3] {
            watcher.hear(sender);
        }
        let (before, revision) = (watcher.others(), watcher.membership.view().revision());
        watcher.disconnect();
        // Its own entry says that it is joining, and does not change either.
        prop_assert_eq!(watcher.membership.view().revision(), revision);
        watcher.run(Duration::from_millis(away_ms));
        watcher.connect();
        let thaw = watcher.now + SETTLE_AFTER_RETURN;
        for (key, gap_ms, changes) in heard {
            let sender = &mut senders[usize::from(key) - 1];
            let gap = Duration::from_millis(gap_ms);
            if watcher.now + gap >= thaw {
                break;
            }
            watcher.run(gap);
            watcher.hear(sender);
            if changes {
                let load = format!("c{gap_ms}");
                let news = contents(&[], &[load.as_str(), if key > 2 { "a" } else { "b" }]);
                let _ = watcher.membership.on_inventory(watcher.now, Sender::with(key, 1, news).inventory());
            }
            prop_assert_eq!(watcher.membership.freeze(), Some(Freeze::Returning));
            prop_assert_eq!(watcher.others(), before.clone());
            prop_assert_eq!(watcher.membership.view().revision(), revision);
        }
        let hosts = watcher.events.iter().filter(|event| {
            matches!(event, Event::Host { host, .. } if *host == id(4))
        });
        prop_assert_eq!(hosts.count(), 0);
    }
}

#[test]
fn after_a_return_who_is_heard_lives_and_who_is_not_is_dead() {
    let mut watcher = Watcher::settled();
    let (mut stays, mut goes) = (Sender::new(1), Sender::new(2));
    watcher.run_with(&mut [&mut stays, &mut goes], 2);
    watcher.disconnect();
    watcher.run(SECOND * 60);
    assert!(watcher.host(1).is_alive() && watcher.host(2).is_alive());
    watcher.connect();
    watcher.take_events();
    watcher.run_with(&mut [&mut stays], 4);
    assert_eq!(watcher.take_events(), []);
    watcher.run_with(&mut [&mut stays], 1);
    let died = Event::Host {
        host: id(2),
        change: Change::Died,
    };
    assert_eq!(watcher.take_events(), [Event::Thawed, died]);
    assert_eq!(watcher.host(1).liveness, Liveness::Live);
}

#[test]
fn a_connection_that_is_lost_again_begins_its_wait_anew() {
    let mut watcher = Watcher::settled();
    for _ in 0..5 {
        watcher.disconnect();
        watcher.connect();
        watcher.run(SETTLE_AFTER_RETURN - TICK_EVERY);
        assert_eq!(watcher.membership.freeze(), Some(Freeze::Returning));
    }
    watcher.run(TICK_EVERY);
    assert_eq!(watcher.membership.freeze(), None);
}

#[test]
fn a_host_that_starts_listens_for_as_long_as_everyone_needs_to_be_heard() {
    let mut watcher = Watcher::unconnected(contents(&[], &["a"]));
    watcher.run(SECOND * 100);
    assert_eq!(watcher.membership.freeze(), Some(Freeze::Unconnected));
    assert_eq!(watcher.membership.view().hosts().len(), 1);
    watcher.connect();
    let mut other = Sender::new(1);
    watcher.hear(&mut other);
    watcher.run(SETTLE_AFTER_START - TICK_EVERY);
    assert_eq!(watcher.membership.freeze(), Some(Freeze::Joining));
    assert_eq!(watcher.others(), []);
    watcher.run(TICK_EVERY);
    assert_eq!(watcher.membership.freeze(), None);
    let joined = Event::Host {
        host: id(1),
        change: Change::Joined,
    };
    let expected = [Event::Froze(Freeze::Joining), Event::Thawed];
    assert_eq!(watcher.events[..2], expected);
    assert!(watcher.events.contains(&joined));
}

#[test]
fn a_host_that_was_stopped_itself_does_not_take_others_for_dead() {
    let mut watcher = Watcher::settled();
    let (mut stays, mut goes) = (Sender::new(1), Sender::new(2));
    watcher.run_with(&mut [&mut stays, &mut goes], 2);
    watcher.take_events();
    watcher.now = watcher.now + SECOND * 30;
    watcher.tick();
    assert_eq!(watcher.take_events(), [Event::Froze(Freeze::Returning)]);
    assert!(watcher.host(1).is_alive() && watcher.host(2).is_alive());
    watcher.run_with(&mut [&mut stays], 6);
    assert!(watcher.host(1).is_alive());
    assert!(
        !watcher.host(2).is_alive(),
        "the other one is gone for real"
    );
}

#[test]
fn a_shorter_pause_of_its_own_kills_nobody_and_freezes_nothing() {
    let mut watcher = Watcher::settled();
    let mut other = Sender::new(1);
    for _ in 0..20 {
        watcher.hear(&mut other);
        watcher.run(HEARTBEAT_EVERY - TICK_EVERY);
        watcher.now = watcher.now + (STALL_MIN - Duration::from_millis(1));
        watcher.tick();
        assert!(watcher.host(1).is_alive());
        assert_eq!(watcher.membership.freeze(), None);
    }
}

#[test]
fn each_side_of_a_partition_takes_the_other_for_dead() {
    let mut sides = [Watcher::settled(), Watcher::settled()];
    let mut senders = [Sender::new(1), Sender::new(2)];
    for (side, watcher) in sides.iter_mut().enumerate() {
        let [one, other] = &mut senders;
        watcher.run_with(&mut [one, other], 1);
        watcher.run_with(&mut [&mut senders[side]], 4);
        let alive = watcher.membership.view().placeable();
        let alive: Vec<_> = alive.map(|host| host.id).collect();
        assert_eq!(alive, [id(side as u8 + 1)]);
    }
}

#[test]
fn a_host_that_says_that_it_has_left_is_dead_at_once() {
    let mut watcher = Watcher::settled();
    let mut other = Sender::new(1);
    watcher.hear(&mut other);
    assert!(watcher.host(1).is_placeable());
    other.set_state(HostState::Draining);
    watcher.hear(&mut other);
    assert!(watcher.host(1).is_draining() && !watcher.host(1).is_placeable());
    other.set_state(HostState::Left);
    watcher.take_events();
    watcher.hear(&mut other);
    assert!(!watcher.host(1).is_alive());
    let left = Event::Host {
        host: id(1),
        change: Change::Left,
    };
    assert_eq!(watcher.take_events(), [left]);
}

#[test]
fn the_revision_of_a_view_stays_while_only_loads_change() {
    let mut watcher = Watcher::settled();
    let mut other = Sender::new(1);
    watcher.hear(&mut other);
    let revision = watcher.membership.view().revision();
    other.load.running = 7;
    watcher.hear(&mut other);
    assert_eq!(watcher.host(1).load.running, 7);
    assert_eq!(watcher.membership.view().revision(), revision);
    other.set_state(HostState::Draining);
    watcher.hear(&mut other);
    assert!(watcher.membership.view().revision() > revision);
}

#[test]
fn moments_do_not_overflow() {
    let last = Moment::after_start(Duration::MAX);
    assert_eq!(last + SECOND, last);
    assert_eq!(Moment::START.since(last), Duration::ZERO);
}
