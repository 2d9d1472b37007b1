//! Properties of liveness: the time of death, replays, clocks of other hosts, and frozen views.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use weft_membership::Moment;
use weft_membership::message::HostState;
use weft_membership::{
    BusStatus, Change, DEAD_AFTER, Event, HEARTBEAT_EVERY, Liveness, PlacementPause, Rejection,
    SETTLE_AFTER_RETURN, SETTLE_AFTER_START, STALL_MIN, SUSPECT_AFTER, Standing, TICK_EVERY,
};

use weft_testkit::membership::{LocalHost, RemoteHost, SECOND, config, contents, id};

/// Maximum delay of a heartbeat, in milliseconds.
const JITTER_MS: u64 = 900;

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn a_silent_host_is_dead_within_the_bound_and_never_before(
        phase_ms in prop_oneof![Just(0), 1_u64..250],
        heartbeats in 1_u64..5,
    ) {
        let mut local = LocalHost::settled();
        let mut other = RemoteHost::new(1);
        local.run_with(&mut [&mut other], heartbeats);
        // The last one arrives at an arbitrary time between two ticks.
        local.now = local.now + Duration::from_millis(phase_ms);
        local.membership.on_heartbeat(local.now, other.heartbeat())?;
        let heard = local.now;
        local.now = heard + (TICK_EVERY - Duration::from_millis(phase_ms));
        loop {
            local.tick();
            let silence = local.now.since(heard);
            let expected = if silence >= DEAD_AFTER {
                Liveness::Dead
            } else if silence >= SUSPECT_AFTER {
                Liveness::Suspected
            } else {
                Liveness::Live
            };
            prop_assert_eq!(local.host(1).liveness, expected, "after {:?}", silence);
            if silence >= DEAD_AFTER + TICK_EVERY {
                break;
            }
            local.now = local.now + TICK_EVERY;
        }
        let died = Event::Host { host: id(1), change: Change::Died };
        prop_assert_eq!(local.events.iter().filter(|event| **event == died).count(), 1);
    }

    #[test]
    fn a_host_whose_heartbeats_come_with_jitter_is_never_dead(
        late_ms in vec(0..=JITTER_MS, 60),
        sent_ms in any::<u64>(),
    ) {
        let mut local = LocalHost::settled();
        let mut other = RemoteHost::new(1);
        other.sent_ms = sent_ms;
        let start = local.now;
        for (count, late_ms) in (0..).zip(late_ms) {
            let due = start + HEARTBEAT_EVERY * count + Duration::from_millis(late_ms);
            local.run(due.since(local.now));
            local.receive_heartbeat(&mut other);
            let host = local.host(1);
            prop_assert!(host.is_alive() && host.standing == Standing::Steady);
        }
        let outages = local.events.iter().filter(|event| {
            matches!(event, Event::Host { change: Change::Died | Change::Returned, .. })
        });
        prop_assert_eq!(outages.count(), 0);
    }

    #[test]
    fn replays_in_any_order_change_nothing(
        script in vec((0_u8..3, any::<bool>()), 1..25),
        replays in vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let (mut plain, mut replayed) = (LocalHost::settled(), LocalHost::settled());
        let mut senders = [RemoteHost::new(1), RemoteHost::new(2), RemoteHost::new(3)];
        let (mut heartbeats, mut inventories) = (Vec::new(), Vec::new());
        let mut replays = replays.iter().cycle();
        for (step, (key, changes)) in script.into_iter().enumerate() {
            let sender = &mut senders[usize::from(key)];
            let step = format!("c{step}");
            let inventory = changes.then(|| sender.change(contents(&[], &[step.as_str()])));
            let heartbeat = sender.heartbeat();
            for local in [&mut plain, &mut replayed] {
                local.membership.on_heartbeat(local.now, heartbeat)?;
                if let Some(inventory) = &inventory {
                    local.membership.on_inventory(local.now, inventory.clone())?;
                }
            }
            heartbeats.push(heartbeat);
            inventories.extend(inventory);
            let again = replays.next().map(|index| *index.get(&heartbeats));
            if let Some(again) = again {
                let taken = replayed.membership.on_heartbeat(replayed.now, again);
                prop_assert_eq!(taken, Err(Rejection::Replayed));
            }
            if let (Some(index), false) = (replays.next(), inventories.is_empty()) {
                let again = index.get(&inventories).clone();
                let taken = replayed.membership.on_inventory(replayed.now, again);
                prop_assert_eq!(taken, Err(Rejection::Replayed));
            }
            plain.run(Duration::from_millis(400));
            replayed.run(Duration::from_millis(400));
            prop_assert_eq!(plain.membership.view(), replayed.membership.view());
        }
        prop_assert!(replayed.membership.rejections().count(Rejection::Replayed) > 0);
        prop_assert_eq!(plain.membership.rejections().count(Rejection::Replayed), 0);
    }

    #[test]
    fn clocks_of_other_hosts_have_no_effect(skews in vec(any::<u64>(), 1..20)) {
        let (mut right, mut wrong) = (LocalHost::settled(), LocalHost::settled());
        let (mut one, mut other) = (RemoteHost::new(1), RemoteHost::new(1));
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
        let mut local = LocalHost::settled();
        let mut senders: Vec<_> = (1..5).map(RemoteHost::new).collect();
        for sender in &mut senders[..3] {
            local.receive_heartbeat(sender);
        }
        let (before, revision) = (local.others(), local.membership.view().revision());
        local.disconnect();
        // Its own entry is published as joining, and does not change either.
        prop_assert_eq!(local.membership.view().revision(), revision);
        local.run(Duration::from_millis(away_ms));
        local.connect();
        let thaw = local.now + SETTLE_AFTER_RETURN;
        for (key, gap_ms, changes) in heard {
            let sender = &mut senders[usize::from(key) - 1];
            let gap = Duration::from_millis(gap_ms);
            if local.now + gap >= thaw {
                break;
            }
            local.run(gap);
            local.receive_heartbeat(sender);
            if changes {
                let load = format!("c{gap_ms}");
                let news = contents(&[], &[load.as_str(), if key > 2 { "a" } else { "b" }]);
                let _ = local.membership.on_inventory(local.now, RemoteHost::with(key, 1, news).inventory());
            }
            prop_assert_eq!(local.membership.placement_pause(), Some(PlacementPause::Returning));
            prop_assert_eq!(local.others(), before.clone());
            prop_assert_eq!(local.membership.view().revision(), revision);
        }
        let hosts = local.events.iter().filter(|event| {
            matches!(event, Event::Host { host, .. } if *host == id(4))
        });
        prop_assert_eq!(hosts.count(), 0);
    }
}

#[test]
fn after_a_reconnect_silent_hosts_are_dead_and_others_alive() {
    let mut local = LocalHost::settled();
    let (mut stays, mut goes) = (RemoteHost::new(1), RemoteHost::new(2));
    local.run_with(&mut [&mut stays, &mut goes], 2);
    local.disconnect();
    local.run(SECOND * 60);
    assert!(local.host(1).is_alive() && local.host(2).is_alive());
    local.connect();
    local.take_events();
    local.run_with(&mut [&mut stays], 4);
    assert_eq!(local.take_events(), []);
    local.run_with(&mut [&mut stays], 1);
    let died = Event::Host {
        host: id(2),
        change: Change::Died,
    };
    assert_eq!(local.take_events(), [Event::PlacementResumed, died]);
    assert_eq!(local.host(1).liveness, Liveness::Live);
}

#[test]
fn another_disconnect_restarts_the_settling_time() {
    let mut local = LocalHost::settled();
    for _ in 0..5 {
        local.disconnect();
        local.connect();
        local.run(SETTLE_AFTER_RETURN - TICK_EVERY);
        assert_eq!(
            local.membership.placement_pause(),
            Some(PlacementPause::Returning)
        );
    }
    local.run(TICK_EVERY);
    assert_eq!(local.membership.placement_pause(), None);
}

#[test]
fn a_starting_host_settles_until_every_live_host_was_heard() {
    let mut local = LocalHost::unconnected(contents(&[], &["a"]));
    local.run(SECOND * 100);
    assert_eq!(
        local.membership.placement_pause(),
        Some(PlacementPause::Unconnected)
    );
    assert_eq!(local.membership.view().hosts().len(), 1);
    local.connect();
    let mut other = RemoteHost::new(1);
    local.receive_heartbeat(&mut other);
    local.run(SETTLE_AFTER_START - TICK_EVERY);
    assert_eq!(
        local.membership.placement_pause(),
        Some(PlacementPause::Joining)
    );
    assert_eq!(local.others(), []);
    local.run(TICK_EVERY);
    assert_eq!(local.membership.placement_pause(), None);
    let joined = Event::Host {
        host: id(1),
        change: Change::Joined,
    };
    let expected = [
        Event::PlacementPaused(PlacementPause::Joining),
        Event::PlacementResumed,
    ];
    assert_eq!(local.events[..2], expected);
    assert!(local.events.contains(&joined));
}

#[test]
fn a_host_alone_is_never_frozen_and_reports_nothing() {
    let mut local = LocalHost::unconnected(contents(&[], &["a"]));
    local.membership.on_bus(local.now, BusStatus::Alone);
    assert_eq!(local.membership.placement_pause(), None);
    local.run(TICK_EVERY);
    local.now = local.now + SECOND * 30;
    local.tick();
    assert_eq!(local.membership.placement_pause(), None);
    assert_eq!(local.take_events(), []);
}

#[test]
fn a_host_resumed_after_a_stall_declares_no_other_dead() {
    let mut local = LocalHost::settled();
    let (mut stays, mut goes) = (RemoteHost::new(1), RemoteHost::new(2));
    local.run_with(&mut [&mut stays, &mut goes], 2);
    local.take_events();
    local.now = local.now + SECOND * 30;
    local.tick();
    assert_eq!(
        local.take_events(),
        [Event::PlacementPaused(PlacementPause::Returning)]
    );
    assert!(local.host(1).is_alive() && local.host(2).is_alive());
    local.run_with(&mut [&mut stays], 6);
    assert!(local.host(1).is_alive());
    assert!(!local.host(2).is_alive(), "the other one is dead");
}

#[test]
fn a_shorter_stall_has_no_effect() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::new(1);
    for _ in 0..20 {
        local.receive_heartbeat(&mut other);
        local.run(HEARTBEAT_EVERY - TICK_EVERY);
        local.now = local.now + (STALL_MIN - Duration::from_millis(1));
        local.tick();
        assert!(local.host(1).is_alive());
        assert_eq!(local.membership.placement_pause(), None);
    }
}

#[test]
fn each_side_of_a_partition_declares_the_other_dead() {
    let mut sides = [LocalHost::settled(), LocalHost::settled()];
    let mut senders = [RemoteHost::new(1), RemoteHost::new(2)];
    for (side, local) in sides.iter_mut().enumerate() {
        let [one, other] = &mut senders;
        local.run_with(&mut [one, other], 1);
        local.run_with(&mut [&mut senders[side]], 4);
        let alive = local.membership.view().placeable();
        let alive: Vec<_> = alive.map(|host| host.id).collect();
        assert_eq!(alive, [id(side as u8 + 1)]);
    }
}

#[test]
fn a_host_that_publishes_left_is_dead_at_once() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::new(1);
    local.receive_heartbeat(&mut other);
    assert!(local.host(1).is_placeable());
    other.set_state(HostState::Draining);
    local.receive_heartbeat(&mut other);
    assert!(local.host(1).is_draining() && !local.host(1).is_placeable());
    other.set_state(HostState::Left);
    local.take_events();
    local.receive_heartbeat(&mut other);
    assert!(!local.host(1).is_alive());
    let left = Event::Host {
        host: id(1),
        change: Change::Left,
    };
    assert_eq!(local.take_events(), [left]);
}

#[test]
fn the_revision_of_a_view_stays_while_only_loads_change() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::new(1);
    local.receive_heartbeat(&mut other);
    let revision = local.membership.view().revision();
    other.load.running = 7;
    local.receive_heartbeat(&mut other);
    assert_eq!(local.host(1).load.running, 7);
    assert_eq!(local.membership.view().revision(), revision);
    other.set_state(HostState::Draining);
    local.receive_heartbeat(&mut other);
    assert!(local.membership.view().revision() > revision);
}

#[test]
fn moments_do_not_overflow() {
    let last = Moment::after_start(Duration::MAX);
    assert_eq!(last + SECOND, last);
    assert_eq!(Moment::START.since(last), Duration::ZERO);
}
